"""What a sweep's table says, point by point: values along its axes, penalties of its chips, what went wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import inf, isfinite, prod, sqrt
from statistics import fmean
from typing import TYPE_CHECKING, Any

from mho.sweep.crossing import logarithmic
from mho.sweep.report.confidence import half_widths
from mho.sweep.table import DONE, OF_THE_DEVICE, plain, worst

if TYPE_CHECKING:
    from mho.sweep.table import SweepTable

Value = float | int | str
LISTED = 20
"""Values up to which an axis may be logarithmic by itself: of more, the sweep file says so."""
SCATTERED = 2
"""Combinations of the values found, over points, from which on a grid counts as sampled rather than multiplied out."""


@dataclass(frozen=True)
class Axis:
    """One axis of a grid: the name it is shown by, its field (or several in step), its different values in order.

    Numbers ascend. Texts, among them lists and tables as JSON, have the order of the sweep file; nothing lies between
    them.
    """

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
    confidence interval of the mean penalty, NaN where it is not known. baseline: test accuracies that the penalty is
    counted from.
    """

    number: int
    values: tuple[Value, ...]
    penalty: tuple[float, ...]
    accuracy: tuple[float, ...]
    status: str = DONE
    reason: str = ""
    halved: bool = False
    half: float = float("nan")
    baseline: tuple[float, ...] = ()

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

    @cached_property
    def interval(self) -> tuple[float, float]:
        """The confidence interval of the mean penalty, cut to test accuracies from 0 to 100 %; NaN if unknown."""
        low, high = self.mean - self.half, self.mean + self.half
        if not self.baseline:
            return low, high
        best = fmean(self.baseline)
        return max(low, best - 100.0), min(high, best)


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

    baseline: test accuracy of every chip of the baseline in percent; a number where the sweep states one, nothing where
    there are several. several: those, each with the
    values by path that it is for. planned: how many points there are to be,
    None where that is not known.
    """

    title: str
    threshold: float
    baseline: tuple[float, ...]
    grids: tuple[Grid, ...]
    about: Mapping[str, Any] = field(default_factory=dict)
    planned: int | None = None
    several: tuple[tuple[Mapping[str, Any], tuple[float, ...]], ...] = ()

    @property
    def warning(self) -> str:
        """What must be known before anything here is believed, as that the baseline has not learned; or ""."""
        return str(self.about.get("warning") or "")

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


def read_results(table: SweepTable, planned: int | None = None, *, threshold: float | None = None) -> Results:
    """Return the points of a sweep's table, grid by grid; `threshold`: another than the sweep file states."""
    about = table.about
    chosen: dict[str, list[int]] = {}
    for row, point in enumerate(table.rows["point"]):
        if point >= 0:
            chosen.setdefault(table.rows["grid"][row], []).append(row)
    told = about.get("baseline") or {}
    several = tuple((one["where"], _accuracies(one)) for one in told.get("each") or ())
    known = _accuracies(told)
    limit = float(about.get("threshold", 0.0)) if threshold is None else threshold
    counted = [values for _, values in several] or [known]
    grids = tuple(_measured(_grid(name, rows, table, counted), limit) for name, rows in chosen.items())
    return Results(str(about.get("title") or "sweep"), limit, known, grids, about, planned, several)


def _accuracies(told: Mapping[str, Any]) -> tuple[float, ...]:
    found = told.get("values") or [told.get("mean")]
    return tuple(float(v) for v in found if v is not None and isfinite(v))


def _measured(grid: Grid, threshold: float) -> Grid:
    """Return a grid whose points know how well their penalty is known."""
    points = grid.points
    chips, within = [len(p.penalty) for p in points], [p.mean <= threshold for p in points]
    halves = half_widths(chips, [p.std for p in points], within, [p.baseline for p in points])
    return replace(grid, points=tuple(replace(p, half=h) for p, h in zip(points, halves, strict=True)))


def _grid(name: str, rows: Sequence[int], table: SweepTable, baselines: Sequence[tuple[float, ...]]) -> Grid:
    told = [axis for axis in table.about.get("axes", ()) if axis.get("grid") == name]
    paths = list(dict.fromkeys(path for axis in table.about.get("axes", ()) for path in axis["paths"]))
    names = dict(zip(paths, short_names(paths), strict=True))  # the same in all grids
    axes = tuple(_axis(names, axis, table.rows, rows) for axis in told)
    of_point: dict[int, list[int]] = {}
    for row in rows:
        of_point.setdefault(table.rows["point"][row], []).append(row)
    columns = [table.rows[axis.paths[0]] for axis in axes]
    means = [fmean(values) if values else float("nan") for values in baselines]
    found = (_point(number, own, table.rows, columns) for number, own in sorted(of_point.items()))
    points = (replace(p, baseline=baselines[_nearest(means, p)]) for p in found)
    sampled = any(axis.get("method", "grid") != "grid" for axis in told)
    return Grid(name, axes, tuple(points), sampled)


def _nearest(means: Sequence[float], point: Point) -> int:
    """Return which baseline a point's penalties are counted from: penalty and accuracy add up to its mean."""
    if len(means) == 1 or not point.penalty or not point.accuracy:
        return 0
    whole = point.penalty[0] + point.accuracy[0]
    return min(range(len(means)), key=lambda k: abs(means[k] - whole) if isfinite(means[k]) else inf)


def short_names(paths: Sequence[str]) -> list[str]:
    """Return for each path its shortest ending of whole words that no other has: dw_min, or dw_min.d2d."""

    def short(path: str) -> str:
        words = path.split(".")
        ends = [".".join(words[-n:]) for n in range(1, len(words) + 1)]
        start = 1 if words[-1] in ("d2d", "std", "mean") and len(words) > 1 else 0  # of what, says the word before
        own = [e for e in ends[start:] if sum(p == e or p.endswith("." + e) for p in paths) == 1]
        return own[0] if own else path

    return [short(path) for path in paths]


def _axis(
    names: Mapping[str, str], told: Mapping[str, Any], rows: Mapping[str, list[Any]], chosen: Iterable[int]
) -> Axis:
    paths = tuple(told["paths"])
    column = rows[paths[0]]
    found = {column[row] for row in chosen} - {None}
    numeric = bool(found) and not any(isinstance(v, str) for v in found)
    if numeric:
        values = tuple(sorted(found))
    else:
        order = {plain(v, "string"): n for n, v in enumerate(told.get("values") or ())}
        values = tuple(sorted(found, key=lambda v: (order.get(v, len(order)), v)))
    listed = len(values) <= LISTED and logarithmic(values) if numeric else False
    log = numeric and min(values) > 0 and (told.get("scale") == "log" or listed)
    label, *others = (names[path] for path in paths)
    return Axis(f"{label} ({', '.join(others)} in step)" if others else label, paths, values, log)


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
