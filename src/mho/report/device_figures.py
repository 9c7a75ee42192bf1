"""Figures of a device: its response to pulses, its steps at every state, and what differs between devices."""

from __future__ import annotations

import numpy as np

from mho.characterize import Characteristics
from mho.report import scale
from mho.report.figure import BLUE, COLOURS, GREY, ORANGE, RED, Figure, rgba
from mho.report.histogram import even_edges

CURVES = 4
"""Chips shown of a device that differs from chip to chip."""
ROUNDING = 1e-6
"""A state so small a share of the range is 0: parameters of devices have single precision."""
BINS = 30
FAR = 5.0
"""Devices that lie so many times the middle half's range from it are left out of a histogram."""
BAND = "10 to 90 % of devices"
NOT_INCLUDED = "leak, diffusion and faults are left out"


def some(count: int) -> list[int]:
    """Return up to CURVES evenly spread indices."""
    return np.unique(np.linspace(0, count - 1, min(CURVES, count)).round().astype(int)).tolist()


def response_figure(c: Characteristics, number: int = 0) -> Figure:
    """Return the response to pulses: mean, band and single devices; means of some chips where these differ."""
    r = c.response
    way = "down" if not c.device.unipolar else "up again after a reset: no pulse lowers them"
    text = (
        f"{c.devices} devices drawn with their device-to-device spread, with cycle-to-cycle noise; {NOT_INCLUDED}. "
        f"They start at their lowest state and get {r.turn} pulses up, then {r.turn} {way}. Band: 10 to 90 % of the "
        "devices. Thin lines: single devices."
    )
    figure = Figure(f"response-{number}", "Response to pulses", text, "pulses", "conductance (normalised units)")
    figure.band(r.pulses, r.low[0], r.high[0], BLUE, BAND if len(c.chips) == 1 else f"{BAND} of chip {c.chips[0]}")
    for n, one in enumerate(r.traces[0]):
        figure.line(r.pulses, one, "" if n else "single devices", GREY, faint=True)
    if len(c.chips) == 1:
        figure.line(r.pulses, r.mean[0], "mean")
    else:
        figure.caption += (
            f" Parameters differ between chips: means of some chips; band and thin lines are chip {c.chips[0]}."
        )
        for n, k in enumerate(some(len(c.chips))):
            figure.line(r.pulses, r.mean[k], f"chip {c.chips[k]}", COLOURS[n])
    low = float(min(r.low[0].min(), r.traces[0].min()))
    high = float(max(r.high[0].max(), r.traces[0].max()))
    figure.line([r.turn, r.turn], [low, high], colour=GREY, line={"dash": "dot", "width": 1}, hoverinfo="skip")
    if c.device.window is not None:
        figure.also_y = scale.of_states(c.device.window)
    return figure


def steps_figure(c: Characteristics, number: int = 0) -> Figure:
    """Return the size of a step at every state, up and down, with the symmetry point; of a unipolar device, up only."""
    s = c.steps
    text = "Change by one pulse at every state, without cycle-to-cycle noise. Lines: the mean device."
    if c.device.state:
        text += f" Further states of the law ({', '.join(c.device.state)}) have their first values."
    figure = Figure(f"steps-{number}", "Step sizes", text, "conductance (normalised units)", "size of a step")
    if len(c.chips) == 1:
        figure.band(s.state, s.up_band[0, 0], s.up_band[1, 0], BLUE, BAND)
        if not c.device.unipolar:
            figure.band(s.state, -s.down_band[1, 0], -s.down_band[0, 0], ORANGE)
        figure.line(s.state, s.up[0], "up", BLUE)
        if not c.device.unipolar:
            figure.line(s.state, -s.down[0], "down", ORANGE, line={"dash": "dash"})
        figure.caption += f" Bands: 10 to 90 % of {c.devices} drawn devices. {symmetry_words(c)}"
        _symmetry(figure, c)
    else:
        for n, k in enumerate(some(len(c.chips))):
            figure.line(s.state, s.up[k], f"chip {c.chips[k]}", COLOURS[n])
            if not c.device.unipolar:
                figure.line(s.state, -s.down[k], colour=COLOURS[n], line={"dash": "dash"})
        ways = "Up only, as no pulse lowers it." if c.device.unipolar else "Solid: up. Dashed: down."
        figure.caption += f" {ways} Parameters differ between chips; some chips are shown."
    figure.layout["yaxis"] = {"rangemode": "tozero"}
    if c.device.window is not None:
        largest = float(np.nanmax(np.abs([s.up, s.down])))
        figure.also_x, figure.also_y = scale.of_states(c.device.window), scale.of_steps(c.device.window, largest)
    return figure


