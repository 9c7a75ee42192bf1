"""Where a curve passes a threshold: the formula of every tolerance."""

from __future__ import annotations

from collections.abc import Sequence


def logarithmic(values: Sequence[float]) -> bool:
    """Return whether values are so far apart that they are shown and joined on a logarithmic axis."""
    return bool(values) and min(values) > 0 and max(values) > 5 * min(values)


def crossing(values: Sequence[float], line: Sequence[float], threshold: float, *, log: bool) -> float | None:
    """Return the first value at which a line of straight pieces is above the threshold; None where it nowhere is.

    Between values v[k-1] and v[k] with heights y[k-1] <= threshold < y[k], with s = (threshold - y[k-1]) / (y[k] -
    y[k-1]), it is v[k-1] + s (v[k] - v[k-1]); or v[k-1] (v[k] / v[k-1])^s with `log`, where the pieces are straight
    over the logarithm. The values go one way, up or down.
    """
    if line[0] > threshold:
        return values[0]
    for k in range(1, len(values)):
        if line[k] > threshold:
            share = (threshold - line[k - 1]) / (line[k] - line[k - 1])
            if log:
                return values[k - 1] * (values[k] / values[k - 1]) ** share
            return values[k - 1] + share * (values[k] - values[k - 1])
    return None
