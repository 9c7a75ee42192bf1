"""Why points of a sweep failed, in a few lines."""

from __future__ import annotations

import re

from mho.report.words import plural
from mho.sweep.report.results import Results
from mho.sweep.table import DONE

MOST = 5
"""Lines about points that failed."""
NUMBER = re.compile(r"\d+(\.\d+)?(e[-+]?\d+)?")
"""Steps and values in reasons differ from point to point."""


def failures(results: Results) -> list[str]:
    """Return why points failed, in at most MOST lines: a reason, how many points it has, and one of them."""
    found: dict[tuple[str, str], list[str]] = {}
    for grid in results.grids:
        for point in grid.points:
            if point.status != DONE:
                where = ", ".join(f"{axis.name} = {v}" for axis, v in zip(grid.axes, point.values, strict=True))
                kind = (point.status, NUMBER.sub("#", point.reason))
                found.setdefault(kind, []).append(f"as point {point.number}, {where}: {point.reason}")
    told = sorted(found.items(), key=lambda item: -len(item[1]))
    lines = [f"{plural(len(points), 'point')} failed ({status}), {points[0]}" for (status, _), points in told]
    if len(lines) <= MOST:
        return lines
    others = sum(len(points) for _, points in told[MOST - 1 :])
    return [*lines[: MOST - 1], f"{plural(others, 'point')} more failed for other reasons; table.csv says them all"]
