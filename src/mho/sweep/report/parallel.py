"""Parallel coordinates: a line for every point through its settings and its penalty."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, log10
from typing import Any

from mho.report.figure import Figure
from mho.sweep.report.look import SHOWN, colours, thin
from mho.sweep.report.results import Axis, Grid, Results
from mho.sweep.report.text import value_text

TICKS = 6
FAILED_AT, TOP_AT = 1.15, 1.05
"""Where failed points, and those far above the threshold, stand over the highest penalty of the scale."""


def parallel(results: Results, grid: Grid, name: str) -> Figure:
    """Return the parallel coordinates of a grid."""
    text = (
        "A line for every point, in the colours of the map. Drag along an axis to keep only the lines that pass there; "
        "drag again to take another part, click beside it to have all. Axes can be moved by their names."
    )
    figure = Figure(name, "Parallel coordinates", text, "", "")
    look, top = colours(results.threshold), SHOWN * results.threshold
    penalty = [(min(p.mean, TOP_AT * top) if isfinite(p.mean) else FAILED_AT * top) for p in grid.points]
    dimensions = [_dimension(axis, [p.values[k] for p in grid.points]) for k, axis in enumerate(grid.axes)]
    lowest = min(0.0, *penalty) if penalty else 0.0
    ticks = [(v, f"{v:.3g}") for v in (0.0, results.threshold, 2 * results.threshold, top)]
    ticks.append((TOP_AT * top, "above"))
    if any(not isfinite(p.mean) for p in grid.points):
        ticks.append((FAILED_AT * top, "failed"))
    dimensions.append(
        {
            "label": "penalty (points)", "values": thin(penalty), "range": [lowest, ticks[-1][0]],
            "tickvals": [v for v, _ in ticks], "ticktext": [t for _, t in ticks],
        }
    )  # fmt: skip
    figure.traces.append(
        {
            "type": "parcoords", "dimensions": dimensions, "labelside": "top",
            "line": {"color": thin(penalty), **look, "showscale": False},
            "unselected": {"line": {"color": "#9ca3af", "opacity": 0.04}},
            "labelfont": {"size": 12}, "tickfont": {"size": 11},
        }
    )  # fmt: skip
    hidden = {"visible": False}
    figure.layout |= {"height": 440, "margin": {"l": 60, "r": 70, "t": 44, "b": 20}, "xaxis": hidden, "yaxis": hidden}
    return figure


def _dimension(axis: Axis, values: Sequence[Any]) -> dict[str, Any]:
    """Return one axis: the logarithm of a setting where its axis is logarithmic, places of names."""
    scaled = [log10(axis.place[v]) if axis.log else axis.place[v] for v in values]
    shown = ticks(axis)
    return {
        "label": axis.name, "values": thin(scaled),
        "tickvals": thin(log10(v) if axis.log else v for v, _ in shown), "ticktext": [t for _, t in shown],
    }  # fmt: skip


def ticks(axis: Axis) -> list[tuple[float, str]]:
    """Return places and texts along an axis: all of few values, round numbers among many."""
    if not axis.numeric or len(axis.values) <= 2 * TICKS:
        return [(n, value_text(v, axis.name)) for n, v in zip(axis.numbers, axis.values, strict=True)]
    low, high = axis.numbers[0], axis.numbers[-1]
    if axis.log:
        decades = range(round(log10(low)) - 1, round(log10(high)) + 2)
        found = [m * 10.0**d for d in decades for m in (1, 2, 5) if low <= m * 10.0**d <= high]
        found = found if len(found) <= 2 * TICKS else [v for v in found if f"{v:e}".startswith("1.0")]
    else:
        step = (high - low) / (TICKS - 1)
        found = [low + n * step for n in range(TICKS)]
    return [(v, value_text(float(f"{v:.3g}"), axis.name)) for v in found]
