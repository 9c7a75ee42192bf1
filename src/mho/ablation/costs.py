"""What each property costs, with its error, and which costs are more than chance."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median, variance

from mho.ablation.arms import Arm
from mho.train.unattended import Ended

LEVEL = 0.05
"""Chance that any cost of an ablation without effects is called significant."""


@dataclass(frozen=True)
class Cost:
    """Points of test accuracy that one property costs in one direction, the mean difference of two arms.

    error: standard error, NaN with one chip for each arm. p: of a two-sided t test; significant: after Holm's
    correction for all costs of the ablation. diverged: whether one of the arms did.
    """

    points: float
    error: float
    p: float
    significant: bool = False
    diverged: bool = False


@dataclass(frozen=True)
class Row:
    """A property with its cost when it is turned off, and when it is on alone (None where that means nothing)."""

    name: str
    about: str
    off: Cost
    alone: Cost | None = None

    @property
    def rank(self) -> float:
        """The mean of both costs: what the property costs beside all others, and beside none."""
        return fmean([c.points for c in (self.off, self.alone) if c is not None])


def costs(made: Sequence[Arm], ended: Mapping[str, Ended], about: Mapping[str, str]) -> list[Row]:
    """Return a row for every property, the most costly first.

    The test: t of the difference of two means, with a standard deviation that all arms share: the median of their
    variances over chips, corrected for the bias of a median; where the two arms' own is larger, it is used instead.
    Degrees of freedom: chips less arms. Holm's correction keeps the chance of any false alarm at `LEVEL`.
    """
    common, freedom = _common(list(ended.values()))
    found = {arm.name: _cost(arm, ended, common, freedom) for arm in made if arm.against}
    found = _holm(found)
    rows = []
    for name, what in about.items():
        off, alone = (found.get(f"{name} {way}") for way in ("off", "alone"))
        assert off is not None
        rows.append(Row(name, what, off, alone))
    return sorted(rows, key=lambda row: -row.rank)


def _common(ended: Sequence[Ended]) -> tuple[float, int]:
    """Return the variance of a chip that all arms share, and its degrees of freedom; (NaN, 0) with one chip each."""
    own = [variance(e.accuracy) for e in ended if len(e.accuracy) > 1]
    if not own:
        return math.nan, 0
    from scipy.stats import chi2

    free = len(ended[0].accuracy) - 1
    return median(own) * free / float(chi2.median(free)), free * len(own)


def _cost(arm: Arm, ended: Mapping[str, Ended], common: float, freedom: int) -> Cost:
    this, other = ended[arm.name], ended[arm.against]
    points = fmean(this.accuracy) - fmean(other.accuracy)
    points = points if arm.kind == "off" else -points
    diverged = bool(this.why or other.why)
    if not freedom:
        return Cost(points, math.nan, math.nan, diverged=diverged)
    own = (variance(this.accuracy) + variance(other.accuracy)) / 2
    error = math.sqrt(2 * max(common, own) / len(this.accuracy))
    return Cost(points, error, _chance(points, error, freedom), diverged=diverged)


def _chance(points: float, error: float, freedom: int) -> float:
    """Return the two-sided p of a t test; without any spread, whether there is a difference at all."""
    from scipy.stats import t

    if error == 0:
        return 0.0 if points else 1.0
    return 2 * float(t.sf(abs(points) / error, freedom))


def _holm(found: dict[str, Cost]) -> dict[str, Cost]:
    """Mark the costs that are significant together: p below LEVEL / (tests left), from the smallest on."""
    marked = dict(found)
    tested = sorted((name for name, c in found.items() if math.isfinite(c.p)), key=lambda name: found[name].p)
    for rank, name in enumerate(tested):
        if found[name].p > LEVEL / (len(tested) - rank):
            break
        marked[name] = replace(found[name], significant=True)
    return marked
