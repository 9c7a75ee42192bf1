"""The per-device step sizes that the built-in laws share: one home for size, spread and up/down imbalance."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product

import numpy as np

from mho.devices.base import Array, Draw, Spread
from mho.devices.spread import PerChip, numbers
from mho.errors import ConfigError


def step_sizes(draw: Draw, dw_min: Spread, up_down: Spread) -> tuple[Array, Array]:
    """Return the up and down step sizes a+ and a- of every device at w = 0.

    a+- = dw_min abs(g +- b),  g = 1 + d2d xi (or exp(d2d xi)),  b = beta + s xi',
    beta = (r - 1)/(r + 1) and s = std(r) (1 - beta)^2 / 2 for up_down = r, so that E a+ / E a- = r and
    (E a+ + E a-)/2 = dw_min. g and b are one draw each, shared by both directions.
    Source: IBM aihwkit 1.2 (`PulsedDevice`), with the ratio in place of its one-sided `up_down`.
    """
    ratio = np.asarray(numbers(up_down.mean))
    beta = (ratio - 1) / (ratio + 1)
    slope = (1 - beta) ** 2 / 2
    std = np.asarray(numbers(up_down.d2d)) * ratio + np.asarray(numbers(up_down.std))
    # Drawn around 0: a draw of the other sign than beta is as good as any, and must not be folded back.
    imbalance = draw(Spread(0.0, std=tuple(np.atleast_1d(std * slope)), name=up_down.name))
    size, b = draw(dw_min), beta.astype(np.float32).reshape(-1, 1, 1, 1) + imbalance
    mean = np.asarray(numbers(dw_min.mean), np.float32).reshape(-1, 1, 1, 1)
    shift = mean * b
    return draw.folded(size + shift, "a_up"), draw.folded(size - shift, "a_down")


def check_steps(dw_min: Spread, up_down: Spread, w_max: Spread, w_min: Spread, c2c: PerChip) -> None:
    """Raise ConfigError for step sizes, ratios, bounds or noise that no device can have."""
    if any(v <= 0 for v in numbers(dw_min.mean)):
        raise ConfigError(f"dw_min is the mean step size and must be above 0, found {dw_min.mean}")
    if any(v <= 0 for v in numbers(up_down.mean)):
        raise ConfigError(
            f"up_down is the ratio of mean up to mean down step and must be above 0, found {up_down.mean}"
        )
    if any(not 0 <= v < math.inf for v in numbers(c2c)):
        raise ConfigError(
            f"c2c is the standard deviation of a step, relative to it, and cannot be negative, found {c2c}"
        )
    for low, high in _pairs(w_min, w_max):
        if low >= high:
            raise ConfigError(
                f"w_min = {low:g} is not below w_max = {high:g}: the bounds are the wrong way round; give w_min < w_max"
            )


def check_around_zero(w_max: Spread, w_min: Spread) -> None:
    """Raise ConfigError unless 0 lies between the bounds, for laws whose steps are fractions of them."""
    for low, high in _pairs(w_min, w_max):
        if not low < 0 < high:
            raise ConfigError(
                f"w_min = {low:g} and w_max = {high:g} do not have 0 between them, and the steps of this law are given "
                "at w = 0 as fractions of the way to each; give w_min < 0 < w_max, or use ConstantStep"
            )


def _pairs(w_min: Spread, w_max: Spread) -> Iterator[tuple[float, float]]:
    """Yield the bounds of every chip, or of all chips with all others where the lists differ in length."""
    low, high = numbers(w_min.mean), numbers(w_max.mean)
    return zip(low, high, strict=True) if len(low) == len(high) else product(low, high)
