"""The results of a study made of steps: its rows for programs, a table for each group of them for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mho.errors import ConfigError
from mho.studies.bench import Bench, Row
from mho.studies.rows import ACCURACY, POINTS, result_row, signed


def bench_rows(bench: Bench, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the rows of results.json: all values, then the distances from their baselines of which something is known.

    Raises ConfigError where two rows have one name.
    """
    named = by_name(bench, rows)
    found = [result_row(r.case, r.values, bench.known.get(r.case, ()), r.unit) for r in rows]
    for r in rows:
        if bench.penalty.get(r.case) and (gap := over(r, named)):
            unit = POINTS if r.unit == ACCURACY else r.unit
            found.append(result_row(f"{r.case}, over {r.baseline}", gap, bench.penalty[r.case], unit))
    return found


def by_name(bench: Bench, rows: Sequence[Row]) -> dict[str, Row]:
    """Return rows by their names; raise ConfigError where two have the same."""
    named = {r.case: r for r in rows}
    if len(named) < len(rows):
        names = [r.case for r in rows]
        twice = sorted({n for n in names if names.count(n) > 1})
        raise ConfigError(f"study {bench.name} has several rows {twice}; every row of a study needs a name of its own")
    return named


def over(row: Row, named: Mapping[str, Row]) -> list[float] | None:
    """Return the distances of a row's values from the mean of its baseline, None where there is none."""
    base = named.get(row.baseline)
    return None if base is None else [v - base.mean for v in row.values]


def bench_tables(bench: Bench, rows: Sequence[Row]) -> str:
    """Return a Markdown table for every group of rows, its name in bold before it, and the bench's own tables."""
    named = by_name(bench, rows)
    parts = []
    shown = [r for r in rows if r.shown]
    for group in dict.fromkeys(r.group for r in shown):
        head = [f"**{group}**\n"] if group else []
        parts += [*head, _table(bench, [r for r in shown if r.group == group], named)]
    return "\n".join(parts + ([bench.tables(rows)] if bench.tables is not None else []))


def _table(bench: Bench, rows: Sequence[Row], named: Mapping[str, Row]) -> str:
    units = list(dict.fromkeys(r.unit for r in rows))
    bases = list(dict.fromkeys(r.baseline for r in rows if r.baseline in named))
    column = f"over {bases[0]}" if len(bases) == 1 else "over its baseline"
    heads = ["case", "what is new", units[0] if len(units) == 1 else "value", *([column] if bases else []), "known"]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for r in rows:
        gap = over(r, named)
        known = (*bench.known.get(r.case, ()), *bench.penalty.get(r.case, ()))
        cells = [
            r.case,
            r.about,
            value(r) + (f" {r.unit}" if len(units) > 1 else ""),
            *([] if not bases else ["" if gap is None else signed(gap)]),
            "; ".join(map(str, known)),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def value(row: Row) -> str:
    """Return the mean of a row, with its spread where it has several values; accuracies have two decimals."""
    form = "{:.2f}" if row.unit in (ACCURACY, POINTS) else "{:.4g}"
    return form.format(row.mean) + (f" ± {form.format(row.std)}" if len(row.values) > 1 else "")
