"""The page of a sweep: what the device must reach, the maps and curves behind it, every point."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from importlib import resources
from math import isfinite
from typing import Any

from mho.report import words
from mho.report.page import Section, page
from mho.report.tables import table
from mho.sweep.report.files import point_head, point_rows
from mho.sweep.report.lines import envelopes, pairs, single
from mho.sweep.report.maps import columns, penalty_map, scatter, slices
from mho.sweep.report.parallel import parallel
from mho.sweep.report.pareto import Trial, cheapest, front_table, pareto
from mho.sweep.report.requirements import Requirement, best_text, share_acceptable, undecided
from mho.sweep.report.results import Grid, Results
from mho.sweep.report.sampled import raster, raster_results
from mho.sweep.report.sheet import requirement_sheet
from mho.sweep.report.text import baseline_text, minus, settings_text, value_text

FOOTER = "Written by mho from the table of the sweep. This file needs no network."
SHOWN_LINES = 400
"""Rows of a border that the page shows; the CSV file has all."""


def html(results: Results, sheet: Sequence[Requirement], border: Sequence[Requirement], trials: Sequence[Trial]) -> str:
    """Return report.html of a sweep, which needs no network."""
    found = [Section("requirements", "Requirement sheet", requirement_sheet(results, sheet, trials))]
    if trials:
        found.append(Section("search", "Search", "", [pareto(results, trials)], below=front_table(trials)))
    for n, grid in enumerate(results.grids):
        own = [r for r in (sheet if len(grid.axes) == 1 else border) if r.grid == grid.name]
        found += _grid(results, grid, f"grid-{n}", own)
    found += [*_failures(results), _points(results), *_configuration(results)]
    found[-1].below += f"<style>{_file('sweep.css')}</style><script>{_file('sweep.js')}</script>"
    return page(results.title, _lead(results, trials), found, footer=FOOTER)


def _file(name: str) -> str:
    return resources.files("mho.sweep.report").joinpath(name).read_text(encoding="utf-8")


def data_of(name: str, value: Any) -> str:
    """Return data for the scripts of the page."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    return f'<script type="application/json" id="{escape(name)}">{text}</script>'


def _lead(results: Results, trials: Sequence[Trial]) -> str:
    points = results.points
    share = share_acceptable(results, points)
    chips, failed = sum(len(p.penalty) for p in points), len(results.failed)
    good = f"{100 * share:.3g} %" if isfinite(share) else "unknown"
    sentence = (
        f"A point is acceptable when its mean test accuracy is at most <b>{results.threshold:g} points</b> below the "
        f"baseline. Lowest penalty: {escape(best_text(results))}."
    )
    best = cheapest(trials)
    if best is not None:
        sentence += f" Cheapest acceptable: cost <b>{best.cost:.4g}</b> at {escape(settings_text(best.values))}."
    doubtful = sum(undecided(p, results.threshold) for p in points)
    facts = [
        ("baseline", baseline_text(results)), ("threshold", f"{results.threshold:g} points"), ("acceptable", good),
        ("not resolved", words.count(doubtful)), ("points", words.count(len(points))), ("chips", words.count(chips)),
        ("failed points", words.count(failed)),
    ]  # fmt: skip
    cells = "".join(f"<div><dt>{k}</dt><dd>{escape(v)}</dd></div>" for k, v in facts)
    notes = _warning(results) + _unfinished(results) + _other_threshold(results)
    return f'{notes}<p class="result">{sentence}</p><dl class="facts">{cells}</dl>'


def _warning(results: Results) -> str:
    told = results.warning
    return f'<p class="note warning"><b>Do not rely on this page:</b> {escape(told)}.</p>' if told else ""


def _other_threshold(results: Results) -> str:
    stated = results.about.get("threshold")
    if stated is None or float(stated) == results.threshold:
        return ""
    return (
        f'<p class="note">Drawn for a threshold of {results.threshold:g} points; the sweep file states {stated:g}. The '
        "table is the same, and <code>mho report DIR</code> draws the page for the sweep file's again.</p>"
    )


def _unfinished(results: Results) -> str:
    """Say that points are missing."""
    planned = results.planned
    if planned is None or planned <= len(results.points):
        return ""
    return (
        f'<p class="note">The sweep has not finished: {words.count(len(results.points))} of {words.count(planned)} '
        "points. Go on with <code>mho sweep --resume DIR</code>, then write the page again.</p>"
    )


def _grid(results: Results, grid: Grid, name: str, own: Sequence[Requirement]) -> Iterator[Section]:
    title = grid.name or " × ".join(axis.name for axis in grid.axes)
    about = f"<p>{words.plural(len(grid.points), 'point')}: " + escape(", ".join(_axis_text(a) for a in grid.axes))
    if len(grid.axes) == 1:
        yield Section(name, title, about + "</p>", single(results, grid, name, own[0]) if own else [])
        return
    if grid.scattered:
        yield Section(name, title, about + ", sampled</p>")
        yield from _sampled(results, grid, name, own)
    else:
        yield Section(name, title, about + "</p>")
        yield _map(results, grid, name)
        yield _border(grid, name, own)
        lines = pairs(results, grid, name) if len(grid.axes) == 2 else envelopes(results, grid, name)
        yield Section(f"{name}-lines", "Line plots", "", lines, level=3)
    yield Section(f"{name}-all", "Parallel coordinates", "", [parallel(results, grid, f"{name}-parallel")], level=3)


