"""What the figures of a sweep share: axes, the colours of penalties, marks of failed points."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from math import isfinite, log10
from textwrap import shorten, wrap
from typing import Any

from mho.report.figure import number
from mho.report.words import plural
from mho.sweep.report.results import Axis, Point
from mho.sweep.report.text import in_percent, point_text, points_text, value_text

FEW_TICKS, TICKS = 9, 6
FEW_LABELS, NARROW, WIDE = 4, 14, 22
"""Up to FEW_LABELS names are written in lines of NARROW characters, more of them in one of WIDE."""
SCALE = (
    (0.0, "#1e40af"), (1 / 6, "#3b82f6"), (0.333, "#dbeafe"), (0.334, "#fef3c7"), (0.55, "#fbbf24"), (0.8, "#dc2626"),
    (1.0, "#7f1d1d"),
)  # fmt: skip
"""Blue up to the threshold, at a third of the scale, yellow to red above it: told apart by the colour-blind, too."""
FAILED = "#111827"
NAMED = {"ticklabeloverflow": "allow", "autotickangles": [0, 90]}
"""Of an axis of names: all of them are written, side by side or, in a narrow window, upright."""


def axis_layout(axis: Axis) -> dict[str, Any]:
    """Return Plotly's axis of a setting: few values are all written out, names stand at their places."""
    layout: dict[str, Any] = {"title": {"text": axis.name, "standoff": 8}, "type": "log" if axis.log else "linear"}
    if not axis.numeric:
        layout |= {"range": [-0.5, len(axis.values) - 0.5], "showgrid": False, **NAMED}
    if axis.numeric and not axis.log and len(axis.values) > FEW_TICKS:
        return {**layout, **({"tickformat": "~%"} if in_percent(axis.name) else {})}
    shown = ticks(axis)
    return {**layout, "tickmode": "array", "tickvals": [v for v, _ in shown], "ticktext": [t for _, t in shown]}


def ticks(axis: Axis) -> list[tuple[float, str]]:
    """Return places and texts along an axis: all of few values, round numbers among many."""
    if not axis.numeric:
        return list(zip(axis.numbers, labels(axis), strict=True))
    if len(axis.values) <= FEW_TICKS:
        return [(n, value_text(v, axis.name)) for n, v in zip(axis.numbers, axis.values, strict=True)]
    low, high = axis.numbers[0], axis.numbers[-1]
    if axis.log:
        decades = range(round(log10(low)) - 1, round(log10(high)) + 2)
        found = [m * 10.0**d for d in decades for m in (1, 2, 5) if low <= m * 10.0**d <= high]
        found = found if len(found) <= 2 * TICKS else [v for v in found if f"{v:e}".startswith("1.0")]
    else:
        step = (high - low) / (TICKS - 1)
        found = [low + n * step for n in range(TICKS)]
    return [(v, value_text(float(f"{v:.3g}"), axis.name)) for v in found]


def labels(axis: Axis, *, lines: int = 3) -> list[str]:
    """Return the values of an axis of names in few short lines each, no two of them alike."""
    width, most = (NARROW, lines) if len(axis.values) <= FEW_LABELS and lines > 1 else (WIDE, 1)
    found: list[str] = []
    for n, value in enumerate(axis.values):
        parts = wrap(value_text(value), width)
        short = "<br>".join(escape(part, quote=False) for part in parts[:most]) + ("…" if len(parts) > most else "")
        found.append(short if short not in found else f"{short} ({n + 1})")
    return found


def colours(scale: Sequence[float]) -> dict[str, Any]:
    """Return the colour axis of penalties over `Results.scale`; what lies far outside has the colours of its ends."""
    texts = [f"{v:.3g}" for v in scale[:-1]] + [f"≥ {scale[-1]:.3g}"]
    bar = {  # below the picture, so that a phone's whole width is left for it
        "title": {"text": "penalty (points)", "side": "top", "font": {"size": 11}}, "tickmode": "array",
        "tickvals": list(scale), "ticktext": texts, "thickness": 12, "outlinewidth": 0, "orientation": "h", "len": 0.9,
        "x": 0.5, "y": -0.19, "yanchor": "top",
    }  # fmt: skip
    return {"colorscale": [list(stop) for stop in SCALE], "cmin": scale[0], "cmax": scale[-1], "colorbar": bar}


def hover(axes: Iterable[Axis], point: Point) -> str:
    """Return what the page says of a point under the mouse."""
    chips = plural(len(point.penalty), "chip")
    spread = f" ± {point.half:.2f}" if isfinite(point.half) else ""
    found = f"penalty {points_text(point.mean)}{spread} points, {chips}" if isfinite(point.mean) else "no penalty"
    wrong = f"<br>{point.status}: {wrapped(point.reason)}" if point.status != "done" else ""
    return f"{point_text(list(axes), point)}<br>{found}{wrong}"


def wrapped(text: str, width: int = 60) -> str:
    """Return a text in lines for Plotly, without what it would take for a tag."""
    plain = shorten(" ".join(text.split()), 240, placeholder=" …").replace("&", "&amp;").replace("<", "&lt;")
    return "<br>".join(wrap(plain, width))


def thin(values: Iterable[float]) -> list[float | int | None]:
    """Return numbers with four digits, None where they are not finite: a page of thousands of points stays small."""
    return [number(float(f"{v:.4g}")) for v in values]
