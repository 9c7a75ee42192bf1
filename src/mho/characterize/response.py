"""The response of a device to pulses: all the way up, then all the way down, or reset and up again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mho.characterize.cycle import Cycle, cycle, not_finite
from mho.devices.base import Device

TRACES = 3


@dataclass(frozen=True)
class Response:
    """What a measurement of many devices would show: `turn` pulses up from the lowest state, then as many down.

    Unipolar devices are reset instead, and get as many up again: `pulses` holds the place of the reset twice.

    pulses: (points,) pulses before each reading. mean, low, high: (chips, points), over devices; low and high are the
    10 % and 90 % quantiles. traces: (chips, 3, points), single devices. States are normalised weights, as read: with
    write noise.
    """

    pulses: np.ndarray
    turn: int
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    traces: np.ndarray


def response(
    device: Device,
    pulses: int | None = None,
    devices: int = 200,
    seed: int = 0,
    *,
    chips: tuple[int, ...] = (0,),
) -> Response:
    """Return the response of `devices` drawn devices per chip to `pulses` up and `pulses` down pulses.

    Device-to-device spread and cycle-to-cycle noise are on; leak, diffusion and faults are not. Every device is first
    pulsed down `pulses` times; a unipolar one begins at 0, is reset at the top and gets `pulses` up again. Without
    `pulses`: enough to cross the range. The same arguments give the same numbers. Raises ConfigError when `pulses` is
    below 1 or a list over chips does not fit, LawError where the law gives NaN or infinity.
    """
    return response_of(cycle(device, pulses, devices, seed, chips=chips))


def response_of(c: Cycle) -> Response:
    """Return the response that a cycle has; raise LawError where it holds NaN or infinity."""
    if not np.isfinite(c.read).all():
        raise not_finite(c)
    low, high = np.percentile(c.read, (10, 90), axis=1)
    return Response(c.when, c.turn, c.read.mean(axis=1), low, high, c.read[:, :TRACES])