def _symmetry(figure: Figure, c: Characteristics) -> None:
    """Mark the symmetry point of the mean device, and where those of the drawn devices lie."""
    s = c.steps
    points = s.device_symmetry[0][np.isfinite(s.device_symmetry[0])]
    middle = s.symmetry[0] if np.isfinite(s.symmetry[0]) else np.median(points) if len(points) else np.nan
    if not np.isfinite(middle):
        return
    at = float(np.interp(middle, s.state, s.up[0]))
    if len(points) > 1 and np.ptp(points) > 0:
        wide = {"width": 5, "color": rgba(RED, 0.35)}
        ends, name = np.percentile(points, (10, 90)), "10 to 90 % of the devices' symmetry points"
        figure.line(ends, [at, at], name, RED, line=wide, showlegend=False)
        figure.caption += " Red bar: 10 to 90 % of the devices' symmetry points."
    if np.isfinite(s.symmetry[0]):
        figure.line(
            [middle], [at], f"symmetry point {rounded(middle, c):.3g}", RED, mode="markers",
            marker={"size": 9, "symbol": "diamond"},
        )  # fmt: skip


def rounded(point: float, c: Characteristics) -> float:
    """Return 0 for a state that is 0 but for rounding."""
    return 0.0 if abs(point) < ROUNDING * float(c.steps.state[-1] - c.steps.state[0]) else float(point)


def symmetry_words(c: Characteristics) -> str:
    """Say where up and down steps balance."""
    s = c.steps
    if c.device.unipolar:
        return (
            "It is unipolar: pulses can only raise it, so no state has equal steps up and down, and there is no "
            'symmetry point. Two of them make a weight of either sign (cell.pair = "one-sided"); a reset lowers them.'
        )
    if s.balanced[0]:
        text = "Up and down steps of the mean device are equal at every state, so it has no symmetry point."
    elif np.isfinite(s.symmetry[0]):
        text = f"Up and down steps of the mean device balance at the symmetry point {rounded(s.symmetry[0], c):.3g}."
    else:
        text = "Up and down steps of the mean device balance nowhere in the range, so there is no symmetry point."
    points = s.device_symmetry[0][np.isfinite(s.device_symmetry[0])]
    if not len(points):
        return text
    low, middle, high = np.percentile(points, (10, 50, 90))
    share = len(points) / len(s.device_symmetry[0])
    return (
        f"{text} {100 * share:.0f} % of the drawn devices have a symmetry point in their range: median "
        f"{rounded(middle, c):.3g}, 10 to 90 % between {rounded(low, c):.3g} and {rounded(high, c):.3g}."
    )


def parameter_figures(c: Characteristics) -> list[Figure]:
    """Return a histogram of each quantity that differs between the drawn devices."""
    return [_histogram(c, name, values, n) for n, (name, values) in enumerate(c.parameters.items())]


def _histogram(c: Characteristics, name: str, values: np.ndarray, number: int) -> Figure:
    shown = some(len(c.chips))
    rows = [row[np.isfinite(row)] for row in values[shown]]
    edges = even_edges(*_ends(np.concatenate(rows)), BINS)
    figure = Figure(f"parameter-{number}", name, _in_words(c, rows, values, edges), name, "devices")
    figure.layout["height"] = 250
    counts = [np.histogram(row, edges)[0] for row in rows]
    if len(rows) == 1:
        figure.bars(edges, counts[0], "")
        figure.mark(float(np.median(rows[0])), float(counts[0].max()), "")
    for n, count in enumerate(counts if len(rows) > 1 else []):
        figure.outline(edges, count, f"chip {c.chips[shown[n]]}", COLOURS[n])
    return figure


def _ends(values: np.ndarray) -> tuple[float, float]:
    """Return the range to show: all of it, but for a few devices so far off that the others would be one bar."""
    low, high = np.percentile(values, (25, 75))
    room = FAR * (high - low)
    near = values[(values >= low - room) & (values <= high + room)] if room else values
    return float(near.min()), float(near.max())


def _in_words(c: Characteristics, rows: list[np.ndarray], values: np.ndarray, edges: np.ndarray) -> str:
    """Say middle and spread of a quantity, and how many devices have none or lie beyond the figure."""
    if len(rows) > 1:
        return "Parameters differ between chips; some chips are shown."
    found = rows[0]
    middle, mean, std = np.median(found), np.mean(found), np.std(found)
    text = f"Median {middle:.4g} (dashed), mean {mean:.4g}, standard deviation {std:.3g}."
    missing = values.shape[1] - len(found)
    beyond = int(np.count_nonzero((found < edges[0]) | (found > edges[-1])))
    text += f" {beyond} of {len(found)} devices lie beyond the figure." if beyond else ""
    return text if not missing else f"{text} {missing} of {values.shape[1]} devices have none."
