"""Accuracy over time since programming: the figure of the page, and the same as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any

from mho.inference.over_time import Moment
from mho.inference.times import UNITS
from mho.report.figure import BLUE, GREY, RED, Figure
from mho.report.static import draw

MARKS = {
    "1 s": 1.0, "1 min": UNITS["min"], "1 h": UNITS["h"], "1 d": UNITS["d"], "1 month": UNITS["y"] / 12,
    "1 y": UNITS["y"], "10 y": 10 * UNITS["y"],
}  # fmt: skip
"""What stands along the axis of time: from a second to ten years."""
MOST = 16
"""Chips drawn one by one."""


def time_figure(moments: Sequence[Moment], digital: float) -> Figure:
    """Return accuracy over time on a logarithmic axis: mean, spread, worst chip, and the digital network beside them.

    A moment before the first mark stands there.
    """
    chips = len(moments[0].accuracy)
    parts = [f"line: mean of {chips} chips. Band: their standard deviation. Red: the worst chip at each time"]
    parts += [] if chips > MOST else ["thin: every chip"]
    caption = f"{'. '.join(part[0].upper() + part[1:] for part in parts)}. Dashed: the trained weights in exact digits."
    figure = Figure("accuracy-over-time", "Accuracy over time", caption, "time since programming", "test accuracy (%)")
    at, means = [max(m.seconds, 1.0) for m in moments], [m.mean for m in moments]
    if chips > 1:
        low, high = ([m.mean + side * m.std for m in moments] for side in (-1, 1))
        figure.band(at, low, high, BLUE, "± standard deviation")
        for k in range(chips if chips <= MOST else 0):
            figure.line(at, [m.accuracy[k] for m in moments], colour=GREY, faint=True)
        figure.points(at, [m.worst for m in moments], "worst chip", RED)
    figure.points(at, means, f"mean of {chips} chips" if chips > 1 else "the chip", BLUE)
    first, last = ends(moments)
    figure.line([first, last], [digital, digital], "digital", GREY, line={"dash": "dash", "width": 1.5})
    figure.layout["xaxis"] = {
        "type": "log", "tickmode": "array", "tickvals": list(MARKS.values()), "ticktext": list(MARKS),
    }  # fmt: skip
    return figure


def ends(moments: Sequence[Moment]) -> tuple[float, float]:
    """Return the ends of the axis of time: a second and ten years, or later."""
    return 1.0, max(MARKS["10 y"], moments[-1].seconds)


def picture(title: str, moments: Sequence[Moment], digital: float) -> bytes:
    """Return the figure as PNG."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

    with rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 10}):
        canvas = Canvas(figsize=(7.2, 4.2), layout="constrained")
        FigureCanvasAgg(canvas)
        axes: Any = canvas.add_subplot()
        figure = time_figure(moments, digital)
        draw(axes, figure)
        for trace in figure.traces:
            if trace["mode"] == "lines+markers":
                axes.plot(trace["x"], trace["y"], "o", ms=4, color=trace["line"]["color"])
        axes.set_xscale("log")
        axes.set_xticks(list(MARKS.values()), list(MARKS))
        axes.minorticks_off()
        axes.set_title(title, loc="left", pad=8)
        axes.grid(color="#e5e7eb", lw=0.8)
        out = BytesIO()
        canvas.savefig(out, format="png", dpi=130, metadata={"Software": None})
    return out.getvalue()
