"""Line plots: penalty and accuracy over one setting, with error bars; with many settings what each of them allows."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import isfinite
from textwrap import shorten
from typing import Any

import numpy as np

from mho.report.figure import BLUE, COLOURS, GREEN, GREY, RED, Figure, plain, rgba
from mho.sweep.report.limits import Limit
from mho.sweep.report.look import FAILED, axis_layout, hover
from mho.sweep.report.requirements import Requirement
from mho.sweep.report.results import DONE, Axis, Grid, Point, Results, Value
from mho.sweep.report.text import value_text

TOP = 5.0
"""Thresholds above the threshold at which the axis of penalties ends at first, so that the crossing is seen."""
FEW_LINES, FEW_BARS = 7, 40
ASIDE, LEGEND = 0.07, 34
"""Of marks over a name the distance beside each other; characters of a line's name."""


def single(results: Results, grid: Grid, name: str, found: Requirement) -> list[Figure]:
    """Return penalty near the threshold, and accuracy over its whole range, over the only axis of a grid."""
    axis = grid.axes[0]
    text = (
        f"<b>{escape(found.text)}</b>. Dots: chips. Points: their mean with its 95 % confidence interval. "
        "Dashed: the threshold."
    )
    text += " Shaded: interval of the limit." if found.limits else ""
    near = Figure(f"{name}-penalty", f"Penalty over {axis.name}", text, axis.name, "penalty (points)")
    top = _top(results, grid.points)
    _chips(near, axis, grid.points, top)
    _means(near, axis, grid.points, top)
    _threshold(near, axis, results.threshold)
    for limit in found.limits:
        _limit(near, axis, limit)
    above = [p for p in grid.points if p.mean > top]
    near.caption += " Triangles at the upper edge: means far above it." if above else ""
    low = _low(results, [p for p in grid.points if p.mean <= top])
    near.layout |= {"xaxis": axis_layout(axis), "yaxis": {"range": _span(low, top)}}
    return [near, _accuracy(results, grid, name)]


def _bars(points: Sequence[Point], *, of_penalty: bool = True) -> dict[str, Any]:
    """Return error bars of mean penalties, or of accuracies, which have the same intervals the other way round."""
    down = [_bar(p.mean - p.interval[0]) for p in points]
    up = [_bar(p.interval[1] - p.mean) for p in points]
    if not of_penalty:
        down, up = up, down
    return {"type": "data", "symmetric": False, "array": plain(up), "arrayminus": plain(down)}


def _bar(length: float) -> float:
    """Return the length of a bar: none where an interval is not known."""
    return max(0.0, length) if isfinite(length) else 0.0


def _low(results: Results, points: Sequence[Point]) -> float:
    """Return where an axis of penalties begins: below all means, and all bars but those that are far too long."""
    lowest, limit = results.scale[:2]
    bars = min((p.mean - _bar(p.mean - p.interval[0]) for p in points), default=limit)
    return min([_bottom(results), max(bars, lowest - TOP * (limit - lowest)), *(p.mean for p in points)])


def _top(results: Results, points: Sequence[Point]) -> float:
    highest = max((p.mean + _bar(p.interval[1] - p.mean) for p in points if isfinite(p.mean)), default=0.0)
    lowest, limit, above, _ = results.scale
    return max(min(highest + 0.1 * abs(highest), limit + TOP * (limit - lowest)), (limit + above) / 2)


def _bottom(results: Results) -> float:
    lowest, limit = results.scale[:2]
    return lowest - 0.3 * (limit - lowest)


def _span(low: float, high: float) -> list[float]:
    return [low - 0.02 * (high - low), high + 0.06 * (high - low)]


def _chips(figure: Figure, axis: Axis, points: Sequence[Point], top: float) -> None:
    pairs = [(axis.place[p.values[0]], v) for p in points for v in p.penalty if v <= top and len(p.penalty) > 1]
    figure.traces.append(
        {
            "type": "scatter", "mode": "markers", "x": plain(x for x, _ in pairs), "y": plain(y for _, y in pairs),
            "marker": {"size": 4, "color": rgba(GREY, 0.55)}, "hoverinfo": "skip", "showlegend": False,
        }
    )  # fmt: skip


