"""How many states a device has: by its step, by pulses, and as many as its noise leaves apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mho.characterize.cycle import SETTLED, Cycle, cycle
from mho.devices.base import Device

PROBE = 0.01
"""The slope of the law is measured over this share of a step."""


@dataclass(frozen=True)
class States:
    """The number of states of the mean device of every chip, counted in three ways; all are (chips,).

    by_step: range / granularity, (high - low) / dw: the number that papers quote. The granularity is the mean step at
        w = 0.
    pulses_up, pulses_down: pulses from one end of the range to the other, an end being where a pulse moves the device
        by less than 5 % of the granularity; NaN where that is not reached, and down for unipolar devices. For steps
        that shrink towards a bound they are more than by_step, for walls the same.
    distinct: levels that pulses from the low end can be told to have reached, in spite of the noise. The first level is
        the low end; the next one is where the mean m_n after n pulses first lies the sum of both standard deviations
        above it, m_j - m_i >= s_i + s_j. With cycle-to-cycle noise the variance after n pulses grows as
        v_(n+1) = f'(m_n)^2 v_n + (df/dxi)^2, f being the law of one pulse, and s_n^2 = v_n + (write noise)^2. Without
        noise it is the number of pulses up. For constant steps of relative noise c it tends to sqrt(n)/c.
    """

    by_step: np.ndarray
    pulses_up: np.ndarray
    pulses_down: np.ndarray
    distinct: np.ndarray


def number_of_states(device: Device, pulses: int | None = None, *, chips: tuple[int, ...] = (0,)) -> States:
    """Return the number of states of the mean device of every chip; `pulses` lead across the range, as in `response`.

    Raises ConfigError when a list over chips does not fit.
    """
    return states_of(cycle(device, pulses, 1, chips=chips))


def states_of(c: Cycle) -> States:
    """Return the number of states of the mean device of a cycle."""
    step = c.drawn.device.granularity(len(c.up))
    up, down = (_needed(np.abs(np.diff(p, axis=1)), SETTLED * step[:, None]) for p in (c.up, c.down))
    spread = np.sqrt(_variance(c, step) + c.mean.write_sigma**2)
    levels = [_levels(m, s, int(np.nan_to_num(n, nan=c.turn))) for m, s, n in zip(c.up, spread, up, strict=True)]
    return States((c.up[:, -1] - c.up[:, 0]) / step, up, down, np.array(levels, float))


def _needed(moves: np.ndarray, least: np.ndarray) -> np.ndarray:
    """Return the number of pulses (chips,) before one moves a device by less than `least`, NaN where none does."""
    small = moves < least
    return np.where(small.any(axis=1), small.argmax(axis=1), np.nan)


def _variance(c: Cycle, step: np.ndarray) -> np.ndarray:
    """Return the variance (chips, turn + 1) that cycle-to-cycle noise gives the states of the path up."""
    at, small = c.up[:, None, :], PROBE * step.reshape(-1, 1, 1)
    ahead, behind = (c.mean.moved(at + d, True, extra=c.extra) for d in (small, -small))
    slope = ((ahead - behind) / (2 * small))[:, 0] ** 2
    more, less = (c.mean.moved(at, True, xi, c.extra) for xi in (1.0, -1.0))
    kick = ((more - less) / 2)[:, 0] ** 2
    found = [_summed(a, b) for a, b in zip(slope.tolist(), kick.tolist(), strict=True)]
    return np.array(found)


def _summed(factor: list[float], added: list[float]) -> list[float]:
    """Return v with v[0] = 0 and v[n + 1] = factor[n] v[n] + added[n]."""
    found = [0.0]
    for a, b in zip(factor[:-1], added[:-1], strict=True):
        found.append(a * found[-1] + b)
    return found


def _levels(mean: np.ndarray, spread: np.ndarray, last: int) -> int:
    """Return how many levels, from the first state to the one after `last` pulses, lie apart by their spreads."""
    count, at, s = 1, mean[0], spread[0]
    for m, own in zip(mean[1 : last + 1].tolist(), spread[1 : last + 1].tolist(), strict=True):
        if m > at and m - at >= s + own:
            count, at, s = count + 1, m, own
    return count
