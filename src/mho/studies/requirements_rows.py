"""What the sweeps of the study requirements say, as rows: every point, the tolerances, the borders of maps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from mho.studies.bench import Row
from mho.studies.rows import POINTS
from mho.sweep.report.requirements import ACCEPTABLE, Requirement, border, requirements, share_acceptable
from mho.sweep.report.results import Axis, Grid, Point, Results, Value
from mho.sweep.report.text import value_text

TOLERANCES = {
    "alone": "every property by itself, all others ideal",
    "beside": "every property by itself, all others as the preset gokmen-vlasov-2016 states them",
}
THRESHOLD = "acceptable penalty"
TOLERANCE, LAST, SHARE = "tolerated", "tolerated still, the last value tried", "% of the map"
OPEN = "the last value tried, not resolved"


def tolerance(name: str, start: str) -> str:
    """Return the name of the row of a property's tolerance."""
    return f"tolerance of {name}, {start}"


def line_rows(results: Results, start: str) -> list[Row]:
    """Return the rows of single properties: their tolerances, and without a place in tables all points."""
    base = f"baseline, {start}"
    group = "tolerances"  # of both starts, so that there is one table of them
    rows = [
        Row(base, results.baseline, about=TOLERANCES[start], group=group),
        Row(f"{THRESHOLD}, {start}", (results.threshold,), POINTS, group=group),
    ]
    for grid, found in zip(results.grids, requirements(results), strict=True):
        rows.append(_tolerance(grid, found, start, group))
        for point in grid.points:
            if point.accuracy:
                at = float(point.values[0])
                rows.append(Row(f"{grid.name} = {at:g}, {start}", point.accuracy, baseline=base, shown=False,
                                group=f"points, {start}", line=start, axis=grid.name, at=at))  # fmt: skip
    return rows


def _tolerance(grid: Grid, found: Requirement, start: str, group: str) -> Row:
    """Return a tolerance; where all values are or may be acceptable, the last; where none is, the smallest penalty."""
    name, text = tolerance(grid.name, start), found.text + (f"; {found.note}" if found.note else "")
    if found.limits:
        return Row(name, (_limit(found),), TOLERANCE, text, group=group)
    if found.ranges:
        unit, text = (LAST, f"all values are acceptable: {text}") if found.state == ACCEPTABLE else (OPEN, text)
        return Row(name, (found.ranges[0].last,), unit, text, group=group)
    return Row(name, (min(point.mean for point in grid.points),), POINTS, text, group=group)


def _limit(found: Requirement) -> float:
    """Return where the widest acceptable range ends, upwards if it does."""
    widest = found.ranges[0]
    limit = widest.high or widest.low
    return found.limits[0].value if limit is None else limit.value


def map_rows(results: Results, level: float) -> list[Row]:
    """Return the rows of a map: how much of it is acceptable, how much, and what, loses at most `level` points.

    Beside them, without a place in tables, all points.
    """
    (grid,) = results.grids
    wide = replace(results, threshold=level)
    base = f"{grid.name}: floating point"
    rows = [
        Row(base, results.baseline, group=grid.name),
        Row(f"{THRESHOLD}, {grid.name}", (level,), POINTS, group=grid.name, shown=False),
        *(
            Row(
                f"{grid.name}: at most {one.threshold:g} points lost",
                (100 * share_acceptable(one, grid.points),),
                SHARE,
                group=grid.name,
            )
            for one in (results, wide)
        ),
        *_border(wide, grid),
    ]
    first, second = grid.axes
    return rows + [_point(grid.name, base, (first, second), point) for point in grid.points if point.accuracy]


def _border(results: Results, grid: Grid) -> Iterator[Row]:
    """Yield how far the first property may go at every value of the second."""
    for found in border(results, grid):
        if found.axis is grid.axes[0] and found.limits:
            beside = " and ".join(f"{axis.name} = {value_text(value, axis.name)}" for axis, value in found.beside)
            case = f"{grid.name}: {found.axis.name} at {beside}"
            yield Row(case, (_limit(found),), TOLERANCE, found.text, group=grid.name)


def _point(name: str, base: str, axes: tuple[Axis, Axis], point: Point) -> Row:
    across, up = axes
    first, second = (float(value) for value in point.values)
    case = f"{name}: {across.name} = {first:g}, {up.name} = {second:g}"
    return Row(case, point.accuracy, baseline=base, group=name, line=line_of(up, second), axis=across.name, at=first,
               shown=False)  # fmt: skip


def line_of(axis: Axis, value: Value) -> str:
    """Return the name of the line of a map that has this value."""
    return f"{axis.name} = {value:g}"


def value_of(line: str) -> tuple[str, float]:
    """Return the axis and the value of a line of a map."""
    name, _, value = line.rpartition(" = ")
    return name, float(value)


def threshold_of(rows: Sequence[Row]) -> float:
    """Return the acceptable penalty of some rows."""
    return next(row.mean for row in rows if row.case.startswith(THRESHOLD))
