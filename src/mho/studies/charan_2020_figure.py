"""The figure of charan-2020: for each network the methods, accuracy over the share of digital values, and speed-up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mho.studies.bench import Row
from mho.studies.bench_figure import draw_lines, draw_points
from mho.studies.figure import FLOOR, plain_numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SPEED = "times faster than read-verify-write"


def draw(figure: Figure, rows: Sequence[Row]) -> None:
    """Draw a line of three panels for every network that there are rows of."""
    shown = [group for group in dict.fromkeys(r.group for r in rows) if not group.endswith(": cost")]
    figure.set_size_inches(14.0, 4.4 * max(1, len(shown)))
    places = figure.subplots(max(1, len(shown)), 3, squeeze=False)
    for line, label in zip(places, shown, strict=False):
        own = [r for r in rows if r.group == label]
        base = next((r.mean for r in own if r.case == f"{label}: digital"), None)
        points = [r for r in own if not r.axis]
        curves = [r for r in own if r.axis]
        speed = [r for r in rows if r.group == f"{label}: cost" and r.unit == SPEED]
        _methods(line[0], label, points, base)
        _fractions(line[1], curves, points, base)
        _speed(line[2], speed)


def _methods(axes: Axes, label: str, rows: Sequence[Row], base: float | None) -> None:
    draw_points(axes, rows)
    axes.set_yticks(range(len(rows)), [r.case.removeprefix(f"{label}: ") for r in rows], fontsize=7.5)
    axes.set_title(label, fontsize=9)
    if base is not None:
        axes.axvline(base, color="black", linestyle="--", linewidth=1)


def _fractions(axes: Axes, rows: Sequence[Row], points: Sequence[Row], base: float | None) -> None:
    """Draw the curves as errors, with the methods that have no digital values as lines across."""
    if not rows:
        axes.set_axis_off()
        return
    draw_lines(axes, [replace(r, values=tuple(_error(v) for v in r.values), unit="% test error") for r in rows])
    for row, colour in zip((r for r in points if r.case.endswith((": KD", ": VAT"))), ("C2", "C3"), strict=False):
        axes.axhline(_error(row.mean), color=colour, linestyle=":", linewidth=1, label=row.case.rpartition(": ")[2])
    if base is not None:
        axes.axhline(_error(base), color="black", linestyle="--", linewidth=1, label="digital")
    axes.set_yscale("log")
    plain_numbers(axes.yaxis)
    axes.legend(fontsize=7.5, frameon=False, loc="best")


def _error(accuracy: float) -> float:
    return max(FLOOR, 100.0 - accuracy)


def _speed(axes: Axes, rows: Sequence[Row]) -> None:
    if not rows:
        axes.set_axis_off()
        return
    draw_lines(axes, rows)
    axes.set_yscale("log")
    axes.axhspan(15, 150, color="0.9", zorder=0, label="published: 15 to 150")
    axes.legend(fontsize=7.5, frameon=False, loc="best")