def _means(figure: Figure, axis: Axis, points: Sequence[Point], top: float) -> None:
    """Add means with error bars; those above the picture and failed ones as marks at its upper edge."""
    both = sorted(points, key=lambda p: axis.place[p.values[0]])
    shown = [p for p in both if isfinite(p.mean)]
    figure.traces.append(
        {
            "type": "scatter", "mode": "lines+markers" if axis.numeric else "markers", "line": {"color": BLUE},
            "x": plain(axis.place[p.values[0]] for p in shown), "y": plain(p.mean for p in shown),
            "error_y": {**_bars(shown), "thickness": 1.3, "width": 4},
            "marker": {"size": 7, "color": BLUE}, "text": [hover([axis], p) for p in shown],
            "hovertemplate": "%{text}<extra></extra>", "showlegend": False,
        }
    )  # fmt: skip
    above = [p for p in shown if p.mean > top]
    failed = [p for p in both if p.status != DONE]
    for marked, symbol, colour, label in ((above, "triangle-up", RED, "far above"), (failed, "x", FAILED, "failed")):
        if marked:
            figure.traces.append(
                {
                    "type": "scatter", "mode": "markers", "name": label, "cliponaxis": False,
                    "x": plain(axis.place[p.values[0]] for p in marked), "y": [top] * len(marked),
                    "marker": {"size": 9, "symbol": symbol, "color": colour},
                    "text": [hover([axis], p) for p in marked], "hovertemplate": "%{text}<extra></extra>",
                }
            )  # fmt: skip


