"""The response of a device to pulses: all the way up, then all the way down."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mho.characterize.sample import BLOCK, Sample
from mho.devices.base import Device
from mho.errors import ConfigError

TRACES = 3
POINTS = 150
"""Readings of each half of a response."""
SETTLED = 0.05
"""A device has settled when a pulse moves it by less than this share of its step at w = 0."""
LONGEST = 20_000
UNBOUNDED = 1_000
"""Pulses shown of a device that does not settle within LONGEST pulses."""


@dataclass(frozen=True)
class Response:
    """What a measurement of many devices would show: `turn` pulses up from the lowest state, then as many
    down.

    pulses: (points,) pulses before each reading. mean, low, high: (chips, points), over devices; low and
    high are the 10 % and 90 % quantiles. traces: (chips, 3, points), single devices. States are normalised
    weights, as read: with write noise.
    """

    pulses: np.ndarray
    turn: int
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    traces: np.ndarray


def response(
    device: Device,
    pulses: int | None = None,
    devices: int = 200,
    seed: int = 0,
    *,
    chips: tuple[int, ...] = (0,),
) -> Response:
    """Return the response of `devices` drawn devices per chip to `pulses` up and `pulses` down pulses.

    Device-to-device spread and cycle-to-cycle noise are on, leak and faults are not. Every device is first
    pulsed down `pulses` times. Without `pulses`: enough to cross the range. The same arguments give the same
    numbers. Raises ConfigError when `pulses` is below 1 or a list over chips does not fit.
    """
    if pulses is None:
        pulses = pulses_across(device, len(chips))
    if pulses < 1:
        raise ConfigError(f"a response needs at least 1 pulse in each direction, found {pulses}")
    sample = Sample(device, devices, seed=seed, chips=chips)
    half = np.unique(np.linspace(0, pulses, POINTS + 1).round().astype(int))
    when = np.concatenate([half, pulses + half[1:]])
    read: list[np.ndarray] = []
    wanted = set((when + pulses).tolist())
    for n in range(3 * pulses + 1):
        if n in wanted:
            read.append(_reading(sample, len(read)))
        if n % BLOCK == 0:
            xi = sample.noise("response", n // BLOCK)
        if n < 3 * pulses:
            sample.pulse_(pulses <= n < 2 * pulses, xi[n % BLOCK])
    states = np.stack(read, axis=2)
    low, high = np.percentile(states, (10, 90), axis=1)
    return Response(when, pulses, states.mean(axis=1), low, high, states[:, :TRACES])


def _reading(sample: Sample, number: int) -> np.ndarray:
    """Return the states (chips, devices) as a reading shows them, with the write noise of the last pulse."""
    if not sample.write_sigma.any():
        return sample.state
    return sample.state + sample.write_sigma * sample.noise("response write", number)[0]


def pulses_across(device: Device, chips: int = 1) -> int:
    """Return how many pulses take most devices from one end of the range to the other.

    1.4 times what the mean device needs from 0 to both ends, an end being where a pulse moves it by less
    than 5 % of its step at 0; 1000 for a device that does not get there within 20,000 pulses.
    """
    ids = tuple(range(chips))
    total = 0
    for up in (True, False):
        sample = Sample(device, chips=ids, mean=True)
        least = SETTLED * device.granularity(chips).reshape(-1, 1)
        needed = next((n for n in range(1, LONGEST + 1) if (_moved(sample, up) < least).all()), None)
        if needed is None:
            return UNBOUNDED
        total += needed
    return max(2, int(1.4 * total))


def _moved(sample: Sample, up: bool) -> np.ndarray:
    """Pulse every device once and return how far it went."""
    before = sample.state
    sample.pulse_(up)
    return np.abs(sample.state - before)
