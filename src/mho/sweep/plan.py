"""The plan of a sweep: its points and packs, fixed before the first run and for ever."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product
from typing import Any

from mho.config import RunConfig, dump
from mho.errors import ConfigError
from mho.random import WORDS
from mho.sweep.axes import Axis, samples
from mho.sweep.baseline import Baselines, reaches, start_of
from mho.sweep.fields import Field, base, fields_of
from mho.sweep.layers import LayerNames
from mho.sweep.packs import Pack, Packer
from mho.sweep.settings import Grid, Sweep

MOST = 1_000_000
"""Points beyond which a sweep must be asked for twice."""
BASELINE_GRID = "baseline"
Axes = Sequence[tuple[Axis, tuple[Field, ...]]]


@dataclass(frozen=True)
class Plan:
    """What a sweep computes.

    start: the configuration without swept fields. axes: of every grid, with fields. grids, values: of every point the
    name of its grid, and a value for every one of `fields`, None where it is not swept there. packs: what shares a run;
    baselines, whose numbers are below 0, have packs of their own, before those of the points that first need them.
    refused: why a point cannot be, by its number. threads: of every task; roundings may depend on it, so it is fixed,
    too. search: whether points are asked for one batch after another, instead of those of the grids.
    """

    sweep: Sweep
    start: RunConfig
    axes: tuple[Axes, ...]
    threads: int
    search: bool = False
    grids: tuple[str, ...] = ()
    values: tuple[tuple[Any, ...], ...] = ()
    packs: tuple[Pack, ...] = ()
    refused: dict[int, str] = field(default_factory=dict)

    @cached_property
    def fields(self) -> dict[str, Field]:
        """The swept fields by path, in the order of the axes."""
        return {f.path: f for axes in self.axes for _, fields in axes for f in fields}

    @cached_property
    def packer(self) -> Packer:
        """What packs points of this sweep."""
        fields = list(self.fields.values())
        return Packer(self.start, fields, seeds=self.sweep.seeds, max_chips=self.sweep.max_chips)

    @cached_property
    def layer_names(self) -> LayerNames:
        """What knows the layers of the networks of this sweep."""
        return LayerNames(self.start, self.fields.values())

    @cached_property
    def baselines(self) -> Baselines | None:
        """The baselines that its points are counted from, None where that is a number."""
        if not isinstance(self.sweep.baseline, str):
            return None
        points = (n for n in range(len(self.values)) if n not in self.refused)
        return Baselines(self.start, self.fields.values(), ((n, self.point(n)) for n in points))

    @cached_property
    def baseline_packer(self) -> Packer:
        """What packs baselines of this sweep."""
        fields = [field for field in self.fields.values() if reaches(field)]
        start = start_of(self.sweep, self.start)
        return Packer(start, fields, seeds=self.sweep.seeds, max_chips=self.sweep.max_chips)

    def point(self, number: int) -> dict[str, Any]:
        """Return the values of a point, or of a baseline, by path."""
        if number < 0:
            assert self.baselines is not None
            return self.baselines.values[number]
        return {p: v for p, v in zip(self.fields, self.values[number], strict=True) if v is not None}

    def chips(self, point: int) -> range:
        """Return the numbers of the chips of a point: its own, those of a baseline the same as its first point's."""
        if point < 0:
            assert self.baselines is not None
            point = self.baselines.first[point]
        first = point * self.sweep.seeds
        return range(first, first + self.sweep.seeds)

    def with_points(self, grid: str, points: Sequence[Mapping[str, Any]]) -> Plan:
        """Return the plan with more points, by path, behind those that it has, in packs of their own.

        Their baselines, where there are new ones, are packed before them. Raises ConfigError when chips run out, and
        for a baseline that cannot be; points that cannot be are in `refused`.
        """
        first, paths = len(self.values), tuple(self.fields)
        if (first + len(points)) * self.sweep.seeds > WORDS:
            raise ConfigError(
                f"{first + len(points)} points of {self.sweep.seeds} chips need more chips than the {WORDS} that can "
                "be told apart; give fewer points"
            )
        lost = {first + k: why for k, values in enumerate(points) if (why := self.layer_names.why(values))}
        found = self.packer.pack({first + k: v for k, v in enumerate(points) if first + k not in lost})
        refused = dict(sorted({**lost, **found.refused}.items()))
        more = replace(
            self, grids=(*self.grids, *[grid] * len(points)), refused={**self.refused, **refused},
            values=(*self.values, *(tuple(v.get(p) for p in paths) for v in points)),
        )  # fmt: skip
        numbered = enumerate((*more.packed_baselines(), *found.packs), len(self.packs))
        return replace(more, packs=(*self.packs, *(Pack(number, one) for number, one in numbered)))

    def packed_baselines(self) -> tuple[tuple[int, ...], ...]:
        """Return the baselines that no pack holds yet, packed."""
        if self.baselines is None:
            return ()
        there = {number for pack in self.packs for number in pack.points}
        found = self.baseline_packer.pack({n: v for n, v in self.baselines.values.items() if n not in there})
        for number, why in found.refused.items():
            raise ConfigError(
                f'point {self.baselines.first[number]} has no baseline "{self.sweep.baseline}": {why}; give the '
                "baseline as a test accuracy: baseline = 98.0"
            )
        return found.packs

    def task(self, pack: Pack, points: Sequence[int] | None = None) -> dict[str, Any]:
        """Return what a worker is given to compute a pack, or some points of it: plain values only."""
        points = pack.points if points is None else points
        packer = self.baseline_packer if pack.of_baselines else self.packer
        # Filled as the whole pack is, so that a part of it is a part of the same run.
        filled = dict(zip(pack.points, packer.filled([self.point(n) for n in pack.points]), strict=True))
        return {
            "pack": pack.number,
            "config": dump(packer.start),
            "points": [{"point": n, "chips": list(self.chips(n)), **filled[n]} for n in points],
            "threads": self.threads,
        }


