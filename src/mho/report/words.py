"""Numbers and times as a person reads them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import fmean, stdev


def count(value: float) -> str:
    """Return a count with thin groups, or with a power of ten where it is long: 12 345, 1.23e9."""
    if not math.isfinite(value):
        return "–"
    return f"{value:.3g}" if abs(value) >= 1e7 else f"{value:,.0f}".replace(",", "\u202f")


def percent(share: float) -> str:
    """Return a share as a percentage; one that is not zero never looks like zero."""
    if share == 0:
        return "0 %"
    return f"{100 * share:.2f} %" if share >= 5e-5 else f"{100 * share:.1e} %"


def duration(seconds: float) -> str:
    """Return a time in the units that fit."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    if seconds < 7200:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h"


def accuracy(values: Iterable[float]) -> str:
    """Return accuracies in percent, one per chip, as the last line of a run says them."""
    found = list(values)
    lost = sum(not math.isfinite(v) for v in found)
    if lost or not found:
        return f"unknown on {lost} of {len(found)} chips" if found else "unknown"
    if len(found) == 1:
        return f"{found[0]:.2f} %"
    return f"{fmean(found):.2f} % ± {stdev(found):.2f} over {len(found)} chips"


def plural(number: int, what: str) -> str:
    """Return a number with a noun: 1 chip, 3 chips."""
    return f"{number} {what}" + ("" if number == 1 else "s")
