"""What a search found: cost against penalty, the front that nothing beats, the cheapest that is good enough."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import isfinite
from pathlib import Path
from typing import Any

from mho.errors import CheckpointError
from mho.report.figure import BLUE, GREEN, GREY, RED, Figure, plain
from mho.report.tables import table
from mho.sweep.files import SEARCH
from mho.sweep.report.results import Results
from mho.sweep.report.text import points_text, settings_text
from mho.sweep.table import DONE

FAR = 10
"""Thresholds above the threshold at which the axis of penalties ends, unless the front ends before."""


@dataclass(frozen=True)
class Trial:
    """One point that a search asked for. penalty: NaN where it failed. front: whether no other is better in both."""

    point: int
    values: dict[str, Any]
    cost: float
    penalty: float
    feasible: bool
    front: bool


def read_search(folder: Path, threshold: float | None = None) -> list[Trial]:
    """Return the trials of a search, none where the sweep has none; raise CheckpointError for a damaged file.

    threshold: another acceptable penalty than the one that was searched for.
    """
    path = folder / SEARCH
    if not path.is_file():
        return []
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return [_trial(one, threshold) for one in told["trials"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{path} is no result of a search ({type(error).__name__}: {error}); go on with mho sweep --search "
            f"--resume {folder}, which writes it again"
        ) from error


def _trial(one: dict[str, Any], threshold: float | None) -> Trial:
    cost, penalty = (float("nan") if one[key] is None else float(one[key]) for key in ("cost", "penalty"))
    feasible = bool(one["feasible"])
    if threshold is not None:
        feasible = one.get("status", DONE) == DONE and isfinite(cost) and penalty <= threshold
    return Trial(int(one["point"]), dict(one["values"]), cost, penalty, feasible, bool(one["front"]))


def front_of(trials: Sequence[Trial]) -> list[Trial]:
    """Return the trials of the front, cheapest first."""
    return sorted((t for t in trials if t.front), key=lambda t: (t.cost, t.penalty))


def cheapest(trials: Sequence[Trial]) -> Trial | None:
    """Return the cheapest trial that keeps within the threshold; of equally cheap ones that with less penalty."""
    good = [t for t in trials if t.feasible and isfinite(t.cost)]
    return min(good, key=lambda t: (t.cost, t.penalty)) if good else None


def pareto(results: Results, trials: Sequence[Trial]) -> Figure:
    """Return cost against penalty."""
    text = (
        "A dot for every point that the search asked for. Green: the front, where less penalty costs more. Star: the "
        "cheapest within the threshold (dashed). Penalties far above it stand outside: double-click to see all."
    )
    figure = Figure("search-pareto", "Cost and penalty", text, "penalty (points)", "cost (as the sweep file states it)")
    known = [t for t in trials if isfinite(t.penalty) and isfinite(t.cost)]
    for feasible, label, colour in ((False, "above the threshold", GREY), (True, "within the threshold", BLUE)):
        _marks(
            figure, [t for t in known if t.feasible == feasible and not t.front], label, {"color": colour, "size": 6}
        )
    front = front_of(known)
    _marks(figure, front, "front", {"color": GREEN, "size": 8}, joined=True)
    best = cheapest(known)
    _marks(figure, [best] if best else [], "cheapest", {"color": RED, "size": 15, "symbol": "star"})
    limit = results.threshold
    line = {"type": "line", "yref": "paper", "y0": 0, "y1": 1, "x0": limit, "x1": limit}
    top = max([results.scale[-1], *(t.penalty for t in front if t.penalty < limit + FAR * (limit - results.scale[0]))])
    lowest = min([results.scale[0], *(t.penalty for t in known)])
    figure.layout |= {
        "shapes": [{**line, "line": {"color": RED, "dash": "dash"}}],
        "xaxis": {"range": [lowest - 0.05 * top, 1.05 * top]}, "height": 460,
    }  # fmt: skip
    return figure


def _marks(
    figure: Figure, trials: Sequence[Trial], label: str, marker: dict[str, Any], *, joined: bool = False
) -> None:
    if trials:
        figure.traces.append(
            {
                "type": "scatter", "mode": "lines+markers" if joined else "markers", "name": label, "marker": marker,
                "x": plain(t.penalty for t in trials), "y": plain(t.cost for t in trials),
                "line": {"color": marker["color"], "shape": "vh", "width": 1.5},
                "text": [f"point {t.point}: " + escape(settings_text(t.values)) for t in trials],
                "hovertemplate": "%{text}<br>penalty %{x:.3f} points, cost %{y:.4g}<extra></extra>",
            }
        )  # fmt: skip


def front_table(trials: Sequence[Trial]) -> str:
    """Return the front as a table, the cheapest that is good enough marked."""
    front, best = front_of(trials), cheapest(trials)
    rows = [
        (str(t.point), f"{t.cost:.4g}", points_text(t.penalty), "yes" if t.feasible else "no", settings_text(t.values))
        for t in front
    ]
    marked = [n for n, t in enumerate(front) if t == best]
    return table(("point", "cost", "penalty (points)", "within the threshold", "settings"), rows, marked=marked)
