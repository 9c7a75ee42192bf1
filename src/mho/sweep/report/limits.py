"""The values of a setting that are acceptable, with the limits at which they end."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, isnan

from mho.sweep.crossing import crossing

AT_MOST, AT_LEAST = "≤", "≥"


@dataclass(frozen=True)
class Line:
    """The mean penalty over ascending values of one setting, all others held.

    half: half the confidence interval, NaN where one chip says nothing of it. wrong: why a value is ruled out, or "".
    """

    values: tuple[float, ...]
    mean: tuple[float, ...]
    half: tuple[float, ...]
    wrong: tuple[str, ...]
    log: bool

    def backwards(self) -> Line:
        """Return the same from its last value to its first."""
        return Line(self.values[::-1], self.mean[::-1], self.half[::-1], self.wrong[::-1], self.log)

    def part(self, first: int, stop: int) -> Line:
        """Return the values from `first` to before `stop`."""
        cut = slice(first, stop)
        return Line(self.values[cut], self.mean[cut], self.half[cut], self.wrong[cut], self.log)


@dataclass(frozen=True)
class Limit:
    """Where an acceptable range ends.

    sign: AT_MOST or AT_LEAST. near, far: ends of the confidence interval on the acceptable side and on the other;
    None where it reaches past the values of the sweep. measured: whether the interval is known. failed: what rules out
    the next value, "" where the penalty passes the threshold; the limit is then the last value that is acceptable.
    """

    sign: str
    value: float
    near: float | None
    far: float | None
    measured: bool = True
    failed: str = ""

    @property
    def ends(self) -> tuple[float | None, float | None]:
        """The confidence interval, lower end first."""
        return (self.near, self.far) if self.sign == AT_MOST else (self.far, self.near)


@dataclass(frozen=True)
class Range:
    """Values that follow each other and are all acceptable; `low` and `high` are None where the sweep's values end."""

    first: float
    last: float
    count: int
    low: Limit | None
    high: Limit | None


def acceptable(line: Line, threshold: float) -> list[Range]:
    """Return the ranges of a line with a penalty of at most the threshold, the one with the most values first.

    A value without a penalty is left out, as if it had not been asked for; one that is ruled out ends a range.
    """
    kept = [k for k, mean in enumerate(line.mean) if line.wrong[k] or isfinite(mean)]
    chosen: list[tuple[float, ...]] = [tuple(column[k] for k in kept) for column in (line.values, line.mean, line.half)]
    line = Line(chosen[0], chosen[1], chosen[2], tuple(line.wrong[k] for k in kept), line.log)
    good = [not w and m <= threshold for m, w in zip(line.mean, line.wrong, strict=True)]
    runs: list[list[int]] = []
    for k, fine in enumerate(good):
        if fine and k and good[k - 1]:
            runs[-1].append(k)
        elif fine:
            runs.append([k])
    runs.sort(key=len, reverse=True)
    return [_range(line, run[0], run[-1], threshold) for run in runs]


def _range(line: Line, first: int, last: int, threshold: float) -> Range:
    size = len(line.values)
    high = _limit(AT_MOST, line.part(first, size), last - first, threshold)
    low = _limit(AT_LEAST, line.backwards().part(size - 1 - last, size), last - first, threshold)
    return Range(line.values[first], line.values[last], last - first + 1, low, high)


def _limit(sign: str, way: Line, last: int, threshold: float) -> Limit | None:
    """Return where a way from acceptable values on, the last of them at `last`, leaves them; None where it does not."""
    stop = next((k for k, wrong in enumerate(way.wrong) if wrong), len(way.wrong))
    end: float | None = way.values[stop] if stop < len(way.values) else None
    cut = way.part(0, stop)
    measured = not any(isnan(h) for h in cut.half)
    half = [h if measured else 0.0 for h in cut.half]
    upper = [m + h for m, h in zip(cut.mean, half, strict=True)]
    lower = [m - h for m, h in zip(cut.mean, half, strict=True)]
    near = None if upper[0] > threshold else crossing(cut.values, upper, threshold, log=way.log)
    if last + 1 == len(way.values):
        return None
    if last + 1 == stop:
        edge = cut.values[last]
        return Limit(sign, edge, edge if near is None and upper[0] <= threshold else near, end, True, way.wrong[stop])
    value = crossing(cut.values, cut.mean, threshold, log=way.log)
    assert value is not None
    far = crossing(cut.values, lower, threshold, log=way.log)
    return Limit(sign, value, near, end if far is None else far, measured)
