"""In what two sweeps differ."""

from __future__ import annotations

from typing import Any

from mho.sweep.plan import Plan
from mho.sweep.settings import Sweep

MOST, LONGEST = 3, 60
"""So many differences are told, with so many characters of a value."""
HEAD = ("name", "preset", "config", "seeds", "max_chips", "baseline", "threshold")


def differences(there: Plan, here: Plan) -> str:
    """Return in words in what the plan of a directory differs from another one."""
    if there.search != here.search:
        return (
            f"{'a search' if there.search else 'all points'} there, {'a search' if here.search else 'all points'} here"
        )
    ours, theirs = _flat(here.sweep), _flat(there.sweep)
    names = [name for name in dict.fromkeys((*theirs, *ours)) if theirs.get(name) != ours.get(name)]
    told = [f"{name} is {_short(theirs.get(name))} there, {_short(ours.get(name))} here" for name in names[:MOST]]
    if not told:
        return "its preset or config meant something else when it was begun"
    return "; ".join(told) + (f"; {len(names) - MOST} more" if len(names) > MOST else "")


def _flat(sweep: Sweep) -> dict[str, Any]:
    found = {name: getattr(sweep, name) for name in HEAD}
    found |= {f"set.{name}": value for name, value in sweep.settings.items()}
    for grid in sweep.grids:
        where = f"grid {grid.name!r}"
        found |= {f"{where}: {axis.name}": axis.written() for axis in grid.axes}
        found |= {f"{where}: {name}": getattr(grid, name) for name in ("method", "points", "seed")}
    return found | {f"search.{name}": value for name, value in sweep.search.items()}


def _short(value: Any) -> str:
    text = "missing" if value is None or value == "" else str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
