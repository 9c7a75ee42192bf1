"""What the built-in laws share: step sizes with their spread and imbalance, and what no device can have."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np

from mho.devices.base import Array, Draw, Spread
from mho.devices.spread import PerChip, numbers

Wrong = Iterator[tuple[str, str]]
"""Names of fields, and what is wrong with each."""


def step_sizes(draw: Draw, size: Spread, up_down: Spread, name: str = "a") -> tuple[Array, Array]:
    """Return the up and down step sizes a+ and a- of every device (or another pair of quantities with a ratio).

    a+- = size abs(g +- b),  g = 1 + d2d xi (or exp(d2d xi)),  b = beta + s xi',
    beta = (r - 1)/(r + 1) and s = std(r) (1 - beta)^2 / 2 for up_down = r, so that E a+ / E a- = r and
    (E a+ + E a-)/2 = size. g and b are one draw each, shared by both directions.
    Source: IBM aihwkit 1.2 (`PulsedDevice`), with the ratio in place of its one-sided `up_down`.
    """
    beta = imbalance(up_down)
    slope = (1 - beta) ** 2 / 2
    std = np.asarray(numbers(up_down.d2d)) * np.asarray(numbers(up_down.mean)) + np.asarray(numbers(up_down.std))
    b = around(draw, Spread(tuple(beta), std=tuple(np.atleast_1d(std * slope)), name=up_down.name))
    drawn, shift = draw(size), column(size.mean) * b
    return draw.folded(drawn + shift, f"{name}_up"), draw.folded(drawn - shift, f"{name}_down")


def imbalance(up_down: Spread) -> np.ndarray:
    """Return beta = (r - 1)/(r + 1) of the mean ratio r over chips: a+- = size (1 +- beta)."""
    ratio = np.asarray(numbers(up_down.mean))
    return np.asarray((ratio - 1) / (ratio + 1))


def mean_steps(size: Spread, up_down: Spread) -> tuple[np.ndarray, np.ndarray]:
    """Return a+ and a- of the mean device over chips, float64."""
    mean, beta = np.asarray(numbers(size.mean)), imbalance(up_down)
    return mean * (1 + beta), mean * (1 - beta)


def around(draw: Draw, values: Spread) -> Array:
    """Draw a quantity that may have either sign: a draw of the other sign than the mean is not folded back."""
    std = np.asarray(numbers(values.d2d)) * np.abs(numbers(values.mean)) + np.asarray(numbers(values.std))
    return column(values.mean) + draw(Spread(0.0, std=tuple(np.atleast_1d(std)), name=values.name))


def column(value: PerChip) -> np.ndarray:
    """Return a value as float32 that broadcasts over the devices of its chip."""
    return np.asarray(numbers(value), np.float32).reshape(-1, 1, 1, 1)


def plain(values: Any) -> PerChip:
    """Return an array over chips as a device's fields state it: one number, or one for each chip."""
    found = tuple(float(v) for v in np.atleast_1d(values))
    return found[0] if len(found) == 1 else found


def inside(point: np.ndarray, w_max: Spread, w_min: Spread) -> PerChip | None:
    """Return a point over chips, or None where it lies outside the mean bounds on any chip."""
    within = (np.asarray(numbers(w_min.mean)) < point) & (point < np.asarray(numbers(w_max.mean)))
    return plain(point) if within.all() else None


def check_steps(dw_min: Spread, up_down: Spread, w_max: Spread, w_min: Spread, c2c: PerChip) -> Wrong:
    """Yield what is wrong with step sizes, ratios, bounds or noise that no device can have."""
    yield from check_positive(dw_min, "the mean step size")
    yield from check_positive(up_down, "the ratio of mean up to mean down step")
    yield from check_noise(c2c=c2c)
    yield from check_bounds(w_max, w_min)


def check_positive(values: Spread, what: str) -> Wrong:
    """Yield what is wrong with a quantity whose mean must be above 0."""
    if any(v <= 0 for v in numbers(values.mean)):
        yield values.name, f"{what} must be above 0, found {values.mean}"


def check_noise(**values: PerChip) -> Wrong:
    """Yield what is wrong with standard deviations of cycle-to-cycle noise, by the names of their fields."""
    for name, value in values.items():
        if any(not 0 <= v < math.inf for v in numbers(value)):
            yield name, f"the standard deviation of a step cannot be negative or infinite, found {value}"


def check_bounds(w_max: Spread, w_min: Spread) -> Wrong:
    """Yield what is wrong with bounds that are the wrong way round."""
    for low, high in _pairs(w_min, w_max):
        if low >= high:
            yield (
                w_min.name,
                f"{w_min.name} = {low:g} is not below {w_max.name} = {high:g}: the bounds are the wrong way round; "
                f"give {w_min.name} < {w_max.name}",
            )


def check_around_zero(w_max: Spread, w_min: Spread) -> Wrong:
    """Yield what is wrong unless 0 lies between the bounds, for laws whose steps are fractions of them."""
    for low, high in _pairs(w_min, w_max):
        if low < high and not low < 0 < high:
            yield (
                w_min.name,
                f"{w_min.name} = {low:g} and {w_max.name} = {high:g} do not have 0 between them, and the steps of this "
                f"law are given at w = 0 as fractions of the way to each; give {w_min.name} < 0 < {w_max.name}, or use "
                "ConstantStep",
            )


def _pairs(w_min: Spread, w_max: Spread) -> Iterator[tuple[float, float]]:
    """Yield the bounds of every chip, or of all chips with all others where the lists differ in length."""
    low, high = numbers(w_min.mean), numbers(w_max.mean)
    return zip(low, high, strict=True) if len(low) == len(high) else product(low, high)
