"""A number that differs from device to device: mean, spread and distribution in one object."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from mho.errors import ConfigError

PerChip = float | tuple[float, ...]
"""A number, or one number for each chip."""


def per_chip(value: Any) -> PerChip:
    """Return a float, or a tuple of floats for an array over chips (list, tuple or NumPy array)."""
    try:
        if isinstance(value, (str, bytes)):
            raise TypeError
        if not isinstance(value, Iterable):
            return float(value)
        values = tuple(float(v) for v in value)
    except (TypeError, ValueError, OverflowError):
        values = ()
    if not values:
        raise ConfigError(f"expected a number or a list of one number per chip, found {value!r}")
    return values


def numbers(value: PerChip) -> tuple[float, ...]:
    """Return the values over chips as a tuple (of one, when all chips share the value)."""
    return value if isinstance(value, tuple) else (value,)


@dataclass(frozen=True)
class Spread:
    """Device-to-device spread of one quantity: each device draws its own value once.

    normal:      value = mean (1 + d2d xi) + std xi
    log-normal:  value = mean exp(d2d xi)             (mean is then the median)

    `mean`, `d2d` (relative) and `std` (absolute, for quantities whose mean may be 0) may each be a list of one
    number per chip. A draw of the other sign than the mean is folded back by its absolute value, as IBM's kit does,
    and counted. Raises ConfigError for a negative or non-finite spread.
    """

    mean: PerChip
    d2d: PerChip = 0.0
    std: PerChip = 0.0
    log_normal: bool = False
    name: str = field(default="", compare=False, repr=False)

    def __post_init__(self) -> None:
        for key in ("mean", "d2d", "std"):
            value = per_chip(getattr(self, key))
            object.__setattr__(self, key, value)
            if not numbers(value) or not all(math.isfinite(v) for v in numbers(value)):
                raise ConfigError(f"Spread: {key} must be finite, found {value}")
        for key in ("d2d", "std"):
            if any(v < 0 for v in numbers(getattr(self, key))):
                raise ConfigError(
                    f"Spread: {key} is a standard deviation and cannot be negative, found {getattr(self, key)}"
                )
        if self.log_normal and any(numbers(self.std)):
            raise ConfigError("Spread: a log-normal spread takes d2d, not std; give d2d=...")

    @property
    def varies(self) -> bool:
        """Whether devices of one chip differ."""
        return any(numbers(self.d2d)) or any(numbers(self.std))

    def named(self, name: str) -> Spread:
        """Return the same spread carrying the name of the field it stands in, by which its draws are keyed."""
        return replace(self, name=name)


def spread(value: Any) -> Spread:
    """Return a Spread from a Spread or a plain number (or list over chips) without spread."""
    return value if isinstance(value, Spread) else Spread(per_chip(value))
