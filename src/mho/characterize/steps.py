"""Step sizes of a device at every state, and the symmetry point where up and down steps balance."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from mho.characterize.cycle import Cycle, cycle, not_finite
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
    device. balanced: (chips,) whether the mean device's steps are equal everywhere. A unipolar device has no down steps
    (they are 0), so it has no symmetry point.
    """

    state: np.ndarray
    up: np.ndarray
    down: np.ndarray
    up_band: np.ndarray
    down_band: np.ndarray
    symmetry: np.ndarray
    device_symmetry: np.ndarray
    balanced: np.ndarray
    low: np.ndarray
    high: np.ndarray
    device_low: np.ndarray
    device_high: np.ndarray
    asymmetry: np.ndarray
    device_asymmetry: np.ndarray


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
    initial value. Raises ConfigError when a list over chips does not fit, LawError where the law gives NaN or infinity.
    """
    return steps_of(cycle(device, pulses, devices, seed, chips=chips))


def steps_of(c: Cycle) -> StepSizes:
    """Return the step sizes of the devices of a cycle, between the ends that it has found."""
    mean_low, mean_high = c.up[:, :1], c.up[:, -1:]
    if not (np.isfinite(c.low).all() and np.isfinite(c.high).all() and np.isfinite(c.up).all()):
        raise not_finite(c)
    # The last step before a wall is cut short by it, so the ends of the range are left out.
    low, high = mean_low.min(), mean_high.max()
    state = np.linspace(low, high, POINTS + 2)[1:-1]
    up, down, net = _steps(c.mean, state, mean_low, mean_high)
    ups, downs, nets = _steps(c.drawn, state, c.low, c.high)
    symmetry, balanced = _balance(state, net, up)
    points, _ = _balance(state, nets, ups)
    if c.mean.device.unipolar:
        symmetry, points = np.full_like(symmetry, np.nan), np.full_like(points, np.nan)
    with warnings.catch_warnings():  # no device may reach a state at the very end of the range
        warnings.simplefilter("ignore", RuntimeWarning)
        up_band, down_band = (np.nanpercentile(s, (10, 90), axis=1) for s in (ups, downs))
    return StepSizes(
        state, up[:, 0], down[:, 0], up_band, down_band, symmetry[:, 0], points, balanced[:, 0], mean_low[:, 0],
        mean_high[:, 0], c.low, c.high, _asymmetry(up, down, net)[:, 0], _asymmetry(ups, downs, nets),
    )  # fmt: skip


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


def _asymmetry(up: np.ndarray, down: np.ndarray, net: np.ndarray) -> np.ndarray:
    """Return the mean of |u - d| / (u + d) (chips, devices), NaN without a state at which both steps are whole."""
    size = np.where(np.isfinite(net), np.abs(up) + np.abs(down), 0)
    share = np.divide(np.abs(net), size, out=np.zeros_like(size), where=size > 0)
    with np.errstate(invalid="ignore"):
        return share.sum(axis=2) / (size > 0).sum(axis=2)
