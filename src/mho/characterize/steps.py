"""Step sizes of a device at every state, and the symmetry point where up and down steps balance."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from mho.characterize.response import pulses_across
from mho.characterize.sample import Sample
from mho.devices.base import Device

POINTS = 81
BALANCED = 1e-6
"""Steps balance where they differ by less than this share of the largest step."""


@dataclass(frozen=True)
class StepSizes:
    """Change of state by one pulse, against the state; cycle-to-cycle noise is left out.

    state: (points,) normalised weights inside the range of the mean device. up, down: (chips, points) of the
    mean device; down steps are negative. up_band, down_band: (2, chips, points), 10 % and 90 % quantiles
    over the drawn devices that reach the state. symmetry: (chips,) state at which the mean device's steps
    are equal in size, NaN where there is none. device_symmetry: (chips, devices) the same for every drawn
    device. balanced: (chips,) whether the mean device's steps are equal everywhere.
    """

    state: np.ndarray
    up: np.ndarray
    down: np.ndarray
    up_band: np.ndarray
    down_band: np.ndarray
    symmetry: np.ndarray
    device_symmetry: np.ndarray
    balanced: np.ndarray


def steps_by_state(
    device: Device,
    pulses: int | None = None,
    devices: int = 200,
    seed: int = 0,
    *,
    chips: tuple[int, ...] = (0,),
) -> StepSizes:
    """Return the step sizes of the mean device and of `devices` drawn devices per chip.

    `pulses` lead from one end of the range to the other, as in `response`. Extra per-device state keeps its
    initial value. Raises ConfigError when a list over chips does not fit.
    """
    pulses = pulses_across(device, len(chips)) if pulses is None else pulses
    mean = Sample(device, chips=chips, mean=True)
    drawn = Sample(device, devices, seed=seed, chips=chips)
    mean_low, mean_high = _reach(mean, pulses)
    # The last step before a wall is cut short by it, so the ends of the range are left out.
    low, high = mean_low.min(), mean_high.max()
    state = np.linspace(low, high, POINTS + 2)[1:-1]
    up, down, net = _steps(mean, state, mean_low, mean_high)
    ups, downs, nets = _steps(drawn, state, *_reach(drawn, pulses))
    symmetry, balanced = _balance(state, net, up)
    with warnings.catch_warnings():  # no device may reach a state at the very end of the range
        warnings.simplefilter("ignore", RuntimeWarning)
        up_band, down_band = (np.nanpercentile(s, (10, 90), axis=1) for s in (ups, downs))
    return StepSizes(
        state, up[:, 0], down[:, 0], up_band, down_band, symmetry[:, 0], _balance(state, nets, ups)[0],
        balanced[:, 0],
    )  # fmt: skip


def _reach(sample: Sample, pulses: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and highest states (chips, devices) that noiseless pulses reach, and start again."""
    start, extra = sample.state, sample.extra
    ends = []
    for up in (False, True):
        for _ in range(pulses):
            sample.pulse_(up)
        ends.append(sample.state)
    sample.state, sample.extra = start, extra
    return ends[0], ends[1]


def _steps(sample: Sample, state: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return up steps, down steps and their sum (chips, devices, points), NaN where the device itself does
    not get.

    The sum is NaN, too, where the end of the range cuts a step short: steps that only a wall makes equal are
    no symmetry point.
    """
    grid = np.broadcast_to(state, (*low.shape, len(state)))
    low, high = low[..., None], high[..., None]
    outside = (grid < low) | (grid > high)
    raised, lowered = sample.moved(grid, True), sample.moved(grid, False)
    up, down = (np.where(outside, np.nan, new - grid) for new in (raised, lowered))
    return up, down, np.where((raised >= high) | (lowered <= low), np.nan, up + down)


def _balance(state: np.ndarray, net: np.ndarray, up: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where the net step changes sign (chips, devices), or NaN, and whether it is 0 everywhere."""
    inside = np.isfinite(net)
    size = np.where(inside, np.abs(up), 0).max(axis=2)
    balanced = (np.where(inside, np.abs(net), 0).max(axis=2) <= BALANCED * size) & inside.any(axis=2)
    with np.errstate(invalid="ignore"):
        crosses = net[..., :-1] * net[..., 1:] <= 0
    first = crosses.argmax(axis=2)[..., None]
    a, b = (np.take_along_axis(net, first + k, axis=2)[..., 0] for k in (0, 1))
    with np.errstate(all="ignore"):
        point = state[first[..., 0]] + (state[1] - state[0]) * a / (a - b)
    return np.where(crosses.any(axis=2) & ~balanced, point, np.nan), balanced
