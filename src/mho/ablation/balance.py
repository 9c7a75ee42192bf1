"""The balance of a device: its mean up and down steps at w = 0, and the device whose steps are equal there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import numpy as np

from mho.characterize import Sample
from mho.devices import Device, Spread
from mho.devices.spread import numbers
from mho.errors import MhoError

EQUAL = 1e-3
"""Steps are balanced where they differ by less than this share of their sum."""


def imbalance(device: Device) -> tuple[float, float]:
    """Return the sizes of the mean device's up and down step at w = 0.

    A unipolar device is a side of a pair, and the step down is one up of the other side.
    """
    sample = Sample(device, mean=True)
    zero = np.zeros((1, 1))
    up, down = (abs(float(sample.moved(zero, way or device.unipolar)[0, 0])) for way in (True, False))
    return up, down


def balanced(device: Device) -> Device | None:
    """Return a device with equal mean steps at w = 0, of the mean of both sizes; None where no fields give that.

    Tried in turn, and kept when it is measured to balance: the mean of `up_down`, and each pair of fields whose names
    differ by "up" and "down", scaled.
    """
    up, down = imbalance(device)
    if not (up > 0 and down > 0):
        return None
    for change in _candidates(device, up, down):
        try:
            new = replace(device, **change)
            a, b = imbalance(new)
        except MhoError:
            continue
        if abs(a - b) <= EQUAL * (a + b):
            return new
    return None


def _candidates(device: Device, up: float, down: float) -> Iterator[dict[str, Any]]:
    names = [f.name for f in fields(device)]
    if isinstance(ratio := getattr(device, "up_down", None), Spread):
        yield {"up_down": replace(ratio, mean=numbers(ratio.mean)[0] * down / up)}
    mean = (up + down) / 2
    for name in names:
        other = name.replace("up", "down")
        if "up" in name and other != name and other in names:
            pair = (getattr(device, name), getattr(device, other))
            yield {name: scaled(pair[0], mean / up), other: scaled(pair[1], mean / down)}


def scaled(value: Any, factor: float) -> Any:
    """Return a number, the mean of a spread, or all nodes of a table times a factor; anything else as it is."""
    if isinstance(value, Spread):
        return replace(value, mean=numbers(value.mean)[0] * factor, std=numbers(value.std)[0] * factor)
    if isinstance(value, tuple):
        return tuple(np.multiply(value, factor).tolist())
    return value * factor if isinstance(value, float) else value
