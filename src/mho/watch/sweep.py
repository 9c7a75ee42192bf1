"""The view of a sweep, from its plan and the packs that are finished."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Any

from mho.errors import CheckpointError
from mho.report import words
from mho.report.figure import Figure
from mho.sweep.files import PLAN, SEARCH, pack_file
from mho.sweep.progress import speed
from mho.sweep.report.lines import single
from mho.sweep.report.maps import scatter
from mho.sweep.report.pareto import pareto, read_search
from mho.sweep.report.requirements import along, best_text, share_acceptable
from mho.sweep.report.results import Grid, Results, read_results
from mho.sweep.report.text import baseline_text
from mho.sweep.table import TABLE, read
from mho.watch.filling import filling_map, planned
from mho.watch.view import FINISHED, RUNNING, View

RECENT = 20
"""Packs whose times tell how long those to come will take."""
GRIDS = 12
"""At most so many grids are drawn."""


def sweep_view(folder: Path) -> View:
    """Return the view of a sweep: the map of each grid as it fills, curves, and how long it will take."""
    if not (folder / PLAN).is_file():
        return View(folder.name, RUNNING, notes=("The sweep is being planned.",), unit="points")
    results, total, packs = read_results(read(folder)), *_planned(folder)
    points = results.points
    finished = (folder / TABLE).is_file()
    every, rate = _pace(folder, packs)
    left = (total - len(points)) / rate if rate and not finished else None
    failed = results.failed
    notes = []
    if failed:
        first = f"{failed[0].status}: {failed[0].reason}"
        notes.append(f"{words.plural(len(failed), 'point')} failed, the first: {first}")
    if not points:
        notes.append("No point is known yet: the first run has not ended.")
    return View(
        results.title if results.title != "sweep" else f"sweep {folder.name}", FINISHED if finished else RUNNING,
        len(points), total, "points", left, every, _facts(results, rate), tuple(notes),
        tuple(_figures(results, folder)), f"mho sweep --resume {shlex.quote(str(folder))}", results.warning,
    )  # fmt: skip


def _planned(folder: Path) -> tuple[int, list[int]]:
    """Return how many points there will be, and of each pack of the plan how many it has."""
    try:
        plan = json.loads((folder / PLAN).read_text(encoding="utf-8"))
        packs = [len(pack["points"]) for pack in plan["packs"]]
        total = len(plan["points"]["grid"])
        if (folder / SEARCH).is_file():
            total = max(total, int(json.loads((folder / SEARCH).read_text(encoding="utf-8"))["asked"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{folder / PLAN} or {SEARCH} beside it is damaged ({error}); restore it") from error
    return total, packs


def _pace(folder: Path, packs: list[int]) -> tuple[float | None, float | None]:
    """Return the seconds between two finished packs, and points a second, over the last RECENT packs."""
    ends = []
    for number, points in enumerate(packs):
        try:
            ends.append((pack_file(folder, number).stat().st_mtime, points))
        except OSError:
            continue
    ends = sorted(ends)[-RECENT:]
    seconds = ends[-1][0] - ends[0][0] if ends else 0.0
    if seconds <= 0.0:
        return None, None
    return seconds / (len(ends) - 1), sum(points for _, points in ends[1:]) / seconds


def _facts(results: Results, rate: float | None) -> tuple[tuple[str, str], ...]:
    share = share_acceptable(results, results.points)
    base = baseline_text(results) if results.baseline or results.several else "to come"
    found = [
        ("baseline", base),
        ("acceptable", f"{100 * share:.3g} %" if isfinite(share) else "unknown"),
        ("failed points", str(len(results.failed))),
    ]
    if rate:
        found.append(("rate", speed(rate)))
    if results.points:
        found.append(("lowest penalty", best_text(results)))
    return tuple(found)


def _figures(results: Results, folder: Path) -> Iterator[Figure]:
    if trials := read_search(folder):
        yield pareto(results, trials)
    for n, grid in enumerate(results.grids[:GRIDS]):
        yield from (_drawn(figure) for figure in _grid(results, grid, f"grid-{n}"))


def _grid(results: Results, grid: Grid, name: str) -> Iterator[Figure]:
    if len(grid.axes) == 1:
        requirement = next(along(results, grid, 0), None)
        yield from single(results, grid, name, requirement) if requirement is not None else ()
    elif _sampled(results, grid):
        yield scatter(results, grid, name)
    else:
        yield filling_map(results, planned(grid, results.about["axes"]), name)


def _sampled(results: Results, grid: Grid) -> bool:
    """Say whether the points of a grid do not stand in rows and columns; a search samples whatever its file says."""
    told: list[dict[str, Any]] = [axis for axis in results.about["axes"] if axis["grid"] == grid.name]
    return any(axis.get("method", "grid") != "grid" for axis in told) or any(
        len(set(axis["values"])) and not set(own.values) <= set(axis["values"])
        for axis, own in zip(told, grid.axes, strict=True) if own.numeric
    )  # fmt: skip


def _drawn(figure: Figure) -> Figure:
    """Return a figure without WebGL, whose drawing makes code of texts, which the page forbids."""
    traces = [{**t, "type": "scatter"} if t["type"] == "scattergl" else t for t in figure.traces]
    return replace(figure, traces=traces)
