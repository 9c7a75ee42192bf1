"""What came of the points that a search asked for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from mho.over_chips import deviation
from mho.sweep.search.cost import Cost
from mho.sweep.search.settings import COST, PENALTY
from mho.sweep.table import DONE, SweepTable, worst


@dataclass(frozen=True)
class Outcome:
    """One point of a search.

    values: by path. cost, penalty: NaN where there is none; penalty: the mean over chips in points, std their standard
    deviation. status: the worst of its chips. feasible: whether it has a cost, and a penalty within the threshold.
    front: whether no other point is better in one of cost and penalty and as good in the other.
    """

    point: int
    values: dict[str, Any]
    cost: float
    penalty: float
    std: float
    status: str
    feasible: bool
    front: bool = False

    def json(self) -> dict[str, Any]:
        """Return it as search.json has it: null where there is no number."""
        return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in vars(self).items()}


def outcomes(table: SweepTable, points: Sequence[dict[str, Any]], cost: Cost | None) -> list[Outcome]:
    """Return the outcome of every point that the table has whole, by number; `points`: their values by path."""
    rows: dict[int, list[int]] = {}
    for row, number in enumerate(table.rows["point"]):
        rows.setdefault(number, []).append(row)
    threshold = float(table.about["threshold"])
    found = [_outcome(n, v, table, rows[n], cost, threshold) for n, v in enumerate(points) if n in rows]
    return with_front(found)


def _outcome(
    number: int, values: dict[str, Any], table: SweepTable, rows: list[int], cost: Cost | None, threshold: float
) -> Outcome:
    penalties = [p for r in rows if (p := table.rows["penalty"][r]) is not None and math.isfinite(p)]
    status = table.rows["status"][worst(table.rows, rows)]
    whole = len(penalties) == len(rows)
    penalty = fmean(penalties) if whole else math.nan
    price = cost(values) if cost else 0.0
    return Outcome(
        number, values, price, penalty, deviation(penalties) if whole else math.nan, status,
        feasible=status == DONE and math.isfinite(price) and penalty <= threshold,
    )  # fmt: skip


def with_front(found: Sequence[Outcome]) -> list[Outcome]:
    """Return outcomes with the front of cost and penalty marked."""
    known = [o for o in found if o.status == DONE and math.isfinite(o.cost) and math.isfinite(o.penalty)]
    front, lowest = set[int](), math.inf
    for one in sorted(known, key=lambda o: (o.cost, o.penalty, o.point)):
        if one.penalty < lowest:
            front.add(one.point)
            lowest = one.penalty
    return [replace(one, front=one.point in front) for one in found]


def best(found: Sequence[Outcome], targets: Sequence[str]) -> Outcome | None:
    """Return the cheapest point within the threshold, or with the target penalty alone the point that has least."""
    if COST in targets:
        good = [o for o in found if o.feasible]
        return min(good, key=lambda o: (o.cost, o.penalty, o.point)) if good else None
    assert PENALTY in targets
    known = [o for o in found if o.status == DONE and math.isfinite(o.penalty)]
    return min(known, key=lambda o: (o.penalty, o.point)) if known else None
