"""Numbers of several chips in one."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import stdev


def deviation(values: Sequence[float]) -> float:
    """Return the standard deviation over chips, with n - 1 below the root; 0.0 for a single chip."""
    return stdev(values) if len(values) > 1 else 0.0
