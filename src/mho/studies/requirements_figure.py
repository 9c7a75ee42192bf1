"""The figure of requirements: a panel for every property, then one for every map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mho.studies.bench import Row
from mho.studies.map_figure import paint_map
from mho.studies.requirements_rows import TOLERANCE, TOLERANCES, threshold_of, tolerance, value_of
from mho.sweep.crossing import logarithmic

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 5
HIGHEST = 3.0
"""Penalties above are cut off: a failing end would hide where the threshold is passed."""


def draw(figure: Figure, rows: Sequence[Row]) -> None:
    """Draw the penalty over every property with its tolerance, and over two properties with the border."""
    named = {r.case: r for r in rows}
    singles = list(dict.fromkeys(r.axis for r in rows if r.line in TOLERANCES))
    maps = list(dict.fromkeys(r.group for r in rows if r.axis and r.line not in TOLERANCES))
    lines = -(-len(singles) // COLUMNS) + -(-len(maps) // COLUMNS)
    figure.set_size_inches(4.0 * COLUMNS, 3.4 * max(1, lines))
    places = figure.subplots(max(1, lines), COLUMNS, squeeze=False)
    used = -(-len(singles) // COLUMNS)
    for axes in places.ravel():
        axes.set_axis_off()
    for axes, name in zip(places[:used].ravel(), singles, strict=False):
        axes.set_axis_on()
        _single(axes, name, [r for r in rows if r.axis == name and r.line in TOLERANCES], named)
    for axes, name in zip(places[used:].ravel(), maps, strict=False):
        axes.set_axis_on()
        _map(axes, [r for r in rows if r.group == name], named)


def _single(axes: Axes, name: str, rows: Sequence[Row], named: Mapping[str, Row]) -> None:
    for k, start in enumerate(dict.fromkeys(r.line for r in rows)):
        own = sorted((r for r in rows if r.line == start), key=lambda r: r.at or 0.0)
        base = named[own[0].baseline]
        at = [r.at or 0.0 for r in own]
        options = {"marker": "o", "markersize": 4, "capsize": 3, "linewidth": 1.2, "color": f"C{k}"}
        axes.errorbar(at, [base.mean - r.mean for r in own], [r.std for r in own], label=start, **options)  # type: ignore[arg-type]
        limit = named.get(tolerance(name, start))
        if limit is not None and limit.unit == TOLERANCE:
            axes.axvline(limit.mean, color=f"C{k}", linestyle=":", linewidth=1)
    ticks = sorted({r.at or 0.0 for r in rows})
    if logarithmic(ticks):
        axes.set_xscale("log")
    else:
        ticks = _apart(ticks)
    axes.set_xticks(ticks, [f"{v:g}" for v in ticks], fontsize=7.5)
    axes.minorticks_off()
    threshold = threshold_of(list(named.values()))
    axes.axhline(threshold, color="black", linestyle="--", linewidth=1)
    axes.set_ylim(*_shown(rows, named, threshold))
    axes.set(xlabel=name, ylabel="points lost")
    axes.grid(alpha=0.25, linewidth=0.5)
    axes.legend(fontsize=7.5, frameon=False)


def _shown(rows: Sequence[Row], named: Mapping[str, Row], threshold: float) -> tuple[float, float]:
    """Return the penalties between which a panel shows its points: those that are cut off have no say."""
    lost = [(named[r.baseline].mean - r.mean, r.std) for r in rows]
    ends = [mean + sign * std for mean, std in lost if mean < HIGHEST for sign in (-1, 1)]
    cut = any(mean >= HIGHEST for mean, _ in lost)
    low, high = min([0.0, *ends]), HIGHEST if cut else min(max([1.5 * threshold, *ends]), HIGHEST)
    room = 0.05 * (high - low)
    return low - room, min(high + room, HIGHEST)


def _apart(ticks: Sequence[float]) -> list[float]:
    """Return ticks without those whose labels would run into the one before."""
    kept = [ticks[0]]
    for tick in ticks[1:]:
        if tick - kept[-1] > 0.08 * (ticks[-1] - ticks[0]):
            kept.append(tick)
    return kept


def _map(axes: Axes, rows: Sequence[Row], named: Mapping[str, Row]) -> None:
    points = [r for r in rows if r.axis]
    across = sorted({r.at or 0.0 for r in points})
    up = sorted({value_of(r.line)[1] for r in points})
    values = np.full((len(up), len(across)), np.nan)
    for r in points:
        values[up.index(value_of(r.line)[1]), across.index(r.at or 0.0)] = named[r.baseline].mean - r.mean
    paint_map(axes, across, up, values, threshold_of(rows))
    axes.set(xlabel=points[0].axis, ylabel=value_of(points[0].line)[0])
    axes.set_title(f"{rows[0].group}: points lost", fontsize=9)
