"""A whole sweep: its plan, its packs on an executor, its table."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from mho.errors import ConfigError
from mho.folders import check_writable
from mho.report.words import plural
from mho.sweep.engine import carry_out
from mho.sweep.estimate import tell
from mho.sweep.executors.base import Executor
from mho.sweep.fields import base
from mho.sweep.files import PLAN, begin, drop_table, locked, read_plan, unfinished, write_table
from mho.sweep.plan import MOST, Plan, begun, plan
from mho.sweep.progress import Lines, Silent, reporter
from mho.sweep.search.settings import read_search
from mho.sweep.settings import Sweep
from mho.sweep.sweep_file import load
from mho.sweep.table import TABLE, SweepTable, read
from mho.train.where import device_of

MANY = 10_000
"""Points from which on planning takes seconds."""
Given = Sweep | str | os.PathLike[str] | None


@dataclass(frozen=True)
class Places:
    """Where tasks are computed: `workers` processes beside this one, a Ray cluster, or, without either, here."""

    workers: int = 0
    ray: str | None = None

    def __post_init__(self) -> None:
        if self.workers < 0:
            raise ConfigError(f"workers must be at least 0, found {self.workers}; 0 is this process alone")
        if self.ray is not None and self.workers:
            raise ConfigError("--workers and --ray were both given; Ray has workers of its own: keep one of the two")

    @property
    def threads(self) -> int:
        """The threads of a task where no setting says it: the cores shared out among workers, one on a cluster."""
        if self.ray is not None:
            return 1
        import torch

        return max(1, torch.get_num_threads() // max(1, self.workers))

    @contextmanager
    def executor(self, threads: int) -> Iterator[Executor]:
        """Give what computes tasks of so many threads, and end it afterwards, whatever happens."""
        executor = self._executor(threads)
        try:
            yield executor
        finally:
            executor.close()

    def _executor(self, threads: int) -> Executor:
        if self.ray is not None:
            from mho.sweep.executors.ray_cluster import RayCluster

            return RayCluster(self.ray, threads)
        if self.workers:
            from mho.sweep.executors.local import Local

            return Local(self.workers)
        from mho.sweep.executors.serial import Serial

        return Serial()


def run(
    sweep: Given = None, *, out: str | os.PathLike[str], workers: int = 0, ray: str | None = None,
    search: bool = False, yes: bool = False, progress: bool | str = True,
) -> SweepTable:  # fmt: skip
    """Compute all points of a sweep, or search among them, and return its table.

    sweep: or the path of its TOML file; None goes on with what is in `out`, as does the sweep that it was begun with.
    out: the directory that gets plan.json, packs/, table.parquet, table.csv and report.html. workers: processes beside
    this one; 0: this one alone. ray: the address of a Ray cluster, or "auto". search: as the table [search] says. yes:
    also more than a million points. progress: a bar on a terminal and lines elsewhere, "plain" for lines, False for
    nothing.

    Killed at any moment, it goes on with the packs that are left, and ends with the same table to the last byte.
    Raises ConfigError for settings that cannot be and for an `out` that holds something else, CheckpointError for
    damaged files in it, WorkerError and DataError when a machine or its data are at fault.
    """
    from mho.sweep.report.write import write_sweep_report

    folder, places = Path(out), Places(workers, ray)
    with ExitStack() as held:
        shown = reporter(progress)
        held.callback(shown.close)
        new = None if sweep is None else planned(sweep, places, search=search, yes=yes, write=shown.write)
        if new is None:  # says so where there is no plan, before anything is made
            check_search(folder, read_plan(folder), search)
        if new is not None and ray is None:
            device_of(new.start)  # raises where this machine cannot compute so, before anything is made
        check_writable(folder)
        executor = None
        if new is not None and not (folder / PLAN).is_file():  # first, as a folder is only made where work can begin
            executor = held.enter_context(places.executor(new.threads))
        held.enter_context(locked(folder))
        made = read_plan(folder) if new is None else begin(folder, new)
        if is_finished(folder, made):
            return read(folder)
        drop_table(folder)
        if made is not new and (threads := _threads(made, places)):
            shown.write(threads)
        executor = executor or held.enter_context(places.executor(made.threads))
        table = _computed(folder, made, executor, shown)
        shown.close()
        write_sweep_report(folder, table)
        return table


def check_search(folder: Path, made: Plan, search: bool) -> None:
    """Raise ConfigError where a search is asked for in the directory of a sweep of all points."""
    if search and not made.search:
        raise ConfigError(
            f"{folder} holds a sweep of all points and no search; leave out --search to go on with it, or give the "
            "file and another --out for a search"
        )


def _threads(made: Plan, places: Places) -> str:
    """Return what is to be said of the threads of a sweep that is gone on with, "" where they are as they would be."""
    if made.start.threads or made.threads == places.threads:
        return ""
    return (
        f"every run has {plural(made.threads, 'thread')}, as when the sweep was begun, though it would have "
        f"{places.threads} here now: results may depend on it in their last digits"
    )


def _computed(folder: Path, made: Plan, executor: Executor, shown: Silent) -> SweepTable:
    """Return the table when everything is computed, and written."""
    told = isinstance(shown, Lines)
    if made.search:
        from mho.sweep.search import rounds

        asked = rounds.question(made.sweep, made)
        if told:
            rounds.tell(asked, made, executor, shown.write, folder)
        return rounds.carry_on(asked, made, executor, folder, shown=shown)
    if told:
        tell(made, unfinished(folder, made), executor, shown.write)
    carry_out(made, made.packs, executor, folder, shown=shown)
    return write_table(folder, made)


def say(sweep: Given, places: Places, write: Callable[[str], None], *, search: bool = False, yes: bool = False) -> None:
    """Say what a sweep, or a search, would do and cost; nothing is written. Raises ConfigError."""
    made = planned(sweep, places, search=search, yes=yes, write=write)
    with places.executor(made.threads) as executor:
        if not search:
            tell(made, made.packs, executor, write)
            return
        from mho.sweep.search import rounds

        rounds.tell(rounds.question(made.sweep, made), made, executor, write)


def say_rest(folder: Path, places: Places, write: Callable[[str], None]) -> None:
    """Say what is left to do in the directory of a sweep, or of a search, and what it would cost.

    Raises CheckpointError.
    """
    made = read_plan(folder)
    if is_finished(folder, made):
        write(f"{folder} is finished: there is nothing left to do")
        return
    with places.executor(made.threads) as executor:
        if not made.search:
            tell(made, unfinished(folder, made), executor, write)
            return
        from mho.sweep.search import rounds

        rounds.tell(rounds.question(made.sweep, made), made, executor, write, folder)


def planned(
    sweep: Given, places: Places, *, search: bool = False, yes: bool = False,
    write: Callable[[str], None] = lambda text: None,
) -> Plan:  # fmt: skip
    """Return the plan of a sweep, or of its TOML file; of a search the beginning, checked. Raises ConfigError."""
    asked = sweep if isinstance(sweep, Sweep) else load(cast(str, sweep))
    try:
        if not search:
            if MANY < asked.count <= MOST:
                write(f"planning {asked.count:,} points ...")
            return plan(asked, yes=yes, threads=places.threads)
        from mho.sweep.search.rounds import question

        made = begun(asked, base(asked), places.threads, search=True)
        question(asked, made)
        return made
    except ConfigError as error:
        if sweep is asked:
            raise
        raise ConfigError(f"{sweep}: {error}") from error


def is_finished(folder: Path, made: Plan) -> bool:
    """Return whether all that a plan asks for is computed and in the table."""
    if unfinished(folder, made) or not (folder / TABLE).is_file():
        return False
    return not made.search or len(made.values) >= read_search(made.sweep.search).trials
