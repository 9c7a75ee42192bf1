"""Figures as plain Plotly JSON: axes, lines, bands, bars and marks in one look."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mho.report import scale as scales
from mho.report.scale import Scale

BLUE, ORANGE, GREEN, RED, GREY = "#2563eb", "#ea7317", "#15803d", "#b91c1c", "#6b7280"
COLOURS = (BLUE, ORANGE, GREEN, "#7c3aed", RED, "#0e7490", "#a16207", "#be185d")
DIGITS = 6
"""Significant digits of numbers in a page."""


@dataclass
class Figure:
    """One figure: its name in the page, a title, a caption in plain words, and Plotly's traces and layout.

    also_x, also_y: a second scale of the axis, at the top and on the right.
    """

    name: str
    title: str
    caption: str
    x: str
    y: str
    traces: list[dict[str, Any]] = field(default_factory=list)
    layout: dict[str, Any] = field(default_factory=dict)
    also_x: Scale | None = None
    also_y: Scale | None = None

    def line(self, x: Iterable[float], y: Iterable[float], label: str = "", colour: str = BLUE, **more: Any) -> None:
        """Add a line; `faint=True` for one of many, which has no entry in the legend."""
        faint = more.pop("faint", False)
        style = {
            "color": rgba(colour, 0.4) if faint else colour,
            "width": 1 if faint else 2,
            **more.pop("line", {}),
        }
        self.traces.append(
            {
                "type": "scatter", "mode": "lines", "x": plain(x), "y": plain(y), "line": style,
                "name": label, "showlegend": bool(label) and not faint,
                **({"hoverinfo": "skip"} if faint else {}), **more,
            }
        )  # fmt: skip

    def points(self, x: Iterable[float], y: Iterable[float], label: str, colour: str) -> None:
        """Add a line with its points marked."""
        self.line(x, y, label, colour, mode="lines+markers", marker={"size": 5})

    def band(
        self, x: Iterable[float], low: Iterable[float], high: Iterable[float], colour: str, label: str = ""
    ) -> None:
        """Add a filled band between two lines; the caption says what it is, and the label in a picture without one."""
        edge = {
            "type": "scatter", "mode": "lines", "x": plain(x), "line": {"width": 0}, "hoverinfo": "skip",
            "showlegend": False,
        }  # fmt: skip
        self.traces.append({**edge, "y": plain(low)})
        self.traces.append(
            {**edge, "y": plain(high), "fill": "tonexty", "fillcolor": rgba(colour, 0.18), "name": label}
        )

    def bars(self, edges: np.ndarray, counts: np.ndarray, label: str, colour: str = BLUE) -> None:
        """Add a histogram of equal bins."""
        width = float(edges[1] - edges[0])
        self.traces.append(
            {
                "type": "bar", "x": plain((edges[:-1] + edges[1:]) / 2), "y": plain(counts),
                "width": number(width),
                "name": label, "marker": {"color": rgba(colour, 0.75), "line": {"width": 0}},
            }
        )  # fmt: skip
        self.layout.setdefault("bargap", 0)

    def outline(self, edges: np.ndarray, counts: np.ndarray, label: str, colour: str, **more: Any) -> None:
        """Add a histogram as an outline over its bins, which may differ in width."""
        style = {"shape": "hv", **more.pop("line", {})}
        self.line(edges, [*np.asarray(counts).tolist(), 0], label, colour, line=style, **more)

    def mark(self, at: float, top: float, label: str, colour: str = GREY) -> None:
        """Add a dashed vertical line from 0 to `top`; its label stands in the legend."""
        self.line([at, at], [0, top], label, colour, line={"dash": "dash", "width": 1.5})

    def json(self) -> dict[str, Any]:
        """Return what Plotly draws: traces and layout."""
        axis = {
            "gridcolor": "#e5e7eb", "zeroline": False, "linecolor": "#9ca3af", "ticks": "outside",
            "automargin": True,
        }  # fmt: skip
        layout: dict[str, Any] = {
            "height": 330, "paper_bgcolor": "white", "plot_bgcolor": "white", "hovermode": "closest",
            "font": {"family": "system-ui, sans-serif", "size": 12, "color": "#1f2937"},
            "margin": {"l": 60, "r": 16, "t": 12, "b": 48},
            "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 11},
                       "traceorder": "normal"},
            "showlegend": any(t.get("showlegend", bool(t.get("name"))) for t in self.traces),
        }  # fmt: skip
        own = {key: value for key, value in self.layout.items() if key not in ("xaxis", "yaxis")}
        for key, title in (("xaxis", self.x), ("yaxis", self.y)):
            own[key] = {**axis, "title": {"text": title, "standoff": 8}, **self.layout.get(key, {})}
        more, traces = self._second_axes(), list[dict[str, Any]]()
        if more:  # an axis is drawn when a trace has it
            traces = [{"type": "scatter", "x": [None], "y": [None], "showlegend": False} | _axes_of(more)]
        if "xaxis2" in more:  # the legend makes room for the axis at the top
            layout |= {"legend": {**layout["legend"], "y": 1.22}, "height": layout["height"] + 40}
        return {"data": [*self.traces, *traces], "layout": {**layout, **own, **more}}

    def _second_axes(self) -> dict[str, Any]:
        """Return the layout of the second axes, which follow the first when a reader zooms."""
        found = {}
        pairs = (("x", self.also_x, "top"), ("y", self.also_y, "right"))
        for one, scale, side in ((one, scale, side) for one, scale, side in pairs if scale is not None):
            values = [v for t in self.traces for v in t[one] if v is not None]
            beside = {"overlaying": one, "matches": one, "side": side}
            found[f"{one}axis2"] = scales.axis(scale, beside, min(values), max(values))
        return found


def _axes_of(layout: dict[str, Any]) -> dict[str, str]:
    """Return what puts a trace on second axes."""
    return {key.removesuffix("2"): key[0] + "2" for key in layout}


def log_axis(values: Iterable[float]) -> dict[str, Any]:
    """Return a logarithmic axis for values above 0; fewer than 1.5 decades get labels in between."""
    found = [v for v in values if v > 0]
    decades = math.log10(max(found) / min(found)) if found else 0.0
    return {"type": "log", "exponentformat": "power", "dtick": 1 if decades > 1.5 else "D2"}


def rgba(colour: str, alpha: float) -> str:
    """Return a #rrggbb colour with an opacity."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha})"


def number(value: float) -> float | int | None:
    """Return a number as JSON has it, with 6 significant digits: None for NaN and infinity."""
    value = float(value)
    if not math.isfinite(value):
        return None
    return int(value) if value.is_integer() and abs(value) < 2**53 else float(f"{value:.{DIGITS}g}")


def plain(values: Iterable[float]) -> list[float | int | None]:
    """Return numbers as JSON has them."""
    return [number(v) for v in values]
