"""The rounds of a search: ask for a batch, compute its packs, note what came of it, and again."""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mho.errors import CheckpointError, ConfigError
from mho.folders import write_text
from mho.report.words import plural
from mho.sweep.engine import carry_out
from mho.sweep.estimate import ESTIMATING, estimate, expected, of_baselines
from mho.sweep.executors.base import Executor
from mho.sweep.files import SEARCH, collected, unfinished, write_plan, write_table
from mho.sweep.plan import Plan
from mho.sweep.progress import Silent
from mho.sweep.search.asking import ask, check_installed
from mho.sweep.search.cost import EXAMPLE, Cost, read_cost
from mho.sweep.search.outcome import Outcome, best, outcomes
from mho.sweep.search.record import Record, as_json
from mho.sweep.search.settings import COST, Search, read_search
from mho.sweep.search.space import Space
from mho.sweep.settings import Sweep
from mho.sweep.table import BASELINE, DONE, SweepTable


@dataclass(frozen=True)
class Question:
    """A search made ready: its settings, where it may go, what a point costs, and what it calls acceptable."""

    search: Search
    space: Space
    cost: Cost | None
    threshold: float
    grid: str

    def outcomes(self, table: SweepTable, plan: Plan) -> list[Outcome]:
        """Return the outcomes of the points of a plan that the table has."""
        return outcomes(table, [plan.point(n) for n in range(len(plan.values))], self.cost)


def question(sweep: Sweep, plan: Plan) -> Question:
    """Return what a sweep's [search] asks, checked before anything is computed; raise ConfigError."""
    check_installed()
    if not sweep.search:
        raise ConfigError(
            "--search goes by the table [search] of the sweep, and there is none; give one, as "
            f"trials = 128 and {EXAMPLE}, or leave out --search for all points"
        )
    search = read_search(sweep.search)
    if len(sweep.grids) != 1:
        raise ConfigError(
            f"a search goes through the axes of one grid, found {len(sweep.grids)}; put all axes into one [[grid]]"
        )
    space = Space(plan.axes[0])
    cost = read_cost(search.cost, space.paths) if search.cost.strip() else None
    if cost is not None:
        space.check_numbers(cost.paths)
        if all(math.isnan(cost(values)) for values in space.ends()):
            raise ConfigError(
                f"search.cost {cost.text!r} is no number at either end of the axes nor between, as log10 of 0 or 1 / 0 "
                "would be; change it, or the ends"
            )
    return Question(search, space, cost, float(sweep.threshold), sweep.grids[0].name)


def carry_on(asked: Question, plan: Plan, executor: Executor, folder: Path, *, shown: Silent) -> SweepTable:
    """Search until all trials are known, from wherever the directory is, and return the table of all points.

    A batch is in the plan before it is computed, and the next depends on the table alone: so a search that was stopped
    anywhere ends with the same table as one that was not.
    Raises CheckpointError, and what `carry_out` does.
    """
    search, name = asked.search, study_name(folder) or f"mho {asked.grid} {secrets.token_hex(4)}"
    record, found = Record(search, folder, name), list[Outcome]()
    _write(asked, name, folder, found)
    while True:
        if plan.values:
            carry_out(plan, unfinished(folder, plan), executor, folder, shown=shown)
            found = asked.outcomes(_table(folder, plan), plan)
            record.add(found, asked.space, asked.threshold)
            _write(asked, name, folder, found)
            shown.write(f"{len(found)} of {search.trials} trials: {told(asked, found)}")
        if len(plan.values) >= search.trials:
            return write_table(folder, plan)
        plan = _with_batch(asked, plan, found)
        write_plan(folder, plan)


def _with_batch(asked: Question, plan: Plan, found: Sequence[Outcome]) -> Plan:
    """Return the plan with the next points to try."""
    count = min(asked.search.batch, asked.search.trials - len(plan.values))
    return plan.with_points(asked.grid, ask(asked.search, asked.space, found, count, asked.threshold))


def tell(
    asked: Question, plan: Plan, executor: Executor, write: Callable[[str], None], folder: Path | None = None
) -> None:
    """Say how much a search has to do, at once, and after probes of its first batch what all of it will cost."""
    search, seeds, begun = asked.search, plan.sweep.seeds, bool(plan.values)
    plan = plan if begun else _with_batch(asked, plan, [])
    left = unfinished(folder, plan) if folder is not None and begun else list(plan.packs)
    batches = -(-search.trials // search.batch)
    write(
        f"search: {plural(search.trials, 'point')} of {plural(seeds, 'chip')}: {search.trials * seeds} chips in "
        f"{'one batch' if batches == 1 else f'{batches} batches, one after another'}{of_baselines(plan)}"
    )
    to_come = max(0, search.trials - len(plan.values))
    if begun:
        points = to_come + sum(len(pack.points) for pack in left if not pack.of_baselines)
        write(f"finished already: {plural(search.trials - points, 'point')}; left: {points}")
    probed = left or list(plan.packs)
    if to_come or left:
        write(ESTIMATING)
        cost, now = estimate(plan, probed, executor), sum(len(pack.points) for pack in probed)
        share = (to_come + sum(len(pack.points) for pack in left)) / now
        for line in expected(replace(cost, seconds=cost.seconds * share)):
            write(line)


def _write(asked: Question, name: str, folder: Path, found: Sequence[Outcome]) -> None:
    held = as_json(asked.search, name, asked.threshold, found, best(found, asked.search.targets))
    write_text(folder / SEARCH, json.dumps(held) + "\n")


def _table(folder: Path, plan: Plan) -> SweepTable:
    table = collected(folder, plan)
    base = table.where(point=BASELINE).rows["test_accuracy"]
    trained = zip(table.rows["status"], table.rows["penalty"], strict=True)
    if (base and not any(base)) or (DONE, None) in trained:
        raise ConfigError(
            "the baseline has no test accuracy, so there are no penalties to search by; change the settings, or give "
            "the baseline as a number: baseline = 98.0"
        )
    return table


def told(asked: Question, found: Sequence[Outcome]) -> str:
    """Return the best point so far in words."""
    chosen = best(found, asked.search.targets)
    limit = f"penalty of at most {asked.threshold:g} points"
    if chosen is None:
        known = [o for o in found if math.isfinite(o.penalty)]
        lowest = f", the lowest is {min(o.penalty for o in known):z.2f}" if known else ""
        return f"none has a {limit}{lowest}"
    front = f"; {sum(o.front for o in found)} on the front" if len(asked.search.targets) > 1 else ""
    what = (
        f"cheapest with a {limit}: cost {chosen.cost:.4g}, penalty" if COST in asked.search.targets else "best: penalty"
    )
    values = ", ".join(f"{path} = {_short(value)}" for path, value in chosen.values.items())
    return f"{what} {chosen.penalty:z.2f} (std {chosen.std:.2f}) at point {chosen.point}: {values}{front}"


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def study_name(folder: Path) -> str:
    """Return the name of the study of Optuna that a search has been given, "" where there is none yet."""
    path = folder / SEARCH
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["study"])
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{path} is damaged ({error}); delete it, and mho sweep --search --resume {folder} writes it again"
        ) from error
