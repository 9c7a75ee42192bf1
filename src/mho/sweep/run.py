"""A whole sweep: its plan, its packs on an executor, its table."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from mho.errors import ConfigError
from mho.folders import check_writable
from mho.sweep.engine import carry_out
from mho.sweep.estimate import estimate, said
from mho.sweep.executors.base import Executor
from mho.sweep.fields import base
from mho.sweep.files import begin, drop_table, finished, locked, read_plan, write_table
from mho.sweep.packs import Pack
from mho.sweep.plan import Plan, begun, plan
from mho.sweep.progress import Silent, reporter
from mho.sweep.settings import Sweep
from mho.sweep.sweep_file import load
from mho.sweep.table import TABLE, SweepTable, read

Given = Sweep | str | os.PathLike[str] | None


@dataclass(frozen=True)
class Places:
    """Where tasks are computed: `workers` processes beside this one, a Ray cluster, or, without either, here."""

    workers: int = 0
    ray: str | None = None

    def __post_init__(self) -> None:
        if self.workers < 0:
            raise ConfigError(f"--workers must be at least 1, found {self.workers}; leave it out for one process")
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
    new = None if sweep is None else planned(sweep, places, search=search, yes=yes)
    if new is None:
        read_plan(folder)  # says so where there is none, before anything is made
    check_writable(folder)
    with locked(folder):
        made = read_plan(folder) if new is None else begin(folder, new)
        left = unfinished(folder, made)
        if not left and (folder / TABLE).is_file():
            return read(folder)
        drop_table(folder)
        shown = reporter(progress)
        try:
            with places.executor(made.threads) as executor:
                if not made.search:  # which says itself, batch by batch, what it is about to do
                    for line in said(made, left, estimate(made, left, executor) if progress and left else None):
                        shown.write(line)
                table = _computed(folder, made, executor, shown)
        finally:
            shown.close()
        write_sweep_report(folder, table)
        return table


def _computed(folder: Path, made: Plan, executor: Executor, shown: Silent) -> SweepTable:
    """Return the table when everything is computed, and written."""
    if made.search:
        from mho.sweep.search.rounds import carry_on, question

        return carry_on(question(made.sweep, made), made, executor, folder, shown=shown)
    carry_out(made, made.packs, executor, folder, shown=shown)
    return write_table(folder, made)


def planned(sweep: Given, places: Places, *, search: bool = False, yes: bool = False) -> Plan:
    """Return the plan of a sweep, or of its TOML file; of a search the beginning, checked. Raises ConfigError."""
    asked = sweep if isinstance(sweep, Sweep) else load(cast(str, sweep))
    if not search:
        return plan(asked, yes=yes, threads=places.threads)
    from mho.sweep.search.rounds import question

    made = begun(asked, base(asked), places.threads, search=True)
    question(asked, made)
    return made


def unfinished(folder: Path, made: Plan) -> list[Pack]:
    """Return the packs of a plan whose rows are not there."""
    there = finished(folder, made)
    return [pack for pack in made.packs if pack.number not in there]
