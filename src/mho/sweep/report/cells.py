"""Maps of cells: a cell of one colour for every combination of two settings, for names and for what still fills."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mho.report.figure import Figure
from mho.sweep.report.look import FAILED, NAMED, colours, hover, labels, thin
from mho.sweep.report.results import Axis, Grid, Results
from mho.sweep.report.text import value_text

TICKS = 12
"""About so many numbers are written along an axis."""
SPACED = 40
"""Up to so many cells beside each other are set apart by lines."""
HOVERS = 2500
"""Up to so many cells say under the mouse what is known of them."""

Places = Mapping[tuple[int, int], int]
"""Rows and columns of cells, with the position in `Grid.points` of the point that is shown there."""


def cell_axis(axis: Axis) -> dict[str, Any]:
    """Return an axis of cells of one size: all names are written along it, and numbers at some of them."""
    count = len(axis.values)
    chosen = list(range(0, count, -(-count // TICKS) if axis.numeric else 1))
    texts = [_number(axis, n) for n in chosen] if axis.numeric else labels(axis)
    return {
        "title": {"text": axis.name, "standoff": 8}, "tickmode": "array", "tickvals": chosen, "ticktext": texts,
        "type": "linear", "range": [-0.5, count - 0.5], "showgrid": False, "constrain": "domain",
        **NAMED,
    }  # fmt: skip


def _number(axis: Axis, place: int) -> str:
    value = axis.values[place]
    return value_text(float(f"{value:.4g}") if isinstance(value, float) else value, axis.name)


def add_cells(figure: Figure, results: Results, grid: Grid, shape: tuple[int, int], shown: Places) -> None:
    """Add the cells, coloured by the mean penalty of the points that are shown in them."""
    z = [[float("nan")] * shape[1] for _ in range(shape[0])]
    for (row, column), n in shown.items():
        z[row][column] = grid.points[n].mean
    look, gap = colours(results.scale), int(max(shape) <= SPACED)
    trace: dict[str, Any] = {
        "type": "heatmap", "x": list(range(shape[1])), "y": list(range(shape[0])), "z": [thin(row) for row in z],
        "zmin": look["cmin"], "zmax": look["cmax"], "colorscale": look["colorscale"], "colorbar": look["colorbar"],
        "xgap": gap, "ygap": gap, "name": "penalty", "showlegend": False, "hovertemplate": "%{z} points<extra></extra>",
    }  # fmt: skip
    if shape[0] * shape[1] <= HOVERS:
        texts = [[""] * shape[1] for _ in range(shape[0])]
        for at, n in shown.items():
            texts[at[0]][at[1]] = hover(grid.axes, grid.points[n])
        trace |= {"text": texts, "hovertemplate": "%{text}<extra></extra>"}
    figure.traces.append(trace)


def add_crosses(figure: Figure, grid: Grid, failed: Places) -> None:
    """Add a cross in each cell whose point failed."""
    figure.traces.append(
        {
            "type": "scatter", "mode": "markers", "marker": {"size": 9, "symbol": "x", "color": FAILED},
            "x": [at[1] for at in failed], "y": [at[0] for at in failed], "name": "failed",
            "text": [hover(grid.axes, grid.points[n]) for n in failed.values()], "showlegend": bool(failed),
            "hovertemplate": "%{text}<extra></extra>",
        }
    )  # fmt: skip
