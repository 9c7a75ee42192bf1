"""Measurements of simulated devices: what a fit should find again, for tests and for planning an experiment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mho.characterize.fitting.read import Measurements
from mho.characterize.sample import Sample
from mho.devices.base import Device
from mho.errors import ConfigError
from mho.units import Window


@dataclass(frozen=True)
class Readings:
    """Readings of n devices: siemens (n, pulses + 1), the start first, and direction (pulses + 1,), 0 at the start."""

    siemens: np.ndarray
    direction: np.ndarray

    def measurements(self, path: str = "simulated") -> Measurements:
        """Return them as if read from a file."""
        n, rows = self.siemens.shape
        count = n * rows
        return Measurements(
            path, tuple(f"d{k}" for k in range(n)), np.arange(n + 1) * rows, np.zeros(count, np.int64),
            np.tile(np.arange(rows), n), np.tile(self.direction, n), self.siemens.reshape(-1), np.arange(count) + 2,
        )  # fmt: skip


def ramps(up: int, down: int, cycles: int) -> np.ndarray:
    """Return directions: `up` pulses up, `down` pulses down, and so on."""
    return np.tile(np.repeat(np.array([1, -1], np.int8), [up, down]), cycles)


def measure(
    device: Device, directions: Iterable[int], *, devices: int = 1, read_noise: float = 0.0, seed: int = 0
) -> Readings:
    """Return readings of drawn devices, one before any pulse and one after each, straight from the law.

    read_noise: standard deviation of a reading in siemens. Leak and faults are left out. Raises ConfigError for a
    device without a window, since its weights are then not in siemens.
    """
    window: Window | None = device.window
    if window is None:
        raise ConfigError(
            "measurements are in siemens, and this device has no window; give window=Window(S at w = -1, S at w = +1)"
        )
    sample, rng = Sample(device, devices, seed=seed), np.random.default_rng(seed)
    signs = np.array([0, *directions], np.int8)
    states = [sample.state[0].copy()]
    for sign in signs[1:]:
        sample.pulse_(bool(sign > 0), rng.standard_normal(sample.state.shape))
        states.append(np.array(sample.state[0]))
    siemens = window.to_siemens(np.array(states).T)
    return Readings(siemens + read_noise * rng.standard_normal(siemens.shape), signs)
