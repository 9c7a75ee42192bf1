"""The requirement sheet: what every setting must reach, alone and beside another one (the border of a map)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import isfinite

from mho.sweep.report.limits import Limit, Line, Range, acceptable
from mho.sweep.report.results import Axis, Grid, Point, Results, Value
from mho.sweep.report.text import doubt_text, point_text, points_text, range_text, span_text, value_text

ACCEPTABLE, NONE, UNRESOLVED = "acceptable", "none acceptable", "not resolved"
"""What is known of a setting, or of a map: some values are acceptable, none is, or the intervals do not tell."""
UNBELIEVED = "counted from a baseline that did not learn"
RESOLVED = (
    "“No limit” is said only where the intervals at both ends of the range are wholly within the threshold, and “no "
    "value is acceptable” only where the intervals of all are wholly above it. What the intervals leave open is called "
    "not resolved; more seeds settle it."
)


@dataclass(frozen=True)
class Requirement:
    """What one setting must be, the others held at `beside` (none in a grid of one axis).

    ranges: the values whose mean penalty is acceptable, the range with most of them first; empty where there is none,
    and for names. named: of names, the values that are acceptable or may be, each with whether its interval says so.
    state: ACCEPTABLE, NONE or UNRESOLVED.
    """

    grid: str
    axis: Axis
    beside: tuple[tuple[Axis, Value], ...]
    ranges: tuple[Range, ...]
    text: str
    note: str
    state: str
    named: tuple[tuple[Value, bool], ...] = ()

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
        found = _required(results, grid, k, beside, points)
        if results.warning:  # which is told in full above all
            found = replace(found, state=UNRESOLVED, note="; ".join(filter(None, (UNBELIEVED, found.note))))
        yield found


def _required(
    results: Results, grid: Grid, k: int, beside: tuple[tuple[Axis, Value], ...], chosen: Sequence[Point]
) -> Requirement:
    axis, limit = grid.axes[k], results.threshold
    if not axis.numeric:
        chosen = sorted(chosen, key=lambda p: axis.place[p.values[k]])
        return _of_names(Requirement(grid.name, axis, beside, (), "", "", NONE), k, chosen, limit)
    chosen = sorted(chosen, key=lambda p: float(p.values[k]))
    line = Line(
        tuple(float(p.values[k]) for p in chosen),
        tuple(p.mean for p in chosen),
        tuple(p.half for p in chosen),
        tuple(p.status if p.excluded else "" for p in chosen),
        axis.log,
    )
    ranges = tuple(acceptable(line, limit))
    state, text, doubt = _judged(axis, k, ranges, chosen, limit)
    notes = [doubt, *_notes(axis, k, ranges, chosen)]
    return Requirement(grid.name, axis, beside, ranges, text, "; ".join(note for note in notes if note), state)


def judged(points: Sequence[Point], limit: float) -> str:
    """Return what is known of some points: ACCEPTABLE if one of them is, NONE if none is, or UNRESOLVED."""
    if any(clear(p, limit) for p in points):
        return ACCEPTABLE
    return UNRESOLVED if any(undecided(p, limit) or p.mean <= limit for p in points) else NONE


def clear(point: Point, limit: float) -> bool:
    """Return whether the whole interval of a point's penalty is within the threshold."""
    return point.mean + point.half <= limit


def undecided(point: Point, limit: float) -> bool:
    """Return whether the interval of a point's penalty leaves open on which side of the threshold it is."""
    return point.mean - point.half <= limit < point.mean + point.half


def _judged(axis: Axis, k: int, ranges: Sequence[Range], chosen: Sequence[Point], limit: float) -> tuple[str, str, str]:
    """Return what is known of a setting with numbers: the state, in words, and what is in doubt."""
    if not ranges:
        doubtful = [p for p in chosen if undecided(p, limit)]
        if not doubtful:
            return NONE, f"{axis.name}: no value is acceptable", ""
        nearest = min(doubtful, key=lambda p: p.mean)
        return UNRESOLVED, f"{axis.name}: not resolved, {doubt_text(nearest)}", "no mean is acceptable; more seeds"
    first, text = ranges[0], range_text(axis.name, ranges[0])
    inside = [p for p in chosen if first.first <= float(p.values[k]) <= first.last and isfinite(p.mean)]
    if first.low is not None or first.high is not None:
        return judged(inside, limit), text, ""
    ends = [inside[0], inside[-1]]
    if all(clear(p, limit) for p in ends):
        return ACCEPTABLE, text, ""
    doubtful = [p for p in ends if undecided(p, limit)]
    if not doubtful:
        return UNRESOLVED, f"{text} (no interval)", ""
    widest = max(doubtful, key=lambda p: p.half)
    said = f"all means are acceptable {span_text(axis.name, first)}; more seeds"
    return UNRESOLVED, f"{axis.name}: not resolved, {doubt_text(widest)}", said


def _of_names(one: Requirement, k: int, chosen: Sequence[Point], limit: float) -> Requirement:
    """Return the requirement of a setting whose values are names."""
    fine = [p for p in chosen if p.mean <= limit and not undecided(p, limit)]
    doubtful = [p for p in chosen if undecided(p, limit)]
    parts = [" or ".join(value_text(p.values[k]) for p in fine)]
    parts += [f"{UNRESOLVED}: {' or '.join(value_text(p.values[k]) for p in doubtful)}"] if doubtful else []
    text = "; ".join(part for part in parts if part) or "none is acceptable"
    unmeasured = [p for p in fine if not clear(p, limit)]
    notes = [f"{doubt_text(max(doubtful, key=lambda p: p.half))}; more seeds" if doubtful else ""]
    notes += ["no interval" if unmeasured else "", "" if fine or doubtful else _lowest(one.axis, k, chosen)]
    named = [(p.values[k], clear(p, limit)) for p in chosen if p in fine or p in doubtful]
    return replace(
        one, text=f"{one.axis.name}: {text}", note="; ".join(note for note in notes if note), named=tuple(named),
        state=judged(chosen, limit),
    )  # fmt: skip


def _notes(axis: Axis, k: int, ranges: Sequence[Range], chosen: Sequence[Point]) -> Iterator[str]:
    """Yield what a reader must know beside the limit."""
    if not ranges:
        yield _lowest(axis, k, chosen)
    for other in ranges[1:]:
        ends = [value_text(v, axis.name) for v in dict.fromkeys((other.first, other.last))]
        yield f"acceptable again at {' to '.join(ends)}"
    unknown = [p for p in chosen if not p.excluded and not isfinite(p.mean)]
    if unknown:
        yield f"{len(unknown)} of {len(chosen)} values left out ({unknown[0].status}: {unknown[0].reason})"


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
