"""Tolerances: the value of a setting at which the penalty passes a threshold, read off the curve of a series."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from mho.over_chips import deviation
from mho.studies.base import Study
from mho.studies.outcome import Outcome
from mho.studies.results import penalty
from mho.sweep.crossing import crossing, logarithmic

Points = list[tuple[float, list[float]]]
"""Values of a setting, each with the penalty of every chip."""


@dataclass(frozen=True)
class Curve:
    """The penalty over values of a series, from its first on and one way.

    mean, std: of the points below the baseline, over chips.
    """

    case: str
    axis: str
    values: tuple[float, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    chips: int


@dataclass(frozen=True)
class Tolerance:
    """Where a curve passes a threshold.

    value: interpolated; the first value where the penalty is above the threshold there already, the last where it never
    is (`passed` False). low, high: where the curve one standard deviation worse, and better, passes it. own: the same
    of what is lost beside the first value of the curve, where that value itself has a penalty.
    """

    curve: Curve
    value: float
    low: float
    high: float
    passed: bool
    own: Tolerance | None = None

    @property
    def text(self) -> str:
        """What was found, in words."""
        first, last = self.curve.values[0], self.curve.values[-1]
        if not self.passed:
            return f"not passed up to {last:g}"
        if self.value == first:
            return f"above it at {first:g} already"
        ends = sorted((self.low, self.high))
        return f"{self.value:.3g} ({ends[0]:.3g} to {ends[1]:.3g})"


def tolerances(study: Study, outcomes: Sequence[Outcome]) -> list[Tolerance]:
    """Return the tolerance of every series of the cases that go through their series one after another."""
    if study.threshold is None:
        return []
    found = []
    for curve in curves(study, outcomes):
        start = curve.mean[0]
        beside = replace(curve, mean=tuple(m - start for m in curve.mean))
        found.append(replace(tolerance(curve, study.threshold), own=tolerance(beside, study.threshold)))
    return found


def curves(study: Study, outcomes: Sequence[Outcome]) -> Iterator[Curve]:
    """Yield the penalty over every series; nothing without the baseline that it is counted from.

    A curve leads away from the first value; where values lie on both sides of it there are two.
    """
    for outcome in outcomes:
        for axis in () if outcome.case.grid else outcome.case.axes:
            points = [(value, penalty(study, outcomes, part)) for value, part in outcome.curve(axis)]
            known = [(value, [-gap for gap in gaps]) for value, gaps in points if gaps is not None]
            ways = [(word, way) for word, way in _ways(known) if len(way) > 1]
            for word, way in ways:
                yield Curve(
                    outcome.case.name,
                    f"{axis.axis}, {word}" if len(ways) > 1 else axis.axis,
                    tuple(value for value, _ in way),
                    tuple(fmean(gaps) for _, gaps in way),
                    tuple(deviation(gaps) for _, gaps in way),
                    len(way[0][1]),
                )


def _ways(points: Points) -> tuple[tuple[str, Points], tuple[str, Points]]:
    """Return the points from the first on to larger values, and to smaller ones, each by distance."""
    first = points[:1]
    larger = sorted(point for point in points[1:] if point[0] > first[0][0])
    smaller = sorted((point for point in points[1:] if point[0] < first[0][0]), reverse=True)
    return ("upwards", first + larger), ("downwards", first + smaller)


def tolerance(curve: Curve, threshold: float) -> Tolerance:
    """Return where a curve passes a threshold for the first time, between two values by a straight line.

    In the logarithm of the setting where its values are far apart.
    """
    worse = [m + s for m, s in zip(curve.mean, curve.std, strict=True)]
    better = [m - s for m, s in zip(curve.mean, curve.std, strict=True)]
    log = logarithmic(curve.values)
    found, low, high = (crossing(curve.values, line, threshold, log=log) for line in (curve.mean, worse, better))
    last = curve.values[-1]
    return Tolerance(
        curve,
        last if found is None else found,
        last if low is None else low,
        last if high is None else high,
        found is not None,
    )


def tolerance_rows(study: Study, found: Sequence[Tolerance]) -> list[dict[str, Any]]:
    """Return the rows of results.json; `std` is half the interval that the spread over chips gives."""
    return [
        {
            "case": f"{t.curve.case}, tolerance of {t.curve.axis}",
            "ours": round(t.value, 6),
            "std": round(abs(t.high - t.low) / 2, 6),
            "chips": t.curve.chips,
            "paper": None,
            "provenance": f"{t.text}; no published number known",
            "unit": f"value where the penalty passes {study.threshold:g} points",
        }
        for t in found
    ]


def tolerance_table(study: Study, found: Sequence[Tolerance]) -> str:
    """Return the tolerances as a Markdown table, nothing where none were asked for."""
    if not found:
        return ""
    passes = f"tolerated: the penalty passes {study.threshold:g} points at"
    beside = f"the loss beside the first value passes {study.threshold:g} points at"
    lines = [f"| case | setting | {passes} | {beside} | penalty at the last value |", "|---|---|---|---|---|"]
    for t in found:
        c = t.curve
        end = f"{c.mean[-1]:.2f} ± {c.std[-1]:.2f} points at {c.values[-1]:g}".replace("-", "−")
        own = t.own.text if t.own is not None else t.text
        lines.append(f"| {c.case} | {c.axis} | {t.text} | {own} | {end} |")
    return "\n".join(lines) + "\n"
