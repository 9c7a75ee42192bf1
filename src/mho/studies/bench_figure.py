"""The figure of a study made of steps: a panel for every axis and group of rows, and one for rows without an axis."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mho.studies.bench import Bench, Row
from mho.studies.figure import save_figure
from mho.sweep.crossing import logarithmic

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 3
"""How many panels, at most, stand side by side."""


def draw_bench(bench: Bench, rows: Sequence[Row], folder: Path) -> None:
    """Write figure.png and figure.svg of what the rows say, or as the bench draws them."""

    def paint(figure: Figure) -> None:
        (bench.draw or draw_panels)(figure, rows)
        figure.suptitle(f"{bench.name}: {bench.description}", fontsize=10)

    save_figure(bench.name, folder, paint)


def draw_panels(figure: Figure, rows: Sequence[Row]) -> None:
    """Draw mean and standard deviation over chips: curves where rows have an axis, the others below one another."""
    keys = list(dict.fromkeys((r.group, r.unit, r.axis) for r in rows))
    columns = min(len(keys), COLUMNS)
    lines = -(-len(keys) // columns)
    figure.set_size_inches(4.4 * max(2, columns), 3.6 * lines)
    places = figure.subplots(lines, columns, squeeze=False).ravel()
    named = {r.case: r for r in rows}
    for axes, (group, unit, axis) in zip(places, keys, strict=False):
        own = [r for r in rows if (r.group, r.unit, r.axis) == (group, unit, axis)]
        (draw_lines if axis else draw_points)(axes, own)
        for base in dict.fromkeys(r.baseline for r in own if r.baseline in named):
            (axes.axhline if axis else axes.axvline)(named[base].mean, color="black", linestyle="--", linewidth=1)
        axes.set_title(group, fontsize=9)
    for axes in places[len(keys) :]:
        axes.set_axis_off()


def draw_lines(axes: Axes, rows: Sequence[Row]) -> None:
    """Draw a curve for every line of rows over their axis."""
    for name in dict.fromkeys(r.line for r in rows):
        own = sorted((r for r in rows if r.line == name), key=lambda r: r.at or 0.0)
        at = [r.at or 0.0 for r in own]
        options = {"marker": "o", "markersize": 4, "capsize": 3, "linewidth": 1.3}
        axes.errorbar(at, [r.mean for r in own], [r.std for r in own], label=name, **options)  # type: ignore[arg-type]
    ticks = sorted({r.at or 0.0 for r in rows})
    if logarithmic(ticks):
        axes.set_xscale("log")
    axes.set_xticks(ticks, [f"{v:g}" for v in ticks])
    axes.minorticks_off()
    axes.set(xlabel=rows[0].axis, ylabel=rows[0].unit)
    axes.grid(alpha=0.25, linewidth=0.5)
    axes.legend(fontsize=7.5, frameon=False, loc="best")


def draw_points(axes: Axes, rows: Sequence[Row]) -> None:
    """Draw every row as a point with the range of its chips, one below another."""
    for place, r in enumerate(rows):
        mean = min(max(r.mean, min(r.values)), max(r.values))  # of equal values it may be off in its last bit
        bar = [[mean - min(r.values)], [max(r.values) - mean]]
        axes.errorbar(mean, place, xerr=bar, fmt="o", capsize=3, markersize=4, color="C0" if r.baseline else "black")
        text, options = f"{r.mean:.4g}", {"textcoords": "offset points", "fontsize": 7, "ha": "center"}
        axes.annotate(text, (r.mean, place), (0, 5), **options)  # type: ignore[arg-type]
    axes.set_yticks(range(len(rows)), [r.case for r in rows], fontsize=7.5)
    axes.invert_yaxis()
    axes.margins(x=0.12, y=0.1)
    axes.set(xlabel=rows[0].unit)
    axes.grid(alpha=0.25, axis="x", linewidth=0.5)
