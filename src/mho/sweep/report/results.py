"""What a sweep's table says, point by point: values along its axes, penalties of its chips, what went wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import isfinite, prod, sqrt
from statistics import fmean
from typing import TYPE_CHECKING, Any

from mho.sweep.crossing import logarithmic
from mho.sweep.report.confidence import half_widths
from mho.sweep.table import BASELINE, DONE, OF_THE_DEVICE, worst

if TYPE_CHECKING:
    from mho.sweep.table import SweepTable

Value = float | int | str
LISTED = 20
"""Values up to which an axis may be logarithmic by itself: of more, the sweep file says so."""
SCATTERED = 2
"""Combinations of the values found, over points, from which on a grid counts as sampled rather than multiplied out."""


@dataclass(frozen=True)
class Axis:
    """One axis of a grid: the name it is shown by, its field (or several in step), its different values in order."""

    name: str
    paths: tuple[str, ...]
    values: tuple[Value, ...]
    log: bool

    @cached_property
    def numeric(self) -> bool:
        """Whether its values are numbers."""
        return not any(isinstance(v, str) for v in self.values)

    @cached_property
    def numbers(self) -> list[float]:
        """Its values as numbers: those of a name are its places."""
        return [float(v) if self.numeric else float(k) for k, v in enumerate(self.values)]

    @cached_property
    def place(self) -> dict[Value, float]:
        """The number of each value."""
        return dict(zip(self.values, self.numbers, strict=True))


@dataclass(frozen=True)
class Point:
    """One combination of values, with what its chips reached.

    penalty, accuracy: of the chips that have one. status: the worst of its chips. reason: why, or "". half: half the
    confidence interval of the mean penalty, NaN where it is not known.
    """

    number: int
    values: tuple[Value, ...]
    penalty: tuple[float, ...]
    accuracy: tuple[float, ...]
    status: str = DONE
    reason: str = ""
    halved: bool = False
    half: float = float("nan")

    @cached_property
    def mean(self) -> float:
        """Mean penalty in points of test accuracy; NaN where no chip has one, or where one ruled the point out."""
        return fmean(self.penalty) if self.penalty and self.status not in OF_THE_DEVICE else float("nan")

    @cached_property
    def std(self) -> float:
        """Standard deviation of the penalty over chips, n - 1 below the root; 0 for fewer than two.

        In floats: the exact fractions of `statistics` would take seconds for thousands of points.
        """
        n = len(self.penalty)
        mean = fmean(self.penalty) if n else 0.0
        return sqrt(sum((v - mean) ** 2 for v in self.penalty) / (n - 1)) if n > 1 else 0.0

    @property
    def excluded(self) -> bool:
        """Whether a chip diverged or could not be: such a point is never acceptable."""
        return self.status in OF_THE_DEVICE


@dataclass(frozen=True)
class Grid:
    """The points of one [[grid]] of a sweep; `sampled` where the sweep file asks for random points or Sobol's."""

    name: str
    axes: tuple[Axis, ...]
    points: tuple[Point, ...]
    sampled: bool = False

    @property
    def scattered(self) -> bool:
        """Whether its points are samples, so that they do not stand in rows and columns."""
        rows = prod(len(a.values) for a in self.axes)
        return len(self.axes) > 1 and (self.sampled or rows > SCATTERED * len(self.points))


@dataclass(frozen=True)
class Results:
    """All grids of a sweep, and what their penalties are counted from.

    baseline: test accuracy of every chip of the baseline in percent; a number where the sweep states one. planned: how
    many points there are to be, None where that is not known.
    """

    title: str
    threshold: float
    baseline: tuple[float, ...]
    grids: tuple[Grid, ...]
    about: Mapping[str, Any] = field(default_factory=dict)
    planned: int | None = None

    @property
    def scale(self) -> tuple[float, float, float, float]:
        """Penalties at which colours and axes are marked: one threshold below it, the threshold, one and two above.

        Of a threshold of 0.3 they are 0, 0.3, 0.6 and 0.9; of 0, with points for thresholds, -1, 0, 1 and 2.
        """
        step = abs(self.threshold) or 1.0
        return self.threshold - step, self.threshold, self.threshold + step, self.threshold + 2 * step

    @property
    def points(self) -> list[Point]:
        """The points of all grids."""
        return [point for grid in self.grids for point in grid.points]

    @property
    def failed(self) -> list[Point]:
        """The points with a chip that failed, whatever that says of the device."""
        return [point for point in self.points if point.status != DONE]


