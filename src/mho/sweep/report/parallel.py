"""Parallel coordinates: a line for every point through its settings and its penalty."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, log10
from typing import Any

from mho.report.figure import Figure
from mho.sweep.report.look import SCALE, labels, thin, ticks
from mho.sweep.report.results import Axis, Grid, Results

LEFT = 60
"""Pixels left of the first axis, unless its texts are longer."""
FAILED, ABOVE = 0.15, 0.05
"""Where failed points, and those far above the threshold, stand over the highest penalty of the scale."""


def parallel(results: Results, grid: Grid, name: str) -> Figure:
    """Return the parallel coordinates of a grid."""
    text = (
        "A line for every point, in the colours of the map; what is not acceptable is pale at first. Drag along "
        "an axis to keep only the lines that pass there, click on the axis to have all again. Axes can be moved by "
        "their names."
    )
    figure = Figure(name, "Parallel coordinates", text, "", "")
    bottom, top = results.scale[0], results.scale[-1]
    above, failed = (top + share * (top - bottom) for share in (ABOVE, FAILED))
    penalty = [min(p.mean, above) if isfinite(p.mean) else failed for p in grid.points]
    lowest = min(bottom, *penalty)
    dimensions = [_dimension(axis, [p.values[k] for p in grid.points]) for k, axis in enumerate(grid.axes)]
    room = max(LEFT, 12 + 7 * max(len(text) for text in dimensions[0]["ticktext"]))
    marks = [*((v, f"{v:.3g}") for v in results.scale), (above, "above")]
    marks += [(failed, "failed")] if any(not isfinite(p.mean) for p in grid.points) else []
    dimensions.append(
        {
            "label": "penalty (points)", "values": thin(penalty), "range": [lowest, marks[-1][0]],
            "tickvals": [v for v, _ in marks], "ticktext": [t for _, t in marks],
            "constraintrange": [lowest, results.threshold],
        }
    )  # fmt: skip
    # Higher colours are drawn above lower ones: of the negative penalty, so that acceptable lines are seen.
    figure.traces.append(
        {
            "type": "parcoords", "dimensions": dimensions, "labelside": "top",
            "line": {
                "color": thin(-v for v in penalty), "colorscale": [[1 - at, c] for at, c in reversed(SCALE)],
                "cmin": -top, "cmax": -bottom, "showscale": False,
            },
            "unselected": {"line": {"color": "#9ca3af", "opacity": 0.03}},
            "labelfont": {"size": 12}, "tickfont": {"size": 11},
        }
    )  # fmt: skip
    hidden = {"visible": False}
    figure.layout |= {"height": 470, "margin": {"l": room, "r": 70, "t": 76, "b": 20}, "xaxis": hidden, "yaxis": hidden}
    return figure


def _dimension(axis: Axis, values: Sequence[Any]) -> dict[str, Any]:
    """Return one axis: the logarithm of a setting where its axis is logarithmic, places of names."""
    scaled = [log10(axis.place[v]) if axis.log else axis.place[v] for v in values]
    shown = ticks(axis) if axis.numeric else zip(axis.numbers, labels(axis, lines=1), strict=True)
    shown = list(shown)
    return {
        "label": axis.name, "values": thin(scaled),
        "tickvals": thin(log10(v) if axis.log else v for v, _ in shown), "ticktext": [t for _, t in shown],
    }  # fmt: skip
