"""Values, limits and ranges in words and numbers, as a requirement sheet has them."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, isfinite, log10

from mho.sweep.report.limits import AT_LEAST, AT_MOST, Limit, Range
from mho.sweep.report.results import Axis, Point, Value

RELATIVE = ("c2c", "d2d")
"""Settings that are shares of a mean, which the field states in percent."""
NARROW = 0.5
"""Ends of an interval whose distances from the limit differ by less than this share of their mean are written as ±."""
DASH = "–"


def value_text(value: Value | None, name: str = "") -> str:
    """Return a value of a setting; the relative spreads in percent."""
    if value is None:
        return DASH
    if isinstance(value, str):
        return value
    if in_percent(name):
        return f"{100 * value:.4g} %"
    return minus(f"{value:.6g}")


def in_percent(name: str) -> bool:
    """Return whether the values of a setting are written in percent."""
    return name.rpartition(".")[2] in RELATIVE


def points_text(value: float) -> str:
    """Return a penalty in points."""
    return minus(f"{value:.2f}") if isfinite(value) else DASH


def minus(text: str) -> str:
    """Return a number with the sign of the field for minus."""
    return text.replace("-", "−")


def limit_text(name: str, limit: Limit) -> str:
    """Return a limit as a requirement: `c2c ≤ 84 ± 6 %`."""
    factor, unit = (100.0, " %") if in_percent(name) else (1.0, "")
    start = f"{name} {limit.sign} "
    value, near, far = (None if v is None else factor * v for v in (limit.value, limit.near, limit.far))
    assert value is not None
    if limit.failed:
        return (
            f"{start}{_digits(value, None)}{unit} (the next value, {_digits(far or 0.0, None)}{unit}, {limit.failed})"
        )
    if not limit.measured:
        return f"{start}{_digits(value, value / 10)}{unit} (no interval)"
    if near is not None and far is not None:
        half = abs(far - near) / 2
        if abs(abs(far - value) - abs(value - near)) <= NARROW * half:
            return f"{start}{_digits(value, half)} ± {_digits(half, half)}{unit}"
    spread = abs((far if far is not None else near if near is not None else 0.9 * value) - value)
    return f"{start}{_digits(value, spread)}{unit} ({interval_text(name, limit)})"


def interval_text(name: str, limit: Limit) -> str:
    """Return the confidence interval of a limit; an open end is one that the values of the sweep do not reach."""
    factor, unit = (100.0, " %") if in_percent(name) else (1.0, "")
    low, high = limit.ends
    known = [factor * v for v in (low, high) if v is not None]
    spread = abs(known[0] - (known[1] if len(known) == 2 else factor * limit.value)) / 2 if known else None
    low_text, high_text = ("…" if v is None else _digits(factor * v, spread) for v in (low, high))
    return f"{low_text} to {high_text}{unit}"


def _digits(value: float, spread: float | None) -> str:
    """Return a number with as many places as two digits of its spread, or four digits where it has none."""
    if not spread:
        return minus(f"{value:.4g}")
    places = 1 - floor(log10(abs(spread)))
    if abs(value) < 1e-3 or abs(value) >= 1e6:
        digits = max(1, places + floor(log10(abs(value))) + 1) if value else 1
        return minus(f"{value:.{min(digits, 6)}g}")
    return minus(f"{round(value, places):.{max(0, places)}f}")


def range_text(name: str, found: Range) -> str:
    """Return what a range asks of a setting: one limit, two, or none within the values of the sweep."""
    ends = [limit_text(name, limit) for limit in (found.low, found.high) if limit is not None]
    if ends:
        return " and ".join(ends)
    return f"no limit from {value_text(found.first, name)} to {value_text(found.last, name)}"


def signs(found: Range) -> tuple[str, ...]:
    """Return on which sides a range is limited."""
    return tuple(s for s, limit in ((AT_LEAST, found.low), (AT_MOST, found.high)) if limit is not None)


def point_text(axes: Sequence[Axis], point: Point) -> str:
    """Return the values of a point with their names."""
    return ", ".join(f"{axis.name} = {value_text(v, axis.name)}" for axis, v in zip(axes, point.values, strict=True))
