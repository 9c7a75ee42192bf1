"""A device under examination: drawn devices, the states that they are tried in, and their law on arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from mho.config.analog import AnalogConfig, lists_over_chips
from mho.devices.base import Device, law_arguments, taken
from mho.tiles.cell import Cell
from mho.tiles.draw import TileDraw

DEVICES = 48
"""Devices drawn of every chip."""
SHARES = (0.0, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 1.0)
"""States that are tried, as shares of the way from the lowest to the highest."""
REACH = 2000
"""Pulses that lead to the ends of the range of a law without `bottom` and `top`."""
WIDE = 1.5
FARTHEST = 4.0
"""Draws of extreme devices: WIDE times as wide, up to FARTHEST standard deviations."""


class _Extreme(TileDraw):
    """Draws far from the mean."""

    def xi(self, purpose: str) -> np.ndarray:
        """Return normal draws that are wider than normal ones."""
        return np.clip(np.float32(WIDE) * super().xi(purpose), -FARTHEST, FARTHEST)


class Subject:
    """Devices drawn of every chip, with states (chips, devices, states) to try them in.

    low, high: (chips, devices, 1) ends of the range: the law's `bottom` and `top`, else what pulses reach. A unipolar
    law without `bottom` has 0 in its place.
    bounded: whether they are the law's. Raises what cells() and the law raise.
    """

    def __init__(self, device: Device, *, extreme: bool = False, seed: int = 0) -> None:
        self.device, self.kind = device, type(device)
        self.count = chips_of(device)
        make = _Extreme if extreme else TileDraw
        self.draw = make(seed, tuple(range(self.count)), "check", (DEVICES, 1, 1), device.correlations)
        given = device.cells(self.draw)
        self.names = law_arguments(self.kind)
        self.cells = {n: self._array(taken(given[n], self.count, n)) for n in self.names}
        self.bounded = "top" in self.names and (device.unipolar or "bottom" in self.names)
        self.low, self.high = self._bounds() if self.bounded else self._reached()

    def _array(self, value: np.ndarray) -> np.ndarray:
        """Return an argument as (chips, devices, 1), or a table or a number as it is."""
        if value.ndim == 4:
            return value[:, :, 0]
        return value.reshape(-1, 1, 1) if value.ndim == 1 else value

    def _bounds(self) -> tuple[np.ndarray, np.ndarray]:
        shape = (self.count, DEVICES, 1)
        ends = (self.cells.get("bottom", np.float32(0)), self.cells["top"])
        low, high = (np.broadcast_to(end, shape) for end in ends)
        return np.minimum(low, high), high

    def _reached(self) -> tuple[np.ndarray, np.ndarray]:
        start = np.zeros((self.count, DEVICES, 1), np.float32)
        ends = []
        for up in (False, True):
            state, extra = start, self.initial(start)
            for _ in range(REACH):
                state, *extra = self.law(state, up, np.zeros_like(state), extra)
            ends.append(np.where(np.isfinite(state), state, 0))
        return np.minimum(*ends), np.maximum(*ends)

    def initial(self, state: np.ndarray) -> list[np.ndarray]:
        """Return the law's further states at their start, in the shape of `state`."""
        return [np.full_like(state, value) for value in self.device.state.values()]

    def arguments(self, state: np.ndarray, up: bool, xi: Any, extra: list[np.ndarray]) -> list[Any]:
        """Return what the law takes, in its order, in the precision of `state`."""
        noise = np.broadcast_to(np.asarray(xi, state.dtype), state.shape)
        cells = [v.astype(state.dtype) for v in self.cells.values()]
        return [state, np.full(state.shape, up), noise, *extra, *cells]

    def law(self, state: np.ndarray, up: bool, xi: Any, extra: list[np.ndarray]) -> list[np.ndarray]:
        """Return the new state, and the new further states, after one pulse of every device."""
        with np.errstate(all="ignore"):
            found = self.kind.pulse(*self.arguments(state, up, xi, extra))
        new = found if isinstance(found, tuple) else (found,)
        return [np.broadcast_to(np.asarray(v, state.dtype), state.shape) for v in new]

    def grid(self, shares: tuple[float, ...] = SHARES, dtype: Any = np.float32) -> np.ndarray:
        """Return the states to try (chips, devices, states), from the lowest to the highest."""
        low, high = self.low.astype(dtype), self.high.astype(dtype)
        at = np.asarray(shares, dtype)
        return np.asarray(np.where(at == 1, high, low + at * (high - low)))

    def after_pulses(self, pulses: int = 100) -> tuple[np.ndarray, list[np.ndarray]]:
        """Return states and further states after random pulses from the middle, up and down in short runs."""
        state = self.grid((0.5,))
        extra, generator = self.initial(state), np.random.default_rng(0)
        for n in range(pulses):
            xi = generator.standard_normal(state.shape)
            state, *extra = self.law(state, n % 10 < 3 + (n // 50) % 5, xi, extra)
        return state, extra

    def example(self, index: tuple[int, ...], state: np.ndarray, up: bool, xi: Any) -> str:
        """Return one device, state and pulse in words."""
        noise = np.broadcast_to(np.asarray(xi), state.shape)[index]
        numbers = {n: v for n, v in self.cells.items() if v.ndim != 2}
        values = ", ".join(f"{n} = {np.broadcast_to(v, state.shape)[index]:.6g}" for n, v in numbers.items())
        return f"w = {state[index]:.6g}, a pulse {'up' if up else 'down'}, xi = {noise:.3g}, {values}"


def config_of(device: Device) -> AnalogConfig:
    """Return settings in which a device can stand: a unipolar one as the sides of a pair."""
    return AnalogConfig(device=device, cell=Cell(pair="one-sided" if device.unipolar else "none"))


def chips_of(device: Device) -> int:
    """Return how many chips the lists of a device are for, 1 where it has none."""
    return max((length for _, length in lists_over_chips(device, "")), default=1)
