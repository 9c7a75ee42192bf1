"""What the figures of a sweep share: axes, the colours of penalties, marks of failed points."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite
from typing import Any

from mho.report.figure import log_axis, number
from mho.sweep.report.results import Axis, Point
from mho.sweep.report.text import in_percent, point_text, points_text, value_text

FEW_TICKS = 9
SHOWN = 3.0
"""Penalties above so many thresholds have one colour: what lies far outside needs no detail."""
SCALE = (
    (0.0, "#1e40af"), (1 / 6, "#3b82f6"), (0.333, "#dbeafe"), (0.334, "#fef3c7"), (0.55, "#fbbf24"), (0.8, "#dc2626"),
    (1.0, "#7f1d1d"),
)  # fmt: skip
"""Blue up to the threshold, at a third of the scale, yellow to red above it: told apart by the colour-blind, too."""
FAILED = "#111827"


def axis_layout(axis: Axis) -> dict[str, Any]:
    """Return Plotly's axis of a setting: few values are all written out, names stand at their places."""
    title = {"title": {"text": axis.name, "standoff": 8}}
    if not axis.numeric or len(axis.values) <= FEW_TICKS:
        texts = [value_text(v, axis.name) for v in axis.values]
        kind = {"type": "log"} if axis.log else {"type": "linear"}
        return {**title, **kind, "tickmode": "array", "tickvals": axis.numbers, "ticktext": texts}
    more = {"tickformat": "~%"} if in_percent(axis.name) else {}
    return {**title, **(log_axis(axis.numbers) if axis.log else {"type": "linear"}), **more}


def colours(threshold: float) -> dict[str, Any]:
    """Return the colour axis of penalties: from none to SHOWN thresholds."""
    top = SHOWN * threshold
    ticks = [0.0, threshold, 2 * threshold, top]
    texts = [f"{v:.3g}" for v in ticks[:-1]] + [f"≥ {top:.3g}"]
    bar = {
        "title": {"text": "penalty (points)", "side": "right"}, "tickmode": "array", "tickvals": ticks,
        "ticktext": texts, "thickness": 14, "outlinewidth": 0,
    }  # fmt: skip
    return {"colorscale": [list(stop) for stop in SCALE], "cmin": 0.0, "cmax": top, "colorbar": bar}


def hover(axes: Iterable[Axis], point: Point) -> str:
    """Return what the page says of a point under the mouse."""
    chips = f"{len(point.penalty)} chip{'' if len(point.penalty) == 1 else 's'}"
    spread = f" ± {point.half:.2f}" if isfinite(point.half) else ""
    found = f"penalty {points_text(point.mean)}{spread} points, {chips}" if isfinite(point.mean) else "no penalty"
    wrong = f"<br>{point.status}: {wrapped(point.reason)}" if point.status != "done" else ""
    return f"{point_text(list(axes), point)}<br>{found}{wrong}"


def wrapped(text: str, width: int = 60) -> str:
    """Return a text in lines for Plotly, without what it would take for a tag."""
    from textwrap import shorten, wrap

    plain = shorten(" ".join(text.split()), 240, placeholder=" …").replace("&", "&amp;").replace("<", "&lt;")
    return "<br>".join(wrap(plain, width))


def thin(values: Iterable[float]) -> list[float | int | None]:
    """Return numbers with four digits, None where they are not finite: a page of thousands of points stays small."""
    return [number(float(f"{v:.4g}")) for v in values]
