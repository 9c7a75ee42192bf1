"""The space of a search: the axes of a sweep's grid as Optuna's distributions, and points there and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mho.errors import ConfigError
from mho.sweep.axes import DIGITS, Axis
from mho.sweep.fields import Field
from mho.sweep.plan import Axes

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

Choice = str | int | float | bool


@dataclass(frozen=True)
class Space:
    """Where a search may go: all of a range, its logarithm where it has one, and the values of a list."""

    axes: Axes

    @property
    def paths(self) -> list[str]:
        """The paths of the fields."""
        return [field.path for _, fields in self.axes for field in fields]

    def distributions(self) -> dict[str, BaseDistribution]:
        """Return Optuna's distribution of every axis by its name."""
        return {axis.name: _distribution(axis, fields) for axis, fields in self.axes}

    def values(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of a point by path, from what Optuna chose; those of a range have DIGITS digits."""
        found: dict[str, Any] = {}
        for axis, fields in self.axes:
            chosen = parameters[axis.name]
            if axis.listed is not None:
                at = choices(axis).index(chosen)
                own: tuple[Any, ...] = axis.listed[at]
            else:
                own = (chosen if fields[0].whole else _within(axis, float(f"{chosen:.{DIGITS}g}")),)
            found |= {field.path: value for field, value in zip(fields, own, strict=True)}
        return found

    def parameters(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return what Optuna would have chosen for the values of a point."""
        found: dict[str, Any] = {}
        for axis, fields in self.axes:
            own = [values[field.path] for field in fields]
            found[axis.name] = own[0] if axis.listed is None else choices(axis)[axis.listed.index(tuple(own))]
        return found

    def ends(self) -> list[dict[str, Any]]:
        """Return the points at the first ends of all axes, in the middle, and at the last ends."""
        return [
            {
                field.path: value
                for axis, fields in self.axes
                for field, value in zip(fields, _part(axis, share), strict=True)
            }
            for share in (0.0, 0.5, 1.0)
        ]

    def check_numbers(self, paths: tuple[str, ...]) -> None:
        """Raise ConfigError where one of these fields goes through values that are no numbers."""
        for axis, fields in self.axes:
            for k, field in enumerate(fields):
                strange = [
                    v[k] for v in axis.listed or () if isinstance(v[k], bool) or not isinstance(v[k], (int, float))
                ]
                if field.path in paths and strange:
                    raise ConfigError(
                        f"search.cost names {field.path}, which goes through {strange[0]!r}, and that is no number; "
                        "leave it out of the cost"
                    )


def _part(axis: Axis, share: float) -> tuple[Any, ...]:
    if axis.listed is not None:
        return axis.listed[min(int(share * len(axis.listed)), len(axis.listed) - 1)]
    return axis.at(share)


def choices(axis: Axis) -> list[Choice]:
    """Return the values of a list as Optuna keeps them: numbers and texts as they are, all else as JSON."""
    listed = axis.listed or ()
    plain = [v[0] if len(v) == 1 else list(v) for v in listed]
    return [v if isinstance(v, (str, int, float)) else json.dumps(v) for v in plain]


def _distribution(axis: Axis, fields: tuple[Field, ...]) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if axis.listed is not None:
        return CategoricalDistribution(list(dict.fromkeys(choices(axis))))
    low, high = sorted((axis.start, axis.stop))
    if fields[0].whole:
        return IntDistribution(round(low), round(high), log=axis.scale == "log")
    return FloatDistribution(low, high, log=axis.scale == "log")


def _within(axis: Axis, value: float) -> float:
    low, high = sorted((axis.start, axis.stop))
    return min(max(value, low), high)
