"""Devices drawn from their spreads and pulsed together, straight from the law in NumPy."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np

from mho.devices.base import Device, Draw, MeanDraw, law_arguments
from mho.devices.spread import Spread
from mho.devices.table import Table
from mho.errors import ConfigError, LawError
from mho.kernels.product import normals
from mho.tiles.draw import TileDraw

BLOCK = 256
"""Pulses whose noise is drawn at once."""


class Recorded:
    """A draw that keeps, by name, what was drawn of the fields of a device; fields without spread are left out."""

    def __init__(self, draw: Draw, device: Device) -> None:
        self.draw, self.device = draw, device
        self.values: dict[str, np.ndarray] = {}

    def __call__(self, *spreads: Spread, correlation: float = 0.0) -> Any:
        """Draw one array for each of the spreads."""
        drawn = self.draw(*spreads, correlation=correlation)
        for one, values in zip(spreads, drawn if len(spreads) > 1 else (drawn,), strict=True):
            # A law may draw a spread that it made of a field, under the field's name: that is not what is stated.
            if one.varies and one == getattr(self.device, one.name, None):
                self.values[one.name] = np.array(values, np.float64)
        return drawn

    def folded(self, values: Any, name: str) -> Any:
        """Return the absolute values."""
        return self.draw.folded(values, name)


class Sample:
    """Some devices of every chip; all start at state 0 and take the same pulses.

    state: (chips, devices) float64, normalised weights. Drawn per device from (seed, chip), as tiles do; with
    `mean=True` every chip has one device, the mean device without spread. Leak, diffusion and faults are left out:
    this is the law. stated: by name of a field with a spread between devices, what was drawn of it (chips, devices).
    Raises ConfigError when a device's list over chips does not fit.
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
        recorded = Recorded(MeanDraw(len(chips)) if mean else draw, device)
        given = device.cells(recorded)
        names = law_arguments(type(device))
        if missing := [name for name in names if name not in given]:
            raise LawError(
                f"{type(device).__name__}.pulse takes {', '.join(missing)}, which cells() does not return; it returns "
                f"{', '.join(given) or 'nothing'}"
            )
        self.cells = [self._array(given[name], name) for name in names]
        self.tables = [isinstance(given[name], Table) for name in names]
        self.state = np.zeros((len(chips), self.count))
        self.extra = [np.full_like(self.state, value) for value in device.state.values()]
        self.stated = {n: v.reshape(len(chips), -1) for n, v in recorded.values.items()}
        self._draw, self._pulse = draw, type(device).pulse
        self.start_()
        noise = device.write_noise
        self.write_sigma = np.reshape(noise, (-1, 1)) * device.granularity(len(chips)).reshape(-1, 1)

    def start_(self) -> None:
        """Make what every pulse of this number of devices takes."""
        self._up = {up: np.full(self.state.shape, up) for up in (False, True)}
        self._still = np.zeros_like(self.state)

    def _array(self, value: Any, name: str) -> np.ndarray:
        """Return an argument of the law as float64 that broadcasts to (chips, devices); a table as (chips, nodes)."""
        if isinstance(value, Table):
            return value.over_chips(len(self.chips), name).astype(np.float64)
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

    def moved(self, state: np.ndarray, up: bool, xi: Any = 0.0, extra: list[np.ndarray] | None = None) -> np.ndarray:
        """Return where one pulse takes devices from `state` (chips, devices, ...); nothing is changed.

        `extra` holds further states of the law, shaped as `state`; without it, all have the sample's present ones.
        """
        more = (1,) * (state.ndim - 2)
        held = [e.reshape(*e.shape, *more) for e in self.extra] if extra is None else extra
        pairs = zip(self.cells, self.tables, strict=True)
        cells = [a if table or not a.ndim else a.reshape(*a.shape, *more) for a, table in pairs]
        noise = np.broadcast_to(np.asarray(xi, np.float64), state.shape)
        return self._law(state, np.full(state.shape, up), noise, [*held, *cells])[0]

    def pulse_(self, up: bool, xi: np.ndarray | None = None) -> None:
        """Pulse every device once; `xi` (chips, devices) is the cycle-to-cycle draw, None for no noise."""
        noise = self._still if xi is None else xi
        self.state, *self.extra = self._law(self.state, self._up[up], noise, [*self.extra, *self.cells])

    def reset_(self) -> None:
        """Reset every device: its state is 0, its further states are the initial ones."""
        self.state = np.zeros_like(self.state)
        self.extra = [np.full_like(self.state, value) for value in self.device.state.values()]

    def _law(self, state: np.ndarray, up: np.ndarray, xi: np.ndarray, rest: list[np.ndarray]) -> list[np.ndarray]:
        """Return the new state and extra states."""
        found = self._pulse(state, up, xi, *rest)
        new = found if self.extra else [found]
        return [v if np.shape(v) == state.shape else np.broadcast_to(v, state.shape) for v in new]

    def noise(self, purpose: str, block: int) -> np.ndarray:
        """Return standard normal draws (BLOCK, chips, devices) of a purpose and block number."""
        drawn = normals(self._draw.keys(purpose), (len(self.chips), BLOCK, self.count), block)
        return drawn.numpy().swapaxes(0, 1).astype(np.float64)


def beside(samples: Sequence[Sample]) -> Sample:
    """Return the devices of several samples of one device law as one sample, in the order given."""
    new, shapes = copy.copy(samples[0]), [s.state.shape for s in samples]
    new.count = sum(s.count for s in samples)
    new.state = np.concatenate([s.state for s in samples], axis=1)
    new.extra = [np.concatenate(one, axis=1) for one in zip(*(s.extra for s in samples), strict=True)]
    columns = zip(*(s.cells for s in samples), strict=True)
    new.cells = [
        of[0] if table else np.concatenate([np.broadcast_to(a, s) for a, s in zip(of, shapes, strict=True)], axis=1)
        for of, table in zip(columns, new.tables, strict=True)
    ]
    new.start_()
    return new
