"""A whole sweep: its plan, its packs on an executor, its table."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mho.errors import ConfigError
from mho.sweep.engine import carry_out
from mho.sweep.estimate import estimate, said
from mho.sweep.executors.base import Executor
from mho.sweep.files import begin, drop_table, finished, locked, read_plan, write_table
from mho.sweep.plan import Plan, plan
from mho.sweep.progress import Silent, reporter
from mho.sweep.settings import Sweep
from mho.sweep.sweep_file import load
from mho.sweep.table import TABLE, SweepTable, read


def run(
    sweep: Sweep | str | os.PathLike[str] | None = None, *, out: str | os.PathLike[str], workers: int = 0,
    ray: str | None = None, yes: bool = False, progress: bool | str = True,
) -> SweepTable:  # fmt: skip
    """Compute all points of a sweep and return its table.

    sweep: or the path of its TOML file; None goes on with what is in `out`, as does the sweep that `out` was begun with.
    out: the directory that gets plan.json, packs/, table.parquet, table.csv and report.html. workers: processes beside
    this one; 0: this one alone. ray: the address of a Ray cluster, or "auto". yes: also more than a million points.
    progress: a bar on a terminal and lines elsewhere, "plain" for lines, False for nothing.

    Killed at any moment, it goes on with the packs that are left, and ends with the same table to the last byte.
    Raises ConfigError for settings that cannot be and for an `out` that holds something else, CheckpointError for
    damaged files in it, DataError, WorkerError.
    """
    from mho.sweep.report.write import write_sweep_report

    folder = Path(out)
    asked = load(sweep) if isinstance(sweep, (str, os.PathLike)) else sweep
    with locked(folder):
        made = read_plan(folder) if asked is None else None
        new = None if asked is None else plan(asked, yes=yes, threads=threads_of(workers, ray))
        made = made or begin(folder, new)  # type: ignore[arg-type]  # one of the two is there
        left = [pack for pack in made.packs if pack.number not in finished(folder, made)]
        if not left and (folder / TABLE).is_file():
            return read(folder)
        drop_table(folder)
        shown = reporter(progress)
        try:
            with executor_for(workers, ray, made.threads) as executor:
                show_plan(made, folder, executor, shown if progress else None)
                carry_out(made, made.packs, executor, folder, shown=shown)
        finally:
            shown.close()
        table = write_table(folder, made)
        write_sweep_report(folder, table)
        return table


def show_plan(made: Plan, folder: Path, executor: Executor, shown: Silent | None) -> None:
    """Say what is to be done and what it will cost; without `shown` nothing is probed."""
    left = [pack for pack in made.packs if pack.number not in finished(folder, made)]
    if shown is not None:
        for line in said(made, left, estimate(made, left, executor) if left else None):
            shown.write(line)


def threads_of(workers: int, ray: str | None) -> int:
    """Return the threads of a task where no setting says it: the cores shared out among workers, one on a cluster."""
    if ray is not None:
        return 1
    import torch

    return max(1, torch.get_num_threads() // max(1, workers))


@contextmanager
def executor_for(workers: int, ray: str | None, threads: int) -> Iterator[Executor]:
    """Give what computes tasks, and end it afterwards, whatever happens."""
    executor = _executor(workers, ray, threads)
    try:
        yield executor
    finally:
        executor.close()


def _executor(workers: int, ray: str | None, threads: int) -> Executor:
    if ray is not None and workers:
        raise ConfigError("--workers and --ray were both given; Ray has workers of its own: keep one of the two")
    if ray is not None:
        from mho.sweep.executors.ray_cluster import RayCluster

        return RayCluster(ray, threads)
    if workers:
        from mho.sweep.executors.local import Local

        return Local(workers)
    from mho.sweep.executors.serial import Serial

    return Serial()
