"""The requirement sheet: what every setting must reach, alone and beside another one (the border of a map)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite

from mho.sweep.report.limits import Limit, Line, Range, acceptable
from mho.sweep.report.results import Axis, Grid, Point, Results, Value
from mho.sweep.report.text import point_text, points_text, range_text, value_text


@dataclass(frozen=True)
class Requirement:
    """What one setting must be, the others held at `beside` (none in a grid of one axis).

    ranges: the acceptable values, the range with most of them first; empty where no value is acceptable.
    """

    grid: str
    axis: Axis
    beside: tuple[tuple[Axis, Value], ...]
    ranges: tuple[Range, ...]
    text: str
    note: str

    @property
    def limits(self) -> list[Limit]:
        """All limits, by value."""
        found = [limit for r in self.ranges for limit in (r.low, r.high) if limit is not None]
        return sorted(found, key=lambda limit: limit.value)


def requirements(results: Results) -> list[Requirement]:
    """Return the requirement of every grid of one axis."""
    return [found for grid in results.grids if len(grid.axes) == 1 for found in along(results, grid, 0)]


def border(results: Results, grid: Grid) -> list[Requirement]:
    """Return where the acceptable region of a map ends: along each axis with numbers, at all values of the others.

    Nothing for a sampled grid, which has no lines: `sampled` makes a grid of it.
    """
    if len(grid.axes) < 2 or grid.scattered:
        return []
    return [found for k, axis in enumerate(grid.axes) if axis.numeric for found in along(results, grid, k)]


def along(results: Results, grid: Grid, k: int) -> Iterator[Requirement]:
    """Yield what the setting of one axis must be, for each combination of the others."""
    rest = [n for n in range(len(grid.axes)) if n != k]
    lines: dict[tuple[Value, ...], list[Point]] = {}
    for point in grid.points:
        lines.setdefault(tuple(point.values[n] for n in rest), []).append(point)
    for values, points in lines.items():
        beside = tuple((grid.axes[n], v) for n, v in zip(rest, values, strict=True))
        yield _required(results, grid, k, beside, points)


def _required(
    results: Results, grid: Grid, k: int, beside: tuple[tuple[Axis, Value], ...], chosen: Sequence[Point]
) -> Requirement:
    axis, limit = grid.axes[k], results.threshold
    if not axis.numeric:
        good = [p for p in chosen if p.mean <= limit]
        text = f"{axis.name}: " + (" or ".join(str(p.values[k]) for p in good) or "none is acceptable")
        return Requirement(grid.name, axis, beside, (), text, "" if good else _lowest(axis, k, chosen))
    chosen = sorted(chosen, key=lambda p: float(p.values[k]))
    line = Line(
        tuple(float(p.values[k]) for p in chosen),
        tuple(p.mean for p in chosen),
        tuple(p.half for p in chosen),
        tuple(p.status if p.excluded else "" for p in chosen),
        axis.log,
    )
    ranges = tuple(acceptable(line, limit))
    text = range_text(axis.name, ranges[0]) if ranges else f"{axis.name}: no value is acceptable"
    return Requirement(grid.name, axis, beside, ranges, text, _note(axis, k, ranges, chosen))


def _note(axis: Axis, k: int, ranges: Sequence[Range], chosen: Sequence[Point]) -> str:
    """Return what a reader must know beside the limit."""
    parts = []
    if not ranges:
        parts.append(_lowest(axis, k, chosen))
    for other in ranges[1:]:
        ends = [value_text(v, axis.name) for v in dict.fromkeys((other.first, other.last))]
        parts.append(f"acceptable again at {' to '.join(ends)}")
    unknown = [p for p in chosen if not p.excluded and not isfinite(p.mean)]
    if unknown:
        parts.append(f"{len(unknown)} of {len(chosen)} values left out ({unknown[0].status}: {unknown[0].reason})")
    return "; ".join(part for part in parts if part)


def _lowest(axis: Axis, k: int, chosen: Sequence[Point]) -> str:
    known = [p for p in chosen if isfinite(p.mean)]
    if not known:
        return "no point has a penalty"
    best = min(known, key=lambda p: p.mean)
    return f"lowest penalty {points_text(best.mean)} points at {value_text(best.values[k], axis.name)}"


def share_acceptable(results: Results, points: Sequence[Point]) -> float:
    """Return the share of points with a mean penalty of at most the threshold, of those whose end is known."""
    known = [p for p in points if p.excluded or isfinite(p.mean)]
    return sum(p.mean <= results.threshold for p in known) / len(known) if known else float("nan")


def best_point(results: Results) -> tuple[Grid, Point] | None:
    """Return the point with the lowest mean penalty, and its grid."""
    known = [(grid, p) for grid in results.grids for p in grid.points if isfinite(p.mean)]
    return min(known, key=lambda pair: pair[1].mean) if known else None


def best_text(results: Results) -> str:
    """Return the best point in words."""
    best = best_point(results)
    if best is None:
        return "no point has a penalty yet"
    grid, point = best
    return f"{points_text(point.mean)} points at {point_text(grid.axes, point)}"
