"""What a sweep is asked to do: `Sweep(...)`, or the same in a file, which `mho.sweep.sweep_file` reads."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mho.errors import ConfigError, nearest
from mho.sweep.axes import Axis, read_axis
from mho.sweep.search.settings import read_search

DIGITAL, START = "digital", "start"
METHODS = ("grid", "random", "sobol")


@dataclass(frozen=True)
class Grid:
    """Points over some axes: all combinations, or `points` samples of them.

    axes: {field: values}, where values are a list or {"from", "to", "points", "scale"}; kept as `Axis` objects.
    seed: of the samples.
    """

    axes: tuple[Axis, ...]
    name: str = ""
    method: Literal["grid", "random", "sobol"] = "grid"
    points: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        given: Any = self.axes
        axes = tuple(read_axis(k, v) for k, v in given.items()) if isinstance(given, Mapping) else tuple(given)
        object.__setattr__(self, "axes", axes)
        object.__setattr__(self, "name", self.name or " x ".join(axis.name.rpartition(".")[2] for axis in axes))
        if not axes:
            raise ConfigError(f"grid {self.name!r} has no axes; give one under [grid.axes]: dw_min = [0.001, 0.002]")
        if self.method not in METHODS:
            raise ConfigError(f"there is no method {self.method!r}; {nearest(str(self.method), METHODS)}")
        twice = sorted({f for axis in axes for f in axis.fields if sum(f in a.fields for a in axes) > 1})
        if twice:
            raise ConfigError(f"grid {self.name!r} has two axes for {', '.join(twice)}; keep one")
        self._check_points()

    def _check_points(self) -> None:
        if self.method == "grid":
            if self.points is not None:
                raise ConfigError(f"grid {self.name!r}: points belong to a method, random or sobol; found method grid")
        elif type(self.points) is not int or self.points < 1:
            raise ConfigError(
                f'grid {self.name!r}: method "{self.method}" needs points, a whole number of at least 1, found '
                f"{self.points!r}"
            )
        if not (type(self.seed) is int and 0 <= self.seed < 2**64):
            raise ConfigError(f"grid {self.name!r}: seed must be from 0 to 2^64 - 1, found {self.seed!r}")

    @property
    def bare(self) -> tuple[str, ...]:
        """Ranges that say neither points nor step: they can be sampled, or searched."""
        return tuple(axis.name for axis in self.axes if axis.listed is None and not axis.count)

    @property
    def count(self) -> int:
        """How many points there are, without making them."""
        if self.points is not None:
            return self.points
        return math.prod(axis.count if axis.listed is None else len(axis.listed) for axis in self.axes)


@dataclass(frozen=True)
class Sweep:
    """A sweep, complete.

    grids: of points; all share one table. settings: of every run, as for --set. preset or config: what they start from,
    a name or the path of a TOML file. seeds: chips of every point. max_chips: of one run. baseline: what the penalty
    is counted from: "digital", "start", or a test accuracy in percent. threshold: acceptable penalty in points of test
    accuracy. search: the table [search], for --search.
    Raises ConfigError.
    """

    grids: tuple[Grid, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    preset: str = ""
    config: str = ""
    seeds: int = 3
    max_chips: int = 64
    baseline: str | float = DIGITAL
    threshold: float = 0.3
    search: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "grids", tuple(self.grids))
        if not self.grids:
            raise ConfigError("a sweep without a grid has no points; give one: [[grid]] with axes")
        names = [grid.name for grid in self.grids]
        if twice := sorted({name for name in names if names.count(name) > 1 or name == "baseline"}):
            raise ConfigError(f"grids need different names, none of them baseline, found {', '.join(twice)}")
        if self.preset and self.config:
            raise ConfigError("a sweep starts from a preset or from a config, found both; keep one")
        for key in ("seeds", "max_chips"):
            if type(getattr(self, key)) is not int or getattr(self, key) < 1:
                raise ConfigError(f"{key} must be a whole number of at least 1, found {getattr(self, key)!r}")
        if self.seeds > self.max_chips:
            raise ConfigError(
                f"the {self.seeds} chips of a point need max_chips of at least that, not {self.max_chips}"
            )
        if not _finite(self.baseline) and self.baseline not in (DIGITAL, START):
            raise ConfigError(f'baseline must be "digital", "start" or a test accuracy, found {self.baseline!r}')
        if not isinstance(self.baseline, str) and not 0 <= self.baseline <= 100:
            raise ConfigError(
                f"a baseline that is a test accuracy is one in percent, from 0 to 100, found {self.baseline!r}; give "
                'baseline = "digital" to have it computed'
            )
        if not _finite(self.threshold) or self.threshold < 0:
            raise ConfigError(
                f"threshold must be a number of points of test accuracy, at least 0, found {self.threshold!r}; it is "
                "how far below the baseline a point may be"
            )
        if self.search:
            read_search(self.search)
        if chips := [key for key in self.settings if key.rpartition(".")[2] == "chips"]:
            raise ConfigError(f"{chips[0]}: the chips of a sweep are its points; say with seeds how many each has")

    @property
    def count(self) -> int:
        """How many points there are, without making them."""
        return sum(grid.count for grid in self.grids)


def _finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
