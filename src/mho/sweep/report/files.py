"""The numbers of a sweep's page as CSV: points, requirements, borders of maps, the front of a search."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from math import isfinite
from pathlib import Path
from statistics import fmean
from typing import Any

from mho.folders import replacing
from mho.sweep.report.limits import Limit
from mho.sweep.report.pareto import Trial, front_of
from mho.sweep.report.requirements import ACCEPTABLE, UNRESOLVED, Requirement
from mho.sweep.report.results import Results

POINTS, REQUIREMENTS, BORDER, FRONT = "points.csv", "requirements.csv", "border.csv", "front.csv"
LIMIT = ("sign", "limit", "low", "high", "resolved", "failed")
PLACES = 9
"""Of percents of test accuracy and points, behind the point: more would be rounding of sums."""


def write_csv(path: Path, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table whole or not at all; numbers with all their digits, nothing for None and NaN."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(head)
        writer.writerows([None if isinstance(v, float) and not isfinite(v) else v for v in row] for row in rows)


def point_head(results: Results) -> list[str]:
    """Return the names of the columns of all points."""
    return [
        "point", "grid", *fields(results), "chips", "penalty", "half_interval", "std", "test_accuracy", "status",
        "halved", "reason",
    ]  # fmt: skip


def fields(results: Results) -> list[str]:
    """Return the swept fields of all grids."""
    return list(dict.fromkeys(path for grid in results.grids for axis in grid.axes for path in axis.paths[:1]))


def point_rows(results: Results) -> Iterator[list[Any]]:
    """Yield every point: settings, mean penalty with half its confidence interval, mean accuracy, what went wrong."""

    def told(value: float) -> float:
        return round(value, PLACES) + 0.0  # no -0.0

    names = fields(results)
    for grid in results.grids:
        for point in grid.points:
            own = {axis.paths[0]: value for axis, value in zip(grid.axes, point.values, strict=True)}
            accuracy = told(fmean(point.accuracy)) if point.accuracy else None
            std = told(point.std) if len(point.penalty) > 1 else None
            yield [
                point.number, grid.name, *(own.get(name) for name in names), len(point.penalty), told(point.mean),
                told(point.half), std, accuracy, point.status, point.halved, point.reason,
            ]  # fmt: skip


def limit_rows(found: Iterable[Requirement], names: Sequence[str]) -> Iterator[list[Any]]:
    """Yield every limit: its grid and field, the values that are held beside it (`names`), the limit, its interval.

    sign: <= or >= of a limit, = of a name that is acceptable, or "no limit", "none acceptable", "not resolved".
    resolved: whether intervals say so, too.
    """
    for one in found:
        held = {axis.paths[0]: value for axis, value in one.beside}
        start = [one.grid, one.axis.paths[0], *(held.get(name) for name in names)]
        resolved = "no" if one.state == UNRESOLVED else "yes"
        for value, sure in ((value, sure and one.state != UNRESOLVED) for value, sure in one.named):
            yield [*start, "=" if sure else UNRESOLVED, value, None, None, "yes" if sure else "no", None]
        for limit in one.limits:
            yield [*start, *_limit_cells(limit, resolved)]
        if not one.named and not one.limits:
            said = "no limit" if one.state == ACCEPTABLE else one.state
            yield [*start, said, None, None, None, resolved, one.note]


def _limit_cells(limit: Limit, resolved: str) -> list[Any]:
    low, high = limit.ends if limit.measured and not limit.failed else (None, None)
    return [limit.sign.replace("≤", "<=").replace("≥", ">="), limit.value, low, high, resolved, limit.failed]


def write_tables(
    folder: Path, results: Results, sheet: Sequence[Requirement], border: Sequence[Requirement], trials: Sequence[Trial]
) -> None:
    """Write the CSV files beside the page; one that would be empty is not there."""
    names = fields(results)
    write_csv(folder / POINTS, point_head(results), point_rows(results))
    sheet_rows = ([*row, one.text] for one in sheet for row in limit_rows([one], []))
    tables = {
        REQUIREMENTS: (("grid", "field", *LIMIT, "requirement"), list(sheet_rows)),
        BORDER: (("grid", "along", *names, *LIMIT), list(limit_rows(border, names))),
        FRONT: _front(trials),
    }
    for name, (head, rows) in tables.items():
        if rows:
            write_csv(folder / name, head, rows)
        else:
            (folder / name).unlink(missing_ok=True)


def _front(trials: Sequence[Trial]) -> tuple[tuple[str, ...], list[list[Any]]]:
    front = front_of(trials)
    names = list(dict.fromkeys(name for trial in front for name in trial.values))
    rows = [[t.point, *(t.values.get(n) for n in names), t.cost, t.penalty, t.feasible] for t in front]
    return ("point", *names, "cost", "penalty", "feasible"), rows
