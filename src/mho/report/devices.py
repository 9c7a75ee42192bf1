"""Figures of the device: its response to pulses, and its steps at every state."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mho.characterize import Response, StepSizes, pulses_across, response, steps_by_state
from mho.config import AnalogConfig
from mho.config.analog import lists_over_chips
from mho.devices import Device
from mho.report.figure import BLUE, COLOURS, GREY, ORANGE, RED, Figure

MOST = 4
"""Different devices of a run that are shown."""
CURVES = 4
"""Chips shown of a device that differs from chip to chip."""


@dataclass(frozen=True)
class Used:
    """A device and the layers that use it."""

    device: Device
    layers: tuple[str, ...]


def devices_used(config: AnalogConfig, layers: list[str]) -> list[Used]:
    """Return the different devices of a run, those of the first layers first."""
    found: dict[Device, list[str]] = {}
    for name in layers:
        found.setdefault(config.for_layer(name).device, []).append(name)
    return [Used(device, tuple(names)) for device, names in found.items()]


def device_figures(used: Used, number: int, seed: int, chips: tuple[int, ...]) -> list[Figure]:
    """Return response and steps of one device: of all chips where its parameters differ, else of one."""
    many = any(length > 1 for _, length in lists_over_chips(used.device, ""))
    ids = chips if many else chips[:1]
    count = 200 if len(ids) == 1 else 64
    pulses = pulses_across(used.device, len(ids))
    curves = response(used.device, pulses, count, seed, chips=ids)
    steps = steps_by_state(used.device, pulses, count, seed, chips=ids)
    return [_response(curves, number, ids, count), _steps(steps, number, ids, count)]


def _response(r: Response, number: int, chips: tuple[int, ...], devices: int) -> Figure:
    text = (
        f"{devices} devices drawn with the run's device-to-device spread and cycle-to-cycle noise; leak and "
        f"faults are left out. They start at their lowest state and get {r.turn} pulses up, then {r.turn} "
        "down. Band: 10 to 90 % of the devices. Thin lines: single devices."
    )
    figure = Figure(f"response-{number}", "Response to pulses", text, "pulses", "conductance (normalised units)")
    figure.band(r.pulses, r.low[0], r.high[0], BLUE)
    for one in r.traces[0]:
        figure.line(r.pulses, one, colour=GREY, faint=True)
    if len(chips) == 1:
        figure.line(r.pulses, r.mean[0], "mean")
    else:
        figure.caption += (
            f" Parameters differ between chips: means of some chips; band and thin lines are chip {chips[0]}."
        )
        for n, k in enumerate(_some(len(chips))):
            figure.line(r.pulses, r.mean[k], f"chip {chips[k]}", COLOURS[n])
    low = float(min(r.low[0].min(), r.traces[0].min()))
    high = float(max(r.high[0].max(), r.traces[0].max()))
    figure.line([r.turn, r.turn], [low, high], colour=GREY, line={"dash": "dot", "width": 1}, hoverinfo="skip")
    return figure


def _some(count: int) -> list[int]:
    """Return up to CURVES evenly spread indices."""
    return np.unique(np.linspace(0, count - 1, min(CURVES, count)).round().astype(int)).tolist()


def _steps(s: StepSizes, number: int, chips: tuple[int, ...], devices: int) -> Figure:
    text = "Change by one pulse at every state, without cycle-to-cycle noise. Lines: the mean device."
    figure = Figure(f"steps-{number}", "Step sizes", text, "conductance (normalised units)", "size of a step")
    if len(chips) == 1:
        figure.band(s.state, s.up_band[0, 0], s.up_band[1, 0], BLUE)
        figure.band(s.state, -s.down_band[1, 0], -s.down_band[0, 0], ORANGE)
        figure.line(s.state, s.up[0], "up", BLUE)
        figure.line(s.state, -s.down[0], "down", ORANGE, line={"dash": "dash"})
        figure.caption += f" Bands: 10 to 90 % of {devices} drawn devices. {_symmetry(s)}"
    else:
        for n, k in enumerate(_some(len(chips))):
            figure.line(s.state, s.up[k], f"chip {chips[k]}", COLOURS[n])
            figure.line(s.state, -s.down[k], colour=COLOURS[n], line={"dash": "dash"})
        figure.caption += " Solid: up. Dashed: down. Parameters differ between chips; some chips are shown."
    if len(chips) == 1 and np.isfinite(s.symmetry[0]):
        at = float(np.interp(s.symmetry[0], s.state, s.up[0]))
        figure.line(
            [s.symmetry[0]], [at], f"symmetry point {_zero(s.symmetry[0], s.state):.3g}", RED, mode="markers",
            marker={"size": 9, "symbol": "diamond"},
        )  # fmt: skip
    figure.layout["yaxis"] = {"rangemode": "tozero"}
    return figure


def _zero(point: float, state: np.ndarray) -> float:
    """Return 0 for what is 0 but for rounding."""
    return 0.0 if abs(point) < 1e-9 * float(state[-1] - state[0]) else float(point)


def _symmetry(s: StepSizes) -> str:
    """Say where up and down steps balance."""
    if s.balanced[0]:
        text = "Up and down steps of the mean device are equal at every state, so it has no symmetry point."
    elif np.isfinite(s.symmetry[0]):
        text = f"They balance at the symmetry point {_zero(s.symmetry[0], s.state):.3g}."
    else:
        text = "They balance nowhere in the range, so there is no symmetry point."
    points = s.device_symmetry[0][np.isfinite(s.device_symmetry[0])]
    if not len(points):
        return text
    low, middle, high = np.percentile(points, (10, 50, 90))
    share = len(points) / len(s.device_symmetry[0])
    return (
        f"{text} {100 * share:.0f} % of the drawn devices have a symmetry point in their range: median "
        f"{_zero(middle, s.state):.3g}, 10 to 90 % between {low:.3g} and {high:.3g}."
    )
