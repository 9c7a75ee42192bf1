"""Maps: the penalty over two settings, and the border of what is acceptable, for any values of the others."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from math import isfinite, prod
from typing import Any

import numpy as np

from mho.report.figure import GREY, Figure, plain
from mho.sweep.report.cells import add_cells, cell_axis
from mho.sweep.report.look import FAILED, axis_layout, colours, hover, thin
from mho.sweep.report.results import DONE, Axis, Grid, Results
from mho.sweep.report.text import value_text

ROOM: dict[str, Any] = {"height": 560, "margin": {"l": 64, "r": 16, "t": 12, "b": 132}}
"""Of a map, with its scale of colours below."""
DOTS = 900
"""Up to so many points of a map are drawn as dots, with what is known of them under the mouse."""


@dataclass(frozen=True)
class Cube:
    """The points of a grid as arrays over its axes.

    mean, half: penalty and half its confidence interval, NaN where there is none. place: position in `Grid.points`,
    -1 where there is no point. failed: whether a chip of the point ended otherwise than done.
    """

    mean: np.ndarray
    half: np.ndarray
    place: np.ndarray
    failed: np.ndarray


def cube(grid: Grid) -> Cube:
    """Return the points of a grid that is a product of its axes."""
    shape = tuple(len(axis.values) for axis in grid.axes)
    index = [{value: k for k, value in enumerate(axis.values)} for axis in grid.axes]
    mean, half = np.full(shape, np.nan), np.full(shape, np.nan)
    place, failed = np.full(shape, -1), np.zeros(shape, dtype=bool)
    for n, point in enumerate(grid.points):
        at = tuple(own[value] for own, value in zip(index, point.values, strict=True))
        mean[at], half[at], place[at], failed[at] = point.mean, point.half, n, point.status != DONE
    return Cube(mean, half, place, failed)


def best_slice(found: Cube) -> tuple[int, ...]:
    """Return the place of the lowest penalty, through which the first map of many settings is cut."""
    if not np.isfinite(found.mean).any():
        return (0,) * found.mean.ndim
    return tuple(int(k) for k in np.unravel_index(np.nanargmin(found.mean), found.mean.shape))


def drawn_axes(grid: Grid) -> tuple[int, int]:
    """Return the axes that the map shows first: the first two with numbers and several values."""
    order = sorted(range(len(grid.axes)), key=lambda k: (not grid.axes[k].numeric, len(grid.axes[k].values) < 2, k))
    first, second = sorted(order[:2])
    return first, second


def joined(axis: Axis) -> bool:
    """Return whether something lies between the values of an axis, so that penalties there are those between."""
    return axis.numeric and len(axis.values) > 1


def penalty_map(results: Results, grid: Grid, name: str) -> Figure:
    """Return the map over two axes, the others at the values of the best point: contours, or cells over names."""
    found = cube(grid)
    k, j = drawn_axes(grid)
    axes, at = (grid.axes[k], grid.axes[j]), best_slice(found)
    cut = tuple(slice(None) if n in (k, j) else at[n] for n in range(len(grid.axes)))
    mean, half, place, failed = (array[cut].T for array in (found.mean, found.half, found.place, found.failed))
    smooth = all(map(joined, axes))
    title = "Penalty over two settings" if len(grid.axes) > 2 else f"Penalty over {axes[0].name} and {axes[1].name}"
    figure = Figure(name, title, _caption(results, smooth), axes[0].name, axes[1].name)
    x, y = (axis.numbers if smooth else [float(n) for n in range(len(axis.values))] for axis in axes)
    if smooth:
        _contours(figure, results, x, y, mean, half)
    if not all(map(joined, grid.axes)):  # the reader may choose another axis
        shown = {(int(row), int(column)): int(place[row, column]) for row, column in np.argwhere(np.isfinite(mean))}
        add_cells(figure, results, grid, (mean.shape[0], mean.shape[1]), shown)
        figure.traces[-1]["visible"] = not smooth
    _dots(figure, grid, (x, y), np.where(smooth | failed, place, -1), failed)
    layout = axis_layout if smooth else cell_axis
    figure.layout |= {**ROOM, "xaxis": layout(axes[0]), "yaxis": layout(axes[1])}
    return figure


def _caption(results: Results, smooth: bool) -> str:
    text = f"Blue is acceptable: at most {results.threshold:g} points below the baseline. "
    if smooth:
        text += "Black line: the border. Dotted: where the confidence interval of the penalty ends at the threshold. "
    text += "Crosses: points that failed. "
    text += "Between points, penalties are joined by straight lines." if smooth else "A cell for every point."
    return escape(text)


def _contours(
    figure: Figure, results: Results, x: list[float], y: list[float], mean: np.ndarray, half: np.ndarray
) -> None:
    """Add the fill, the border, and the lines at which the interval of the penalty begins and ends at the threshold."""
    limit, look = results.threshold, colours(results.scale)
    low, high = look["cmin"], look["cmax"]
    fill = {"start": low, "end": high, "size": (high - low) / 9, "coloring": "fill", "showlines": False}
    figure.traces.append(
        {
            "type": "contour", "x": plain(x), "y": plain(y), "z": [thin(row) for row in mean], "contours": fill,
            "colorscale": look["colorscale"], "zmin": low, "zmax": high, "colorbar": look["colorbar"],
            "autocontour": False, "line": {"smoothing": 0}, "name": "penalty", "showlegend": False,
            "hovertemplate": "%{x}, %{y}: %{z} points<extra></extra>",
        }
    )  # fmt: skip
    lines = [(mean, f"border: {limit:g} points", {"color": "black", "width": 3, "smoothing": 0})]
    if np.isfinite(half).any():
        dotted = {"color": "black", "width": 1.2, "dash": "dot", "smoothing": 0}
        lines += [(mean + half, "95 % interval of the border", dotted), (mean - half, "", dotted)]
    for z, label, style in lines:
        figure.traces.append(
            {
                "type": "contour", "x": plain(x), "y": plain(y), "z": [thin(row) for row in z], "autocontour": False,
                "contours": {"start": limit, "end": limit, "size": 1, "coloring": "none"}, "line": style,
                "showscale": False, "hoverinfo": "skip", "name": label, "showlegend": bool(label),
            }
        )  # fmt: skip


def _dots(
    figure: Figure, grid: Grid, at: tuple[list[float], list[float]], place: np.ndarray,
    failed: np.ndarray,
) -> None:  # fmt: skip
    """Add a dot for every point of a map of few, and a cross for each that failed, with what is known of it."""
    for wanted, label, look in (
        (~failed & (prod(place.shape) <= DOTS), "points", {"size": 4, "color": GREY, "opacity": 0.7}),
        (failed, "failed", {"size": 8 if failed.sum() < 60 else 4, "symbol": "x", "color": FAILED}),
    ):
        rows = [(j, k, int(place[j, k])) for j, k in np.argwhere(wanted & (place >= 0))]
        figure.traces.append(
            {
                "type": "scatter", "mode": "markers", "marker": look, "name": label,
                "x": plain(at[0][k] for _, k, _ in rows), "y": plain(at[1][j] for j, _, _ in rows),
                "text": [hover(grid.axes, grid.points[n]) for _, _, n in rows],
                "hovertemplate": "%{text}<extra></extra>", "showlegend": label == "failed" and bool(rows),
            }
        )  # fmt: skip


def slices(grid: Grid) -> dict[str, Any]:
    """Return what the page needs to cut a map of many settings another way: axes, and penalties in the axes' order."""
    found = cube(grid)
    failed = {
        int(flat): hover(grid.axes, grid.points[n])
        for flat, n in zip(np.flatnonzero(found.failed), found.place[found.failed], strict=True)
    }
    axes = [
        {
            "name": axis.name, "numbers": plain(axis.numbers), "layout": axis_layout(axis),
            "texts": [value_text(v, axis.name) for v in axis.values], "joined": joined(axis), "cells": cell_axis(axis),
        }
        for axis in grid.axes
    ]  # fmt: skip
    return {
        "axes": axes, "drawn": list(drawn_axes(grid)), "at": list(best_slice(found)), "failed": failed,
        "mean": thin(found.mean.ravel()), "half": thin(found.half.ravel()), "dots": DOTS,
    }  # fmt: skip