def read_results(table: SweepTable, planned: int | None = None) -> Results:
    """Return the points of a sweep's table, grid by grid."""
    about = table.about
    chosen: dict[str, list[int]] = {}
    for row, point in enumerate(table.rows["point"]):
        if point != BASELINE:
            chosen.setdefault(table.rows["grid"][row], []).append(row)
    told = about.get("baseline") or {}
    found = told.get("values") or [told.get("mean")]
    known = tuple(float(v) for v in found if v is not None and isfinite(v))
    threshold = float(about.get("threshold", 0.0))
    grids = tuple(_measured(_grid(name, rows, table), threshold, known) for name, rows in chosen.items())
    return Results(str(about.get("title") or "sweep"), threshold, known, grids, about, planned)


def _measured(grid: Grid, threshold: float, baseline: Sequence[float]) -> Grid:
    """Return a grid whose points know how well their penalty is known."""
    within = [p.mean <= threshold for p in grid.points]
    halves = half_widths([len(p.penalty) for p in grid.points], [p.std for p in grid.points], within, baseline)
    return replace(grid, points=tuple(replace(p, half=h) for p, h in zip(grid.points, halves, strict=True)))


def _grid(name: str, rows: Sequence[int], table: SweepTable) -> Grid:
    told = [axis for axis in table.about.get("axes", ()) if axis.get("grid") == name]
    names = short_names([axis["paths"][0] for axis in told])
    axes = tuple(_axis(label, axis, table.rows, rows) for label, axis in zip(names, told, strict=True))
    of_point: dict[int, list[int]] = {}
    for row in rows:
        of_point.setdefault(table.rows["point"][row], []).append(row)
    columns = [table.rows[axis.paths[0]] for axis in axes]
    points = (_point(number, own, table.rows, columns) for number, own in sorted(of_point.items()))
    sampled = any(axis.get("method", "grid") != "grid" for axis in told)
    return Grid(name, axes, tuple(points), sampled)


def short_names(paths: Sequence[str]) -> list[str]:
    """Return for each path its shortest ending of whole words that no other has: dw_min, or dw_min.d2d."""

    def short(path: str) -> str:
        words = path.split(".")
        ends = [".".join(words[-n:]) for n in range(1, len(words) + 1)]
        start = 1 if words[-1] in ("d2d", "std", "mean") and len(words) > 1 else 0  # of what, says the word before
        own = [e for e in ends[start:] if sum(p == e or p.endswith("." + e) for p in paths) == 1]
        return own[0] if own else path

    return [short(path) for path in paths]


def _axis(label: str, told: Mapping[str, Any], rows: Mapping[str, list[Any]], chosen: Iterable[int]) -> Axis:
    paths = tuple(told["paths"])
    column = rows[paths[0]]
    found = {column[row] for row in chosen} - {None}
    values = tuple(found) if any(isinstance(v, str) for v in found) else tuple(sorted(found))
    if values and isinstance(values[0], str):  # in the order of the sweep file
        order = [str(v) for v in told.get("values") or ()]
        values = tuple(sorted(values, key=lambda v: (order.index(v) if v in order else len(order), v)))
    numeric = bool(values) and not isinstance(values[0], str)
    listed = len(values) <= LISTED and logarithmic(values) if numeric else False
    log = numeric and min(values) > 0 and (told.get("scale") == "log" or listed)
    return Axis(label if len(paths) == 1 else f"{label} (in step)", paths, values, log)


def _point(number: int, own: Sequence[int], rows: Mapping[str, list[Any]], columns: Sequence[list[Any]]) -> Point:
    def known(name: str) -> tuple[float, ...]:
        return tuple(rows[name][r] for r in own if rows[name][r] is not None and isfinite(rows[name][r]))

    speaks, failed = worst(rows, own), sum(rows["status"][r] != DONE for r in own)
    status, reason = rows["status"][speaks], (rows["reason"][speaks] or "") if failed else ""
    if 0 < failed < len(own):
        reason = f"{failed} of {len(own)} chips: {reason}"
    return Point(
        number, tuple(column[own[0]] for column in columns), known("penalty"), known("test_accuracy"), status, reason,
        any(bool(rows["halved"][r]) for r in own),
    )  # fmt: skip
