"""Axes of a sweep: which values a field goes through, listed, in steps, or sampled between two ends."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from mho.errors import ConfigError, nearest

Scale = Literal["linear", "log", "list"]
RANGE = ("from", "to", "points", "step", "scale")
DIGITS = 12
"""Significant digits of the values of a range, so that the third step of 0.1 is 0.3."""


@dataclass(frozen=True)
class Axis:
    """One axis: a field, or several that go in step, and their values.

    name: as it was written, "device.w_max, device.w_min" for two fields in step. listed: a tuple of values (one for
    each field) for every point, or None for a range from `start` to `stop`, both included, of `count` points
    (0: it can only be sampled).
    """

    name: str
    listed: tuple[tuple[Any, ...], ...] | None
    scale: Scale = "list"
    start: float = 0.0
    stop: float = 0.0
    count: int = 0

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields, as they were written."""
        return tuple(part.strip() for part in self.name.split(","))

    def values(self) -> list[tuple[Any, ...]]:
        """Return the values of a grid, in order, each as a tuple over the fields."""
        if self.listed is not None:
            return list(self.listed)
        last = max(1, self.count - 1)
        return [(self._between(k / last),) for k in range(self.count)]

    def at(self, share: float) -> tuple[Any, ...]:
        """Return the value at a share of the axis, from 0 to below 1: between the ends, or one of the list."""
        if self.listed is not None:
            return self.listed[int(share * len(self.listed))]
        return (self._between(share),)

    def _between(self, share: float) -> float:
        if share in (0.0, 1.0):  # the ends exactly
            return (self.start, self.stop)[int(share)]
        if self.scale == "log":
            value = math.exp(math.log(self.start) + share * (math.log(self.stop) - math.log(self.start)))
        else:
            value = self.start + share * (self.stop - self.start)
        return float(f"{value:.{DIGITS}g}")

    def written(self) -> Any:
        """Return the axis as a file states it."""
        if self.listed is not None:
            return [list(v) if len(self.fields) > 1 else v[0] for v in self.listed]
        points = {"points": self.count} if self.count else {}
        return {"from": self.start, "to": self.stop, **points, "scale": self.scale}


def read_axis(name: str, given: Any) -> Axis:
    """Return an axis from what a file says: a list of values, or {from, to, points or step, scale}.

    Raises ConfigError, also for an axis without values.
    """
    fields = [part.strip() for part in name.split(",")]
    if not all(fields) or len(set(fields)) < len(fields):
        raise ConfigError(f'{name!r} names no fields; write "device.dw_min", or "device.w_max, device.w_min" in step')
    if isinstance(given, Mapping):
        if len(fields) > 1:
            raise ConfigError(
                f"{name}: fields in step were given a range, but each needs its own values; give a list of lists, as "
                "[[0.6, -0.6], [0.8, -0.8]]"
            )
        return _range(name, given)
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise ConfigError(f"{name}: expected a list of values or {{ from, to, points }}, found {given!r}")
    if not given:
        raise ConfigError(f"{name}: the list of values is empty, so the grid has no points; give at least one value")
    if len(fields) > 1:
        wrong = [v for v in given if not isinstance(v, Sequence) or isinstance(v, str) or len(v) != len(fields)]
        if wrong:
            raise ConfigError(
                f"{name}: each value of {len(fields)} fields in step is a list of {len(fields)}, found {wrong[0]!r}"
            )
    values = tuple(tuple(v) if len(fields) > 1 else (v,) for v in given)
    if strange := [one for value in values for one in value if not _plain(one)]:
        if isinstance(strange[0], float):
            raise ConfigError(f"{name}: expected finite numbers, found {strange[0]!r}; take it out of the list")
        raise ConfigError(
            f"{name}: {strange[0]!r} cannot stand in a file; name it instead, as path/to/file.py:Class or device.toml"
        )
    if twice := _twice(values):
        raise ConfigError(
            f"{name}: {', '.join(map(str, twice))} stands twice in the list; for more chips of a point give more seeds"
        )
    return Axis(name, values)


def _twice(values: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Return the first value that is there twice, in a list; 1 and 1.0 are the same."""
    seen = set()
    for value in values:
        key = tuple(json.dumps(v) if isinstance(v, (bool, list, tuple, Mapping)) else v for v in value)
        if key in seen:
            return [value[0] if len(value) == 1 else list(value)]
        seen.add(key)
    return []


def _plain(value: Any) -> bool:
    """Return whether a value is one of TOML and JSON alike."""
    if isinstance(value, (list, tuple)):
        return all(map(_plain, value))
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _plain(inner) for key, inner in value.items())
    return isinstance(value, (str, int)) or (isinstance(value, float) and math.isfinite(value))


def _range(name: str, given: Mapping[str, Any]) -> Axis:
    if unknown := [f"{key!r} ({nearest(str(key), RANGE)})" for key in given if key not in RANGE]:
        raise ConfigError(f"{name}: a range has no {', '.join(unknown)}")
    start, stop = (_number(name, key, given.get(key)) for key in ("from", "to"))
    scale = given.get("scale", "linear")
    if scale not in ("linear", "log"):
        raise ConfigError(f"{name}: the scale of a range is linear or log, found {scale!r}")
    if scale == "log" and min(start, stop) <= 0:
        raise ConfigError(f"{name}: a log range needs two ends above 0, found {start:g} to {stop:g}; give scale linear")
    if "step" in given:
        if "points" in given or scale == "log":
            raise ConfigError(f"{name}: a step belongs to a linear range, without points; give points instead")
        stop, count = _stepped(name, start, stop, _number(name, "step", given["step"]))
    else:
        count = given.get("points", 0)
        least = 1 if start == stop else 2
        if "points" in given and (type(count) is not int or count < least):
            raise ConfigError(f"{name}: points must be a whole number of at least {least}, found {count!r}")
    return Axis(name, None, scale, start, stop, count)


def _stepped(name: str, start: float, stop: float, step: float) -> tuple[float, int]:
    """Return the last value of a range in steps, and how many values it has."""
    if step == 0 or (stop - start) / step < 0:
        raise ConfigError(f"{name}: steps of {step:g} do not lead from {start:g} to {stop:g}; give another step")
    steps = int((stop - start) / step + 1e-9)
    return float(f"{start + steps * step:.{DIGITS}g}"), steps + 1


def _number(name: str, key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ConfigError(f"{name}: {key} must be a finite number, found {value!r}; a range is {{ from, to, points }}")
    return float(value)


def samples(method: str, axes: int, points: int, seed: int) -> np.ndarray:
    """Return shares from 0 to below 1, (points, axes): independent ones, or a scrambled Sobol sequence."""
    if method == "random":
        return np.random.Generator(np.random.Philox(key=seed)).random((points, axes))
    from scipy.stats import qmc

    # A whole power of two, cut: scipy warns of any other number, and the first points are the same.
    sequence = qmc.Sobol(axes, scramble=True, seed=np.random.default_rng(seed))
    whole = sequence.random_base2(max(0, (points - 1).bit_length()))
    return np.minimum(whole[:points], np.nextafter(1.0, 0.0))