def _axis_text(axis: Any) -> str:
    count = words.plural(len(axis.values), "value")
    ends = [value_text(v, axis.name) for v in (axis.values[0], axis.values[-1])] if axis.values else ["", ""]
    span = f" from {ends[0]} to {ends[1]}" if axis.numeric else ""
    return f"{', '.join(axis.paths)} ({count}{span})"


def _map(results: Results, grid: Grid, name: str) -> Section:
    above = ""
    if len(grid.axes) > 2:
        source = f"{name}-slices"
        above = (
            "<p>Two settings at a time; choose which, and the values of the others (at first those of the best point)."
            f'</p><div class="choose slices" data-figure="{name}-map" data-source="{source}"></div>'
            + data_of(source, slices(grid))
        )
    return Section(f"{name}-maps", "Map", above, [penalty_map(results, grid, f"{name}-map")], level=3)


def _sampled(results: Results, grid: Grid, name: str, own: Sequence[Requirement]) -> Iterator[Section]:
    source, above = f"{name}-columns", ""
    if len(grid.axes) > 2:
        above = f'<div class="choose columns-of" data-figure="{name}-samples" data-source="{source}"></div>'
        above += data_of(source, columns(grid))
    yield Section(f"{name}-maps", "Map", above, [scatter(results, grid, f"{name}-samples")], level=3)
    surface = raster(grid)
    if surface is not None:
        alone = raster_results(results, surface)
        text = "<p>A surface through the sampled points, straight between neighbours; its border has no interval.</p>"
        yield Section(f"{name}-surface", "Surface", text, [penalty_map(alone, surface, f"{name}-map")], level=3)
        yield _border(grid, name, own)


def _border(grid: Grid, name: str, own: Sequence[Requirement]) -> Section:
    """Return the border of the acceptable region as numbers: a table for each axis."""
    parts = []
    for axis in grid.axes:
        lines = [r for r in own if r.axis.paths == axis.paths]
        if not lines:
            continue
        others = [a for a, _ in lines[0].beside]
        rows = [[*(value_text(v, a.name) for a, v in r.beside), r.text, r.note] for r in lines[:SHOWN_LINES]]
        more = f" (the first {SHOWN_LINES}; border.csv has all)" if len(lines) > SHOWN_LINES else ""
        head = (*(a.name for a in others), "acceptable where", "note")
        opened = " open" if len(lines) <= 12 else ""
        told = table(head, rows).replace('class="scroll"', 'class="scroll border"')
        count = words.plural(len(lines), "line")
        parts.append(f"<details{opened}><summary>along {escape(axis.name)}: {count}{more}</summary>{told}</details>")
    text = (
        "<p>Where the acceptable region ends along each axis, with its 95 % interval, which has one end only where it "
        "reaches past the values of the sweep. Also in border.csv.</p>"
    )
    return Section(f"{name}-border", "Border as numbers", text + "".join(parts) if parts else "", level=3)


def _failures(results: Results) -> list[Section]:
    """Return what went wrong, by reason."""
    groups: dict[tuple[str, str], list[int]] = {}
    for point in results.failed:
        groups.setdefault((point.status, point.reason), []).append(point.number)
    if not groups:
        return []
    rows = []
    for (status, reason), numbers in sorted(groups.items(), key=lambda item: -len(item[1]))[:100]:
        shown = ", ".join(str(n) for n in numbers[:8]) + (" …" if len(numbers) > 8 else "")
        rows.append((status, str(len(numbers)), shown, reason))
    text = (
        "<p>Points that diverged or that cannot be (refused) count as not acceptable. Of others nothing is known: they "
        "are left out.</p>"
    )
    return [Section("failed", "Failed points", text + table(("status", "points", "which", "reason"), rows))]


def _points(results: Results) -> Section:
    rows = [[_cell(v) for v in row] for row in point_rows(results)]
    names = {axis.paths[0]: axis.name for grid in results.grids for axis in grid.axes}
    head = [names.get(name, name) for name in point_head(results)]
    text = "<p>Click a title to sort. The same in points.csv; every chip in table.csv and table.parquet.</p>"
    return Section(
        "points", "All points",
        text + _names(results) + data_of("points-data", {"head": head, "rows": rows})
        + '<div class="all-points" data-source="points-data"></div>',
    )  # fmt: skip


def _names(results: Results) -> str:
    """Return which setting each name of this page is: the files call them by their whole paths."""
    found = {axis.paths: axis.name for grid in results.grids for axis in grid.axes}
    rows = [(name, ", ".join(paths)) for paths, name in found.items() if (name,) != paths]
    if not rows:
        return ""
    text = "<details open><summary>names: here, and in the files and in config.toml</summary>"
    return text + table(("on this page", "in the files"), rows) + "</details>"


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, float):
        return float(f"{value:.5g}") if isfinite(value) else None
    return value


def _configuration(results: Results) -> list[Section]:
    config = results.about.get("config")
    if not config:
        return []
    told: Mapping[str, Any] = results.about.get("baseline") or {}
    text = f"<p>What every point starts from. Baseline: {escape(minus(str(told.get('what', 'stated'))))}.</p>"
    if results.several:
        rows = [(settings_text(where), words.accuracy(values)) for where, values in results.several]
        text += "<p>Settings of the network, its data and its training have a baseline each:</p>"
        text += table(("for", "test accuracy"), rows)
    shown = f"<details><summary>config.toml</summary><pre><code>{escape(str(config))}</code></pre></details>"
    return [Section("configuration", "Configuration", text + shown)]
