"""The bounds of a device: which fields they are, and the device with bounds that no weight meets."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np

from mho.ablation.balance import imbalance
from mho.devices import Device, Spread
from mho.devices.base import MeanDraw
from mho.devices.spread import numbers
from mho.errors import MhoError

WIDE = 100.0
"""How many times wider the range of a device is where its bounds are turned off."""
NAMES = ("w_max", "w_min", "range_max", "range_min")
TOLERANCE = 0.05
"""By how much, at most, wider bounds may change a mean step at w = 0."""


def mean_bounds(device: Device) -> tuple[float, float] | None:
    """Return the lowest and highest state of the mean device, or None where its law has no `bottom` and `top`.

    A unipolar device is a side of a pair, which reaches its top with either sign.
    """
    cells = device.cells(MeanDraw())
    if device.unipolar and "top" in cells:
        cells["bottom"] = -np.asarray(cells["top"])
    if "bottom" not in cells or "top" not in cells:
        return None
    low, high = (float(np.asarray(cells[name]).reshape(-1)[0]) for name in ("bottom", "top"))
    return low, high


def bound_fields(device: Device) -> tuple[str, ...]:
    """Return the names of the Spread fields that are bounds: those named so, or else those measured to be bounds."""
    spreads = [f.name for f in fields(device) if isinstance(getattr(device, f.name), Spread)]
    return tuple(n for n in spreads if n in NAMES) or tuple(n for n in spreads if _is_bound(device, n))


def _is_bound(device: Device, name: str) -> bool:
    """Whether a larger value widens the range of the mean device and leaves its steps at w = 0 alone."""
    before = mean_bounds(device)
    try:
        larger = replace(device, **dict[str, Any]({name: _times(getattr(device, name), 2.0)}))
        after = mean_bounds(larger)
        same = np.allclose(imbalance(larger), imbalance(device), rtol=TOLERANCE)
    except MhoError:
        return False
    if before is None or after is None:
        return False
    return bool(same and (after[0] < before[0] or after[1] > before[1]))


def widened(device: Device) -> Device | None:
    """Return a device with `WIDE` times the range and the same mean step at w = 0; None where no fields give that."""
    change: dict[str, Any] = {name: _times(getattr(device, name), WIDE) for name in bound_fields(device)}
    if not change:
        return None
    if hasattr(device, "p_max") and hasattr(device, "alpha"):  # steps are then shares of the range
        change |= {"alpha": _times(device.alpha, 1 / WIDE), "p_max": _times(device.p_max, WIDE)}
    try:
        wide = replace(device, **change)
        before, after = mean_bounds(device), mean_bounds(wide)
        same = np.allclose(imbalance(wide), imbalance(device), rtol=TOLERANCE)
    except MhoError:
        return None
    farther = before is None or after is None or np.allclose(after, np.multiply(before, WIDE), rtol=0.2)
    return wide if same and farther else None


def _times(held: Spread, factor: float) -> Spread:
    return replace(held, mean=numbers(held.mean)[0] * factor, std=numbers(held.std)[0] * factor)
