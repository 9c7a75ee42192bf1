"""Figures as a picture: what Plotly draws in a page, drawn by matplotlib."""

from __future__ import annotations

import re
from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from mho.report.figure import Figure
from mho.report.scale import Scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DASHES = {"dash": "--", "dot": ":", "solid": "-"}
WIDTH, TALL, LOW = 11.0, 3.9, 2.2
"""Inches: of the picture, of a row of large figures, of a row of small ones."""
LARGE, SMALL = 2, 4
"""Figures in a row."""


def png(title: str, large: Sequence[Figure], small: Sequence[Figure] = ()) -> bytes:
    """Return a picture: a row or more of large figures, then rows of small ones."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    rows, below = -(-len(large) // LARGE), -(-len(small) // SMALL)
    with rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 10}):
        fit = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.06)
        canvas = Canvas(figsize=(WIDTH, TALL * rows + LOW * below + 0.4), layout=fit)
        FigureCanvasAgg(canvas)
        canvas.suptitle(title, fontsize=11)
        parts: Any = canvas.subfigures(2, 1, height_ratios=(TALL * rows, LOW * below)) if below else (canvas, canvas)
        for part, figures, wide in ((parts[0], large, LARGE), (parts[1], small, SMALL)):
            grid = part.add_gridspec(max(1, -(-len(figures) // wide)), wide)
            for n, figure in enumerate(figures):
                axes = part.add_subplot(grid[divmod(n, wide)])
                axes.locator_params(axis="x", nbins=4 if wide == SMALL else 8)
                draw(axes, figure)
        out = BytesIO()
        canvas.savefig(out, format="png", dpi=130, metadata={"Software": None})
    return out.getvalue()


def draw(axes: Axes, figure: Figure) -> None:
    """Draw a figure of lines, bands, bars and marks; every name is in the legend, since there is no caption."""
    before: dict[str, Any] = {}
    for trace in figure.traces:
        x, y = np.array(trace["x"], float), np.array(trace["y"], float)
        if trace["type"] == "bar":
            axes.bar(x, y, trace["width"], color=_colour(trace["marker"]["color"]), lw=0)
        elif "fill" in trace:
            low = np.array(before["y"], float)
            axes.fill_between(x, low, y, color=_colour(trace["fillcolor"]), lw=0, label=trace["name"] or None)
        elif trace["line"].get("width") != 0:
            _line(axes, x, y, trace)
        before = trace
    axes.set(xlabel=figure.x, ylabel=figure.y)
    if figure.layout.get("yaxis", {}).get("rangemode") == "tozero":
        axes.set_ylim(bottom=0)
    _second_scales(axes, figure)
    if figure.title != figure.x:
        axes.set_title(figure.title, loc="left", pad=8)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(fontsize=8, framealpha=0.7, edgecolor="none")


def _line(axes: Axes, x: np.ndarray, y: np.ndarray, trace: dict[str, Any]) -> None:
    style = trace["line"]
    label = trace["name"] or None
    if trace["mode"] == "markers":
        small = trace.get("marker", {}).get("size", 9) < 6
        axes.plot(
            x,
            y,
            ls="",
            marker="." if small else "D",
            ms=4 if small else 6,
            color=_colour(style["color"]),
            label=label,
            zorder=4,
        )
        return
    axes.plot(
        x, y, ls=DASHES[style.get("dash", "solid")], lw=0.8 * style["width"], color=_colour(style["color"]),
        drawstyle="steps-post" if style.get("shape") == "hv" else "default", label=label,
    )  # fmt: skip


def _second_scales(axes: Axes, figure: Figure) -> None:
    """Add the scales at the top and on the right."""
    if figure.also_x is not None:
        axes.secondary_xaxis("top", functions=_functions(figure.also_x)).set_xlabel(figure.also_x.title)
    if figure.also_y is not None:
        axes.secondary_yaxis("right", functions=_functions(figure.also_y)).set_ylabel(figure.also_y.title)


def _functions(scale: Scale) -> tuple[Any, Any]:
    """Return the way to the other unit, and back."""
    return (lambda v: scale.offset + scale.slope * v), (lambda v: (v - scale.offset) / scale.slope)


def _colour(text: str) -> Any:
    """Return a colour of Plotly as matplotlib has it."""
    found = re.fullmatch(r"rgba\((\d+),(\d+),(\d+),([\d.]+)\)", text)
    if found is None:
        return text
    red, green, blue, alpha = (float(v) for v in found.groups())
    return (red / 255, green / 255, blue / 255, alpha)