def _threshold(figure: Figure, axis: Axis, threshold: float) -> None:
    for height, style in ((threshold, {"color": RED, "dash": "dash"}), (0.0, {"color": GREY, "width": 1})):
        figure.layout.setdefault("shapes", []).append(
            {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": height, "y1": height, "line": style}
        )


def _limit(figure: Figure, axis: Axis, limit: Limit) -> None:
    """Draw a limit, and its interval: an open end reaches to the last value of the axis."""
    ends = [
        v if v is not None else side for v, side in zip(limit.ends, (axis.numbers[0], axis.numbers[-1]), strict=True)
    ]
    both = {"yref": "paper", "y0": 0, "y1": 1}
    shapes = figure.layout.setdefault("shapes", [])
    if limit.measured and not limit.failed:
        shade = {"fillcolor": rgba(GREEN, 0.13), "line": {"width": 0}, "layer": "below"}
        shapes.append({"type": "rect", "x0": ends[0], "x1": ends[1], **both, **shade})
    shapes.append(
        {"type": "line", "x0": limit.value, "x1": limit.value, **both, "line": {"color": GREEN, "width": 1.5}}
    )


def _accuracy(results: Results, grid: Grid, name: str) -> Figure:
    axis = grid.axes[0]
    text = "Mean test accuracy over chips, with the same intervals. Grey: the baseline. Dashed: the threshold below it."
    figure = Figure(f"{name}-accuracy", f"Test accuracy over {axis.name}", text, axis.name, "test accuracy (%)")
    shown = sorted((p for p in grid.points if p.accuracy), key=lambda p: axis.place[p.values[0]])
    figure.traces.append(
        {
            "type": "scatter", "mode": "lines+markers" if axis.numeric else "markers", "line": {"color": BLUE},
            "x": plain(axis.place[p.values[0]] for p in shown),
            "y": plain(float(np.mean(p.accuracy)) for p in shown),
            "error_y": {**_bars(shown, of_penalty=False), "thickness": 1.3, "width": 4},
            "marker": {"size": 7}, "text": [hover([axis], p) for p in shown],
            "hovertemplate": "%{y:.2f} %<br>%{text}<extra></extra>", "showlegend": False,
        }
    )  # fmt: skip
    _baselines(figure, results, axis, grid.points)
    figure.layout["xaxis"] = axis_layout(axis)
    return figure


def _baselines(figure: Figure, results: Results, axis: Axis, points: Sequence[Point]) -> None:
    """Add what accuracies are counted from: lines, or for baselines that differ along the axis marks."""
    counted = [p for p in points if p.baseline]
    if len({p.baseline for p in counted}) == 1:
        mean = float(np.mean(counted[0].baseline))
        styles = ((mean, {"color": GREY}), (mean - results.threshold, {"color": RED, "dash": "dash"}))
        figure.layout["shapes"] = [
            {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": y, "y1": y, "line": style} for y, style in styles
        ]
        return
    for below, label, colour in ((0.0, "baseline", GREY), (results.threshold, "threshold", RED)):
        figure.traces.append(
            {
                "type": "scatter", "mode": "markers", "name": label, "showlegend": bool(counted),
                "x": plain(axis.place[p.values[0]] for p in counted),
                "y": plain(float(np.mean(p.baseline)) - below for p in counted),
                "marker": {"symbol": "line-ew-open", "size": 22, "color": colour, "line": {"width": 2}},
            }
        )  # fmt: skip


def pairs(results: Results, grid: Grid, name: str) -> list[Figure]:
    """Return the penalty over each axis of a map, a line for some values of the other."""
    return [_pair(results, grid, f"{name}-lines-{k}", k) for k in (0, 1)]


def _pair(results: Results, grid: Grid, name: str, k: int) -> Figure:
    axis, other = grid.axes[k], grid.axes[1 - k]
    chosen = spaced(other.values, FEW_LINES)
    text = f"{len(chosen)} values of {escape(other.name)} have a line each. Bars: 95 % confidence interval of the mean."
    figure = Figure(name, f"Penalty over {axis.name}", text, axis.name, "penalty (points)")
    top = _top(results, grid.points)
    for n, (value, colour) in enumerate(zip(chosen, COLOURS, strict=False)):
        aside = 0.0 if axis.numeric else ASIDE * (n - (len(chosen) - 1) / 2)
        own = [p for p in grid.points if p.values[1 - k] == value and isfinite(p.mean)]
        own.sort(key=lambda p: axis.place[p.values[k]])
        figure.points(
            [axis.place[p.values[k]] + aside for p in own], [p.mean for p in own],
            shorten(f"{other.name} {value_text(value, other.name)}", LEGEND, placeholder=" …"), colour,
        )  # fmt: skip
        figure.traces[-1] |= {
            "mode": "lines+markers" if axis.numeric else "markers",
            "error_y": {**_bars(own), "thickness": 1, "width": 3, "visible": len(own) <= FEW_BARS},
            "text": [hover(grid.axes, p) for p in own], "hovertemplate": "%{text}<extra></extra>",
        }  # fmt: skip
    _threshold(figure, axis, results.threshold)
    figure.layout |= {
        "xaxis": axis_layout(axis),
        "yaxis": {"range": _span(_bottom(results), top)},
        "height": 360,
    }
    return figure


def spaced(values: Sequence[Value], most: int) -> list[Value]:
    """Return at most so many of some values, evenly spaced, first and last among them."""
    if len(values) <= most:
        return list(values)
    return [values[round(k * (len(values) - 1) / (most - 1))] for k in range(most)]


def envelopes(results: Results, grid: Grid, name: str) -> list[Figure]:
    """Return for every axis of a grid of many what each of its values allows, whatever the other settings are."""
    return [
        _envelope(results, grid, f"{name}-reach-{k}", k) for k in range(len(grid.axes)) if len(grid.axes[k].values) > 1
    ]


def _envelope(results: Results, grid: Grid, name: str, k: int) -> Figure:
    axis = grid.axes[k]
    groups: dict[float, list[float]] = {}
    for p in grid.points:
        if isfinite(p.mean):
            groups.setdefault(axis.place[p.values[k]], []).append(p.mean)
    at = sorted(groups)
    quantiles = np.array([np.quantile(groups[x], (0.0, 0.25, 0.5, 0.75)) for x in at]).reshape(-1, 4)
    text = (
        "Over all other settings: the lowest penalty, the median, and the middle half as a band. Dashed: the threshold."
    )
    figure = Figure(name, f"What {axis.name} allows", text, axis.name, "penalty (points)")
    if axis.numeric:
        figure.band(at, quantiles[:, 1], quantiles[:, 3], BLUE)
        figure.line(at, quantiles[:, 2], "median", BLUE)
    else:
        bars = {"array": plain(quantiles[:, 3] - quantiles[:, 2]), "arrayminus": plain(np.diff(quantiles)[:, 1])}
        half = {"type": "data", "symmetric": False, "thickness": 9, "width": 0, "color": rgba(BLUE, 0.3), **bars}
        figure.line(at, quantiles[:, 2], "median", BLUE, mode="markers", error_y=half)
    figure.points(at, quantiles[:, 0], "lowest", GREEN)
    figure.traces[-1]["mode"] = "lines+markers" if axis.numeric else "markers"
    _threshold(figure, axis, results.threshold)
    span: dict[str, Any] = {"range": _span(_bottom(results), _top(results, grid.points))}
    figure.layout |= {"xaxis": axis_layout(axis), "yaxis": span}
    return figure
