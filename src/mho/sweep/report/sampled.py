"""A sampled map of two settings on a raster, so that it has contours and a border as one in rows and columns has."""

from __future__ import annotations

from math import isfinite

import numpy as np

from mho.sweep.report.results import DONE, Axis, Grid, Point, Results

FINE = 24
"""Values of each axis of the raster."""
FEWEST = 8
"""Points below which no surface is drawn through them."""


def raster(grid: Grid) -> Grid | None:
    """Return the penalty between sampled points, on a raster; None where it has not two axes of numbers, or few points.

    Straight in the triangles of neighbouring points (Delaunay), over the logarithm of an axis that has one; nothing
    outside of them. Points that failed are left out, and so is how well a penalty is known.
    """
    known = [p for p in grid.points if isfinite(p.mean)]
    if len(grid.axes) != 2 or not all(a.numeric for a in grid.axes) or len(known) < FEWEST:
        return None
    from scipy.interpolate import LinearNDInterpolator

    places = np.array([[_place(a, float(v)) for a, v in zip(grid.axes, p.values, strict=True)] for p in known])
    ends = [(places[:, k].min(), places[:, k].max()) for k in (0, 1)]
    if any(low == high for low, high in ends):
        return None
    surface = LinearNDInterpolator(places, [p.mean for p in known], rescale=True)
    lines = [np.linspace(low, high, FINE) for low, high in ends]
    found = surface(*np.meshgrid(*lines, indexing="ij"))
    axes = tuple(_axis(a, line) for a, line in zip(grid.axes, lines, strict=True))
    points = tuple(
        Point(n, (axes[0].values[i], axes[1].values[j]), (float(found[i, j]),), (), DONE)
        for n, (i, j) in enumerate(np.argwhere(np.isfinite(found)))
    )
    return Grid(grid.name, axes, points)


def _place(axis: Axis, value: float) -> float:
    return float(np.log(value)) if axis.log else value


def _axis(axis: Axis, line: np.ndarray) -> Axis:
    values = np.exp(line) if axis.log else line
    return Axis(axis.name, axis.paths, tuple(float(f"{v:.6g}") for v in values), axis.log)


def raster_results(results: Results, grid: Grid) -> Results:
    """Return results that hold one raster alone, with a baseline that is a number: a raster has no chips."""
    base = (float(np.mean(results.baseline)),) if results.baseline else ()
    return Results(results.title, results.threshold, base, (grid,), results.about)