def scatter(results: Results, grid: Grid, name: str) -> Figure:
    """Return the points of a sampled grid over two of its axes, in the colours of their penalty."""
    k, j = drawn_axes(grid)
    text = "A dot for every point; blue is acceptable. Crosses: points that failed."
    title = f"Penalty over {grid.axes[k].name} and {grid.axes[j].name}" if len(grid.axes) == 2 else "Sampled points"
    figure = Figure(name, title, text, grid.axes[k].name, grid.axes[j].name)
    look = colours(results.scale)
    known = [n for n, p in enumerate(grid.points) if isfinite(p.mean)]
    lost = [n for n, p in enumerate(grid.points) if p.status != DONE]
    size = 7 if len(known) < 500 else 4
    marks = {"size": size, "color": thin(grid.points[n].mean for n in known), **look}
    for rows, label, mark in (
        (known, "points", marks),
        (lost, "failed", {"size": 7, "symbol": "x", "color": FAILED}),
    ):
        figure.traces.append(
            {
                "type": "scattergl" if len(grid.points) > DOTS else "scatter", "mode": "markers", "marker": mark,
                "x": thin(grid.axes[k].place[grid.points[n].values[k]] for n in rows), "name": label,
                "y": thin(grid.axes[j].place[grid.points[n].values[j]] for n in rows),
                "text": [hover(grid.axes, grid.points[n]) for n in rows],
                "hovertemplate": "%{text}<extra></extra>", "showlegend": label == "failed" and bool(rows),
            }
        )  # fmt: skip
    figure.layout |= {**ROOM, "xaxis": axis_layout(grid.axes[k]), "yaxis": axis_layout(grid.axes[j])}
    return figure


def columns(grid: Grid) -> dict[str, Any]:
    """Return what the page needs to draw a sampled grid over other axes: values of the known and the failed points."""
    known = [p for p in grid.points if isfinite(p.mean)]
    lost = [p for p in grid.points if p.status != DONE]
    axes = []
    for k, axis in enumerate(grid.axes):
        values = [thin(axis.place[p.values[k]] for p in part) for part in (known, lost)]
        axes.append({"name": axis.name, "layout": axis_layout(axis), "columns": values})
    return {"axes": axes, "drawn": list(drawn_axes(grid))}
