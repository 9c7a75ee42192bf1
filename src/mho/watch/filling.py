"""The map of a grid as it fills: a cell for every combination that is planned, coloured when it is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isfinite
from typing import Any

from mho.report.figure import Figure
from mho.sweep.report.cells import add_cells, add_crosses, cell_axis
from mho.sweep.report.maps import ROOM, drawn_axes
from mho.sweep.report.results import DONE, Grid, Results
from mho.sweep.table import plain


def planned(grid: Grid, told: Sequence[Mapping[str, Any]]) -> Grid:
    """Return a grid whose axes have all values that are to come; `told`: the axes as the table describes them."""
    axes = []
    for axis in grid.axes:
        values: list[Any] = next(
            (t["values"] for t in told if tuple(t["paths"]) == axis.paths and t["grid"] == grid.name), []
        )
        if axis.numeric:
            known = sorted({*values, *axis.values})
        else:
            known = list(dict.fromkeys((*(plain(v, "string") for v in values), *axis.values)))
        axes.append(replace(axis, values=tuple(known)))
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
    add_cells(figure, results, grid, (len(y.values), len(x.values)), best)
    add_crosses(figure, grid, {at: n for at, n in lost.items() if at not in best})
    figure.layout |= {**ROOM, "xaxis": cell_axis(x), "yaxis": cell_axis(y)}
    return figure
