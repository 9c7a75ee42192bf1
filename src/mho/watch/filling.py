"""The map of a grid as it fills: a cell for every combination that is planned, coloured when it is known."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isfinite
from typing import Any

import numpy as np

from mho.report.figure import Figure
from mho.sweep.report.look import FAILED, colours, hover, thin
from mho.sweep.report.maps import ROOM, drawn_axes
from mho.sweep.report.results import DONE, Axis, Grid, Results
from mho.sweep.report.text import value_text

TICKS = 12
"""About so many values are written along an axis."""
SPACED = 40
"""Up to so many cells beside each other are set apart by lines."""
HOVERS = 2500
"""Up to so many cells say under the mouse what is known of them."""


def planned(grid: Grid, told: Sequence[Mapping[str, Any]]) -> Grid:
    """Return a grid whose axes have all values that are to come; `told`: the axes as the table describes them."""
    axes = []
    for axis in grid.axes:
        values: list[Any] = next(
            (t["values"] for t in told if tuple(t["paths"]) == axis.paths and t["grid"] == grid.name), []
        )
        known = dict.fromkeys((*map(_plain, values), *axis.values))
        ordered = sorted(known) if axis.numeric and not any(isinstance(v, str) for v in known) else known
        axes.append(replace(axis, values=tuple(ordered)))
    return replace(grid, axes=tuple(axes))


def filling_map(results: Results, grid: Grid, name: str) -> Figure:
    """Return the map over the first two axes with numbers; over further axes each cell is that of the best point."""
    k, j = drawn_axes(grid)
    places = [{value: n for n, value in enumerate(axis.values)} for axis in grid.axes]
    x, y = grid.axes[k], grid.axes[j]
    best: dict[tuple[int, int], int] = {}
    lost: dict[tuple[int, int], int] = {}
    for n, point in enumerate(grid.points):
        at = (places[j][point.values[j]], places[k][point.values[k]])
        if point.status != DONE:
            lost[at] = n
        if isfinite(point.mean) and (at not in best or point.mean < grid.points[best[at]].mean):
            best[at] = n
    text = (
        f"Blue is acceptable: at most {results.threshold:g} points below the baseline. Empty cells are still to come; "
        "crosses are points that failed."
    )
    if len(grid.axes) > 2:
        text += " A cell shows the best point over the other settings."
    figure = Figure(name, f"Penalty over {x.name} and {y.name}: {grid.name}", text, x.name, y.name)
    _cells(figure, results, grid, (len(y.values), len(x.values)), best)
    crosses = [(at, n) for at, n in lost.items() if at not in best]
    figure.traces.append(
        {
            "type": "scatter", "mode": "markers", "marker": {"size": 9, "symbol": "x", "color": FAILED},
            "x": [at[1] for at, _ in crosses], "y": [at[0] for at, _ in crosses], "name": "failed",
            "text": [hover(grid.axes, grid.points[n]) for _, n in crosses], "showlegend": bool(crosses),
            "hovertemplate": "%{text}<extra></extra>",
        }
    )  # fmt: skip
    figure.layout |= ROOM
    figure.layout |= {"xaxis": _axis(x), "yaxis": _axis(y)}
    return figure


def _cells(
    figure: Figure, results: Results, grid: Grid, shape: tuple[int, int], best: Mapping[tuple[int, int], int]
) -> None:
    z = np.full(shape, np.nan)
    for at, n in best.items():
        z[at] = grid.points[n].mean
    look, gap = colours(results.scale), int(max(shape) <= SPACED)
    trace: dict[str, Any] = {
        "type": "heatmap", "x": list(range(shape[1])), "y": list(range(shape[0])), "z": [thin(row) for row in z],
        "zmin": look["cmin"], "zmax": look["cmax"], "colorscale": look["colorscale"], "colorbar": look["colorbar"],
        "xgap": gap, "ygap": gap, "name": "penalty", "showlegend": False, "hovertemplate": "%{z} points<extra></extra>",
    }  # fmt: skip
    if shape[0] * shape[1] <= HOVERS:
        texts = [[""] * shape[1] for _ in range(shape[0])]
        for at, n in best.items():
            texts[at[0]][at[1]] = hover(grid.axes, grid.points[n])
        trace |= {"text": texts, "hovertemplate": "%{text}<extra></extra>"}
    figure.traces.append(trace)


def _axis(axis: Axis) -> dict[str, Any]:
    """Return an axis of cells of one size, with values written at some of them."""
    count = len(axis.values)
    step = -(-count // TICKS)
    chosen = list(range(0, count, step))
    return {
        "tickmode": "array", "tickvals": chosen, "ticktext": [_text(axis, n) for n in chosen],
        "range": [-0.5, count - 0.5], "showgrid": False, "constrain": "domain",
    }  # fmt: skip


def _text(axis: Axis, place: int) -> str:
    value = axis.values[place]
    return value_text(float(f"{value:.4g}") if isinstance(value, float) else value, axis.name)


def _plain(value: Any) -> Any:
    return value if isinstance(value, (int, float, str)) else json.dumps(value)
