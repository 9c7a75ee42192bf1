"""Devices drawn from their spreads and pulsed together, straight from the law in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from mho.devices.base import Device, MeanDraw, law_arguments
from mho.errors import ConfigError
from mho.kernels.product import normals
from mho.tiles.draw import TileDraw

BLOCK = 256
"""Pulses whose noise is drawn at once."""


class Sample:
    """Some devices of every chip; all start at state 0 and take the same pulses.

    state: (chips, devices) float64, normalised weights. Drawn per device from (seed, chip), as tiles do; with
    `mean=True` every chip has one device, the mean device without spread. Leak and faults are left out: this
    is the law. Raises ConfigError when a device's list over chips does not fit.
    """

    def __init__(
        self,
        device: Device,
        devices: int = 1,
        *,
        seed: int = 0,
        chips: tuple[int, ...] = (0,),
        mean: bool = False,
    ) -> None:
        if devices < 1 or not chips:
            raise ConfigError(f"a sample needs at least one device and one chip, found {devices} and {len(chips)}")
        self.device, self.chips = device, chips
        self.count = 1 if mean else devices
        draw = TileDraw(seed, chips, "characterize", (self.count, 1, 1), device.correlations)
        given = device.cells(MeanDraw(len(chips)) if mean else draw)
        self.cells = [self._array(given[name], name) for name in law_arguments(type(device))]
        self.state = np.zeros((len(chips), self.count))
        self.extra = [np.full_like(self.state, value) for value in device.state.values()]
        self._draw = draw
        noise = device.write_noise
        self.write_sigma = np.reshape(noise, (-1, 1)) * device.granularity(len(chips)).reshape(-1, 1)

    def _array(self, value: Any, name: str) -> np.ndarray:
        """Return an argument of the law as float64 that broadcasts to (chips, devices)."""
        array = np.asarray(value, np.float64)
        if array.ndim == 1:  # one number per chip
            array = array.reshape(-1, 1)
        elif array.ndim == 4:
            array = array[:, :, 0, 0]
        try:
            np.broadcast_shapes(array.shape, (len(self.chips), self.count))
        except ValueError:
            raise ConfigError(
                f"cells() gives {name} the shape {np.shape(value)}, which does not fit {len(self.chips)} "
                f"chips with "
                f"{self.count} devices; return an array made by draw(), a number or one number per chip"
            ) from None
        return array

    def moved(self, state: np.ndarray, up: bool, xi: Any = 0.0) -> np.ndarray:
        """Return where one pulse takes devices from `state` (chips, devices, ...); nothing is changed."""
        return self._law(state, up, xi)[0]

    def pulse_(self, up: bool, xi: Any = 0.0) -> None:
        """Pulse every device once; `xi` (chips, devices) is the cycle-to-cycle draw, 0 for none."""
        self.state, *self.extra = self._law(self.state, up, xi)

    def _law(self, state: np.ndarray, up: bool, xi: Any) -> list[np.ndarray]:
        more = (1,) * (state.ndim - 2)
        arguments = [a.reshape(*a.shape, *more) if a.ndim else a for a in (*self.extra, *self.cells)]
        noise = np.broadcast_to(np.asarray(xi, np.float64), state.shape)
        new = type(self.device).pulse(state, np.full(state.shape, up), noise, *arguments)
        return [np.broadcast_to(v, state.shape) for v in (new if self.extra else [new])]

    def noise(self, purpose: str, block: int) -> np.ndarray:
        """Return standard normal draws (BLOCK, chips, devices) of a purpose and block number."""
        drawn = normals(self._draw.keys(purpose), (len(self.chips), BLOCK, self.count), block)
        return drawn.numpy().swapaxes(0, 1)