def plan(sweep: Sweep, *, yes: bool = False, threads: int | None = None) -> Plan:
    """Return the plan of a sweep, without computing anything.

    yes: also more than a million points. threads: of a task where the settings say none; default: torch's own number.
    Raises ConfigError for fields that do not exist, values that they cannot take, and sweeps of too many points.
    """
    if sweep.count > MOST and not yes:
        raise ConfigError(
            f"this sweep has {sweep.count:,} points of {sweep.seeds} chips each, which is most likely not meant; give "
            'fewer points, method = "sobol" with points = ..., or --yes if it is'
        )
    if bare := [name for grid in sweep.grids if grid.method == "grid" for name in grid.bare]:
        raise ConfigError(
            f'{", ".join(bare)}: the range says neither points nor step; give one, method = "sobol" with points, or '
            "--search, which needs neither"
        )
    made = begun(sweep, base(sweep), threads)
    groups = [(grid.name, _points(grid, axes)) for grid, axes in zip(sweep.grids, made.axes, strict=True)]
    made = _all(made, groups)
    if len(made.refused) == len(made.values):
        raise ConfigError(
            f"none of the {len(made.values)} points of this sweep can be: {made.refused[0]}; change the values of its "
            "axes, or its settings"
        )
    return made


def begun(sweep: Sweep, start: RunConfig, threads: int | None = None, *, search: bool = False) -> Plan:
    """Return a plan without points."""
    import torch

    axes = tuple(tuple(one) for one in fields_of(sweep, start))
    own = start.threads or threads or torch.get_num_threads()
    return Plan(sweep, start, axes, own, search)


def _all(made: Plan, groups: list[tuple[str, list[dict[str, Any]]]]) -> Plan:
    """Return a plan with the points of all grids, packed together."""
    names = tuple(name for name, points in groups for _ in points)
    every = made.with_points("", [values for _, points in groups for values in points])
    return replace(every, grids=names)


def _points(grid: Grid, axes: Axes) -> list[dict[str, Any]]:
    """Return the points of a grid by path, the last axis fastest."""
    if grid.method == "grid":
        values: Iterator[tuple[Any, ...]] = product(*(_values(axis, fields) for axis, fields in axes))
    else:
        shares = samples(grid.method, len(axes), grid.points or 0, grid.seed)
        values = (tuple(_at(axis, fields, u) for (axis, fields), u in zip(axes, row, strict=True)) for row in shares)
    paths = [field.path for _, fields in axes for field in fields]
    return [dict(zip(paths, (v for one in point for v in one), strict=True)) for point in values]


def _values(axis: Axis, fields: tuple[Field, ...]) -> list[tuple[Any, ...]]:
    found = axis.values()
    if axis.listed is None and fields[0].whole:
        return list(dict.fromkeys((round(value),) for (value,) in found))
    return found


def _at(axis: Axis, fields: tuple[Field, ...], share: float) -> tuple[Any, ...]:
    value = axis.at(float(share))
    return (round(value[0]),) if axis.listed is None and fields[0].whole else value
