"""Values, limits and ranges in words and numbers, as a requirement sheet has them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import floor, isfinite, log10
from statistics import fmean
from typing import Any

from mho.report.words import accuracy, plural
from mho.sweep.report.limits import Limit, Range
from mho.sweep.report.results import Axis, Point, Results, Value
from mho.sweep.table import plain

RELATIVE = ("c2c", "d2d")
"""Settings that are shares of a mean, which the field states in percent."""
NARROW = 0.5
"""Ends of an interval whose distances from the limit differ by less than this share of their mean are written as ±."""
DASH = "–"


def value_text(value: Value | None, name: str = "") -> str:
    """Return a value of a setting; the relative spreads in percent, lists and tables without JSON's marks."""
    if value is None:
        return DASH
    if isinstance(value, str):
        return _spoken(value)
    if in_percent(name):
        return f"{100 * value:.4g} %"
    return minus(f"{value:.6g}")


def _spoken(text: str) -> str:
    """Return a list or table written as JSON in words, other texts as they are: pulses 50; init, order."""
    if not text.startswith(("[", "{")):
        return text
    try:
        value = json.loads(text)
    except ValueError:
        return text
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_inner(one)}" for key, one in value.items()) or "{}"
    return ", ".join(map(_inner, value)) or "[]"


def _inner(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"({_spoken(json.dumps(value))})"
    if isinstance(value, list):
        return f"[{', '.join(map(_inner, value))}]"
    return str(plain(value, "string"))


def settings_text(values: Mapping[str, Any]) -> str:
    """Return settings by path with their values, each by the end of its path."""
    told = {path: v if type(v) in (int, float) else plain(v, "string") for path, v in values.items()}
    return ", ".join(f"{path.rpartition('.')[2]} = {value_text(v, path)}" for path, v in told.items())


def in_percent(name: str) -> bool:
    """Return whether the values of a setting are written in percent."""
    return name.rpartition(".")[2] in RELATIVE


def points_text(value: float) -> str:
    """Return a penalty in points."""
    return minus(f"{value:z.2f}") if isfinite(value) else DASH


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
    known = far if far is not None else near
    spread = None if known is None else abs(known - value)
    return f"{start}{_digits(value, spread or value / 10)}{unit} (interval {interval_text(name, limit)})"


def interval_text(name: str, limit: Limit) -> str:
    """Return the confidence interval of a limit, without an end that the values of the sweep do not reach."""
    factor, unit = (100.0, " %") if in_percent(name) else (1.0, "")
    low, high = limit.ends
    known = [factor * v for v in (low, high) if v is not None]
    if not known:
        return "wider than the sweep"
    spread = abs(known[0] - (known[1] if len(known) == 2 else factor * limit.value)) / 2
    ends = [_digits(v, spread) for v in known]
    if len(ends) == 2:
        return f"{ends[0]} to {ends[1]}{unit}"
    return f"up to {ends[0]}{unit}" if low is None else f"from {ends[0]}{unit} on"


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
    if not ends and found.count == 1:
        return f"{name}: {value_text(found.first, name)} is acceptable"
    return " and ".join(ends) or f"{name}: no limit {span_text(name, found)}"


def span_text(name: str, found: Range) -> str:
    """Return the first and the last value of a range."""
    return f"from {value_text(found.first, name)} to {value_text(found.last, name)}"


def doubt_text(point: Point) -> str:
    """Return how well the penalty of a point is known."""
    half = f"{point.half:.0f}" if point.half >= 10 else f"{point.half:.2g}"
    return f"± {half} points at {plural(len(point.penalty), 'chip')}"


def point_text(axes: Sequence[Axis], point: Point) -> str:
    """Return the values of a point with their names."""
    return ", ".join(f"{axis.name} = {value_text(v, axis.name)}" for axis, v in zip(axes, point.values, strict=True))


def baseline_text(results: Results) -> str:
    """Return the test accuracy of the baseline, or how many there are from which to which."""
    means = sorted(fmean(values) for _, values in results.several if values)
    if len(results.several) > 1 and means:
        return f"{len(results.several)}: {means[0]:.2f} to {means[-1]:.2f}\N{NO-BREAK SPACE}%"
    if not results.baseline:
        return "unknown"
    text = accuracy(results.baseline).partition(" over ")[0]
    return text.replace(" %", "") + " %" if "±" in text else text
