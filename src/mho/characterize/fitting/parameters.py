"""The free parameters of a law, derived from its fields: what a fit may change, and in which coordinates.

Every Spread field is free for every device, and so is every plain number that is the law's own (c2c, an exponent),
which all devices share in the end. A field that cannot have the other sign moves by its logarithm, others by
themselves; which is which is found by trying. A plain number that is 0 and cannot be negative is off, and stays so.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mho.devices.base import Device, MeanDraw, law_arguments, taken
from mho.devices.spread import Spread, numbers
from mho.errors import ConfigError

LOG_WIDTH, WIDTH = 1.5, 2.0
"""Standard deviations of the weak prior around the start: of a logarithm, and of other coordinates in their scale."""


@dataclass(frozen=True)
class Parameters:
    """Free parameters of a device: names of its fields; `shared` those that are plain numbers, not spreads.

    Coordinates: log(value / sign) where `sign` is not 0, else value / scale. start, width: (p,) in coordinates, the
    centre and standard deviation of the prior.
    """

    device: Device
    names: tuple[str, ...]
    shared: np.ndarray
    sign: np.ndarray
    scale: np.ndarray
    start: np.ndarray
    width: np.ndarray

    def __len__(self) -> int:
        return len(self.names)

    def values(self, coordinates: np.ndarray) -> np.ndarray:
        """Return values (..., p) of the fields."""
        logs = np.exp(np.minimum(np.where(self.sign != 0, coordinates, 0.0), 60.0))
        return np.where(self.sign != 0, self.sign * logs, coordinates * self.scale)

    def coordinates(self, values: np.ndarray) -> np.ndarray:
        """Return the coordinates of values (..., p)."""
        logs = np.log(np.maximum(np.where(self.sign != 0, values * self.sign, 1.0), 1e-30))
        return np.where(self.sign != 0, logs, values / self.scale)

    def slopes(self, values: np.ndarray) -> np.ndarray:
        """Return the derivatives of values by their coordinates."""
        return np.where(self.sign != 0, values, np.broadcast_to(self.scale, values.shape))

    def devices(self, values: np.ndarray) -> Device:
        """Return one Device whose lists over chips are the values (n, p) of n devices. Raises ConfigError."""
        changes: dict[str, Any] = {}
        for k, name in enumerate(self.names):
            column = tuple(values[:, k].tolist())
            changes[name] = column if self.shared[k] else Spread(column)
        return dataclasses.replace(self.device, correlations=(), **changes)

    def cells(self, coordinates: np.ndarray) -> dict[str, np.ndarray]:
        """Return the law's arrays (n, s) at coordinates (n, s, p), float32; NaN where a law refuses its values."""
        n, s, p = coordinates.shape
        values = self.values(coordinates.reshape(n * s, p))
        try:
            return {k: v.reshape(n, s) for k, v in self._cells(values).items()}
        except ConfigError:
            return self._cells_one_by_one(values.reshape(n, s, p))

    def _cells(self, values: np.ndarray) -> dict[str, np.ndarray]:
        device, n = self.devices(values), len(values)
        with np.errstate(all="ignore"):
            drawn = device.cells(MeanDraw(n))
            arrays = {name: taken(drawn[name], n, name) for name in law_arguments(type(device))}
        return {k: np.broadcast_to(a.reshape(-1) if a.size > 1 else a.reshape(()), (n,)) for k, a in arrays.items()}

    def _cells_one_by_one(self, values: np.ndarray) -> dict[str, np.ndarray]:
        n, s, _ = values.shape
        out = {name: np.full((n, s), np.nan, np.float32) for name in law_arguments(type(self.device))}
        for i in range(n):
            try:
                found = self._cells(values[i])
            except ConfigError:
                continue
            for name, array in found.items():
                out[name][i] = array
        return out

    def held(self, values: dict[str, float], width: float = 1e-4) -> Parameters:
        """Return the same parameters, some held at values by a narrow prior."""
        start, widths = self.start.copy(), self.width.copy()
        for name, value in values.items():
            k = self.names.index(name)
            given = np.full(len(self), value)
            start[k], widths[k] = self.coordinates(given)[k], width
        return dataclasses.replace(self, start=start, width=widths)


def parameters_of(device: Device, guesses: dict[str, float], fixed: Iterable[str] = ()) -> Parameters:
    """Return the free parameters of a device; `guesses` replace the start of fields by name."""
    own = [f.name for f in dataclasses.fields(device) if f.name not in COMMON and f.name not in set(fixed)]
    names, shared, sign, scale, start = [], [], [], [], []
    for name in own:
        held = getattr(device, name)
        is_spread = isinstance(held, Spread)
        if not is_spread and (isinstance(held, bool) or not isinstance(held, (float, tuple))):
            continue
        if not is_spread and name in device._tables():
            continue
        value = guesses.get(name, float(numbers(held.mean if is_spread else held)[0]))
        bound = not _may_be(device, name, -value if value else -1e-3, is_spread)
        if bound and value == 0:
            continue
        names.append(name)
        shared.append(not is_spread)
        sign.append(np.sign(value) if bound else 0.0)
        scale.append(abs(value) or 1.0)
        start.append(value)
    p = Parameters(
        device, tuple(names), np.array(shared, bool), np.array(sign), np.array(scale), np.zeros(len(names)),
        np.where(np.array(sign) != 0, LOG_WIDTH, WIDTH),
    )  # fmt: skip
    return dataclasses.replace(p, start=p.coordinates(np.array(start)))


COMMON = {f.name for f in dataclasses.fields(Device)}


def _may_be(device: Device, name: str, value: float, is_spread: bool) -> bool:
    try:
        changed: dict[str, Any] = {name: Spread(value) if is_spread else value}
        dataclasses.replace(device, **changed)
    except ConfigError:
        return False
    return True
