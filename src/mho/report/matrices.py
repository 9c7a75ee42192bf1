"""Figures of a layer: weights, conductances with their bounds, pulses per device."""

from __future__ import annotations

import numpy as np

from mho.report import words
from mho.report.figure import BLUE, GREEN, ORANGE, RED, Figure, log_axis, number, plain, rgba
from mho.report.layers import Bounds, Histogram, Layer, Pulses

ENDURANCE = 1e6
"""Pulses for which the caption says when the most pulsed device has got them."""


def layer_figures(layer: Layer, epochs: int) -> list[Figure]:
    """Return the figures of one layer; a layer without pulses has none of them."""
    found = [_states(layer)] if layer.weights is None else [_weights(layer, layer.weights), _states(layer)]
    if layer.pulses is not None and layer.pulses.highest:
        found += [_pulses(layer, layer.pulses, epochs), _map(layer, layer.pulses.map)]
    return found


def _over(layer: Layer) -> str:
    return "" if layer.chips == 1 else f", {layer.chips} chips together"


def _weights(layer: Layer, w: Histogram) -> Figure:
    rows, columns = layer.shape
    text = (
        f"{rows} x {columns} weights (outputs x inputs, with a bias column where it is in the array)"
        f"{_over(layer)}: mean {w.mean:.3g}, standard deviation {w.std:.3g}."
    )
    figure = Figure(f"weights-{layer.name}", "Weights", text, "weight", "weights per bin")
    figure.bars(w.edges, w.counts, "")
    return figure


def _states(layer: Layer) -> Figure:
    s = layer.states
    text = (
        f"State of every device{_over(layer)}, in normalised units: the configuration gives no siemens. "
        f"Mean {s.mean:.3g}, standard deviation {s.std:.3g}."
    )
    unit = "conductance (normalised units)"
    figure = Figure(f"states-{layer.name}", "Conductances", text, unit, "devices per bin")
    figure.bars(s.edges, s.counts, "states")
    if layer.bounds is None:
        figure.caption += " The law of these devices has no bounds of its own."
    else:
        _mark_bounds(figure, layer.bounds, float(max(s.counts.max(), 1)))
    if layer.frozen:
        figure.caption += f" {words.percent(layer.frozen)} of the devices are dead or stuck."
    return figure


def _mark_bounds(figure: Figure, bounds: Bounds, top: float) -> None:
    """Add the devices' bounds: outlines where devices differ, lines where they do not."""
    for bound, label, colour in ((bounds.low, "lowest", ORANGE), (bounds.high, "highest", GREEN)):
        edges = bound.edges
        if bound.std > edges[1] - edges[0] and bound.counts.any():
            figure.outline(edges, bound.counts, f"{label} states", colour)
        elif edges[0] <= bound.mean <= edges[-1]:
            figure.mark(bound.mean, top, f"{label} state {bound.mean:.3g}", colour)
    figure.caption += (
        f" Lowest and highest states of the devices are {bounds.low.mean:.3g} and {bounds.high.mean:.3g} "
        f"in the mean; {words.percent(float(bounds.at_low.mean()))} of the devices are within 1 % of their "
        f"range of the lowest, {words.percent(float(bounds.at_high.mean()))} of the highest."
    )


def _pulses(layer: Layer, pulses: Pulses, epochs: int) -> Figure:
    h = pulses.histogram
    text = (
        f"How often each device was pulsed{_over(layer)}: {words.count(h.mean)} times in the mean, at most "
        f"{words.count(pulses.highest)} times; {words.percent(pulses.never)} never. "
        "Bins grow with the number of pulses."
    )
    if epochs:
        lasts = words.count(ENDURANCE / pulses.highest * epochs)
        text += (
            f" At this rate the most pulsed device gets 10<sup>6</sup> pulses in {lasts} epochs: compare "
            "that with the endurance of your device."
        )
    figure = Figure(f"pulses-{layer.name}", "Pulses per device", text, "pulses per device", "devices per bin")
    figure.outline(h.edges, h.counts, "devices", BLUE, fill="tozeroy", fillcolor=rgba(BLUE, 0.25))
    top = float(max(h.counts.max(), 1))
    if h.mean >= 1:
        figure.mark(h.mean, top, f"mean {words.count(h.mean)}", ORANGE)
    figure.mark(pulses.highest, top, f"maximum {words.count(pulses.highest)}", RED)
    first = h.edges[np.flatnonzero(h.counts)[0]]
    ends = [float(np.log10(first)) - 0.05, float(np.log10(h.edges[-1])) + 0.05]
    figure.layout["xaxis"] = {**log_axis((first, h.edges[-1])), "range": ends}
    return figure


def _map(layer: Layer, grid: np.ndarray) -> Figure:
    rows, columns = layer.shape
    high, wide = rows / grid.shape[0], columns / grid.shape[1]
    blocks = "" if grid.shape == layer.shape else f" and over blocks of about {high:.1f} x {wide:.1f} devices"
    text = (
        f"Pulses per device by place in the layer's matrix, mean over chips{blocks}. "
        "Dark: inputs that are seldom on, or outputs with small errors."
    )
    figure = Figure(f"map-{layer.name}", "Where the pulses went", text, "column (input)", "row (output)")
    figure.traces.append(
        {
            "type": "heatmap", "z": [plain(row) for row in np.asarray(grid)], "colorscale": "Viridis",
            "x0": number(wide / 2 - 0.5), "dx": number(wide),
            "y0": number(high / 2 - 0.5), "dy": number(high),
            "colorbar": {"title": {"text": "pulses"}, "thickness": 14},
            "hovertemplate": "column %{x:.0f}, row %{y:.0f}: %{z:.4g} pulses<extra></extra>",
        }
    )  # fmt: skip
    figure.layout["yaxis"] = {"autorange": "reversed", "showgrid": False}
    figure.layout["xaxis"] = {"showgrid": False}
    return figure
