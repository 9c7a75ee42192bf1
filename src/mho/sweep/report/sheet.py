"""The requirement sheet of a page: a card for every setting and map, in the colour of what intervals say."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import isfinite

from mho.report import words
from mho.sweep.report.confidence import METHOD
from mho.sweep.report.pareto import Trial, cheapest
from mho.sweep.report.requirements import (
    ACCEPTABLE,
    RESOLVED,
    UNRESOLVED,
    Requirement,
    clear,
    judged,
    share_acceptable,
    undecided,
)
from mho.sweep.report.results import Grid, Results
from mho.sweep.report.text import doubt_text, interval_text, points_text, settings_text


def requirement_sheet(results: Results, sheet: Sequence[Requirement], trials: Sequence[Trial]) -> str:
    """Return the requirements of single settings, of maps, and the cheapest device of a search, as HTML."""
    items = [_card(r.state, r.text, escape(_small(r))) for r in sheet]
    items += [
        _card(_map_state(results, grid), _map_text(results, grid), _link(results, grid))
        for grid in results.grids if len(grid.axes) > 1
    ]  # fmt: skip
    best = cheapest(trials)
    if best is not None:
        items.append(_cheapest(results, best))
    measured = any(len(p.penalty) > 1 for p in results.points)
    note = f"<p>{escape(METHOD)}</p><p>{escape(RESOLVED)}</p>" if measured else ""
    if not items:
        return "<p>No point has been computed yet.</p>"
    text = (
        "What each setting must be, so that no more is lost. Green: acceptable, by the intervals, too. Yellow: not "
        "resolved. Red: nothing is acceptable."
    )
    return f'<p>{text}</p><ul class="sheet">{"".join(items)}</ul>{note}'


def _cheapest(results: Results, best: Trial) -> str:
    """Return the card of the cheapest point of a search, which is acceptable by the mean over its chips."""
    point = next((p for p in results.points if p.number == best.point), None)
    sure = point is not None and clear(point, results.threshold) and not results.warning
    known = f": {points_text(best.penalty)} {doubt_text(point)}" if point is not None and isfinite(point.half) else ""
    said = f"cheapest that a search found acceptable{known}{'' if sure else '; more seeds'}"
    return _card(ACCEPTABLE if sure else UNRESOLVED, settings_text(best.values), escape(said))


def _card(state: str, text: str, small: str) -> str:
    """Return one requirement; `small` is HTML."""
    return f'<li class="{state.replace(" ", "-")}"><b>{escape(text)}</b><small>{small}</small></li>'


def _small(one: Requirement) -> str:
    ends = [interval_text(one.axis.name, limit) for limit in one.limits if limit.measured and not limit.failed]
    more = (f"95 % interval {e}" for e in ends if f"interval {e}" not in one.text)
    parts = [one.axis.paths[0], *more, one.note]
    return "; ".join(part for part in parts if part)


def _map_state(results: Results, grid: Grid) -> str:
    """Return what is known of a map: nothing, where most of its points are not resolved or the baseline is wrong."""
    doubtful = sum(undecided(p, results.threshold) for p in grid.points)
    if results.warning or 2 * doubtful > len(grid.points):
        return UNRESOLVED
    return judged(grid.points, results.threshold)


def _map_text(results: Results, grid: Grid) -> str:
    share = share_acceptable(results, grid.points)
    names = " × ".join(axis.name for axis in grid.axes)
    return f"{names}: {100 * share:.3g} % acceptable" if isfinite(share) else names


def _link(results: Results, grid: Grid) -> str:
    doubtful = sum(undecided(p, results.threshold) for p in grid.points)
    said = f"{doubtful} of {words.plural(len(grid.points), 'point')} not resolved; " if doubtful else ""
    return f'{said}<a href="#grid-{results.grids.index(grid)}">{escape(grid.name)}: map and border</a>'
