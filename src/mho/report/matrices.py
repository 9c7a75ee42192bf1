"""Figures of a layer: weights, conductances with their bounds, pulses per device."""

from __future__ import annotations

import numpy as np

from mho.report import words
from mho.report.figure import BLUE, GREEN, ORANGE, RED, Figure, number, plain
from mho.report.layers import Layer

ENDURANCE = 1e6
"""Pulses for which the caption says when the most pulsed device has got them."""


def layer_figures(layer: Layer, epochs: int, *, with_map: bool) -> list[Figure]:
    """Return the figures of one layer."""
    found = [_weights(layer), _states(layer)]
    if layer.pulses is not None:
        found.append(_pulses(layer, epochs))
        if with_map:
            found.append(_map(layer))
    return found


def _over(layer: Layer) -> str:
    return "" if layer.chips == 1 else f", {layer.chips} chips together"


def _weights(layer: Layer) -> Figure:
    w = layer.weights
    rows, columns = layer.shape
    figure = Figure(
        f"weights-{layer.name}", "Weights", f"{rows} x {columns} weights (outputs x inputs, with a bias column where it "
        f"is in the array){_over(layer)}: mean {w.mean:.3g}, standard deviation {w.std:.3g}.", "weight",
        "weights per bin",
    )  # fmt: skip
    figure.bars(w.edges, w.counts, "")
    return figure


def _states(layer: Layer) -> Figure:
    s, b = layer.states, layer.bounds
    text = (
        f"State of every device{_over(layer)}, in normalised units: the run's configuration gives no siemens. "
        f"Mean {s.mean:.3g}, standard deviation {s.std:.3g}."
    )
    figure = Figure(f"states-{layer.name}", "Conductances", text, "conductance (normalised units)", "devices per bin")
    figure.bars(s.edges, s.counts, "states")
    if b is None:
        figure.caption += " The law of these devices has no bounds of its own."
    else:
        top = float(max(s.counts.max(), 1))
        for bound, label in ((b.low, "lowest"), (b.high, "highest")):
            colour = ORANGE if label == "lowest" else GREEN
            if bound.std > s.edges[1] - s.edges[0] and bound.counts.any():
                figure.outline(bound.edges, bound.counts, f"{label} states", colour)
            elif s.edges[0] <= bound.mean <= s.edges[-1]:
                figure.mark(bound.mean, top, f"{label} state {bound.mean:.3g}", colour)
        figure.caption += (
            f" Lowest and highest states of the devices are {b.low.mean:.3g} and {b.high.mean:.3g} in the mean; "
            f"{words.percent(float(b.at_low.mean()))} of the devices are within 1 % of their range of the lowest, "
            f"{words.percent(float(b.at_high.mean()))} of the highest."
        )
    if layer.frozen:
        figure.caption += f" {words.percent(layer.frozen)} of the devices are dead or stuck."
    return figure


def _pulses(layer: Layer, epochs: int) -> Figure:
    p = layer.pulses
    assert p is not None
    h = p.histogram
    text = (
        f"How often each device was pulsed{_over(layer)}: {words.count(h.mean)} times in the mean, at most "
        f"{words.count(p.highest)} times; {words.percent(p.never)} never. Bins grow with the number of pulses."
    )
    if p.highest and epochs:
        text += (
            f" At this rate the most pulsed device gets {ENDURANCE:.0e} pulses in "
            f"{words.count(ENDURANCE / p.highest * epochs)} epochs: compare that with the endurance of your device."
        ).replace("1e+06", "10<sup>6</sup>")
    figure = Figure(f"pulses-{layer.name}", "Pulses per device", text, "pulses per device", "devices per bin")
    figure.outline(h.edges, h.counts, "devices", BLUE, fill="tozeroy", fillcolor="rgba(37,99,235,0.25)")
    top = float(max(h.counts.max(initial=0), 1))
    if h.mean >= 1:
        figure.mark(h.mean, top, f"mean {words.count(h.mean)}", ORANGE)
    if p.highest:
        figure.mark(p.highest, top, f"maximum {words.count(p.highest)}", RED)
    figure.layout["xaxis"] = {"type": "log", "exponentformat": "power", "dtick": 1}
    return figure


def _map(layer: Layer) -> Figure:
    assert layer.pulses is not None
    grid = layer.pulses.map
    rows, columns = layer.shape
    figure = Figure(
        f"map-{layer.name}", "Where the pulses went", "Pulses per device by place in the layer's matrix, mean over chips"
        + ("" if grid.shape == layer.shape else f" and over blocks of about {rows / grid.shape[0]:.1f} x "
           f"{columns / grid.shape[1]:.1f} devices") + ". Dark columns are inputs that are seldom on.",
        "column (input)", "row (output)", wide=True,
    )  # fmt: skip
    figure.traces.append(
        {
            "type": "heatmap", "z": [plain(row) for row in np.asarray(grid)], "colorscale": "Viridis",
            "x0": number(columns / grid.shape[1] / 2 - 0.5), "dx": number(columns / grid.shape[1]),
            "y0": number(rows / grid.shape[0] / 2 - 0.5), "dy": number(rows / grid.shape[0]),
            "colorbar": {"title": {"text": "pulses"}, "thickness": 14},
            "hovertemplate": "column %{x:.0f}, row %{y:.0f}: %{z:.4g} pulses<extra></extra>",
        }
    )  # fmt: skip
    figure.layout["yaxis"] = {"autorange": "reversed", "showgrid": False}
    figure.layout["xaxis"] = {"showgrid": False}
    return figure
