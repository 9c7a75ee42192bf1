"""The engine: packs go to an executor, rows come back and are kept, until all are there."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mho.sweep.executors.base import Executor, Outcome
from mho.sweep.files import finished, read_pack, warned, write_pack
from mho.sweep.packs import Pack
from mho.sweep.plan import Plan
from mho.sweep.progress import Silent
from mho.sweep.table import OUT_OF_MEMORY

TRIES = 3
"""Workers that a task may lose before it is held to be too large for their memory, and halved."""


@dataclass(frozen=True)
class _Job:
    """A pack or, after workers were lost, a part of one; `lost`: how many workers it has cost."""

    pack: Pack
    points: tuple[int, ...]
    lost: int = 0
    halved: bool = False


def _run(job: _Job) -> str:
    """Return what a user is told a job is: its run, and its points."""
    first, last = job.points[0], job.points[-1]
    points = "of baselines" if first < 0 else f"point {first}" if first == last else f"points {first} to {last}"
    return f"run {job.pack.number} ({points})"


@dataclass
class _Found:
    """The rows of a pack so far, and what was said of how they were made."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    said: dict[str, Any] = field(default_factory=dict)


def carry_out(
    plan: Plan, packs: Sequence[Pack], executor: Executor, folder: Path, *, shown: Silent | None = None
) -> list[dict[str, Any]]:
    """Compute packs of a plan, keep each in `folder` when it is done, and return the rows of all.

    Packs that are there already are only read. A pack whose worker dies is given again, whole; after TRIES of them in
    halves, marked as such. shown: hears of the progress. Raises what an executor calls an error, when the machine is
    at fault, CheckpointError for a damaged pack; what is finished is kept.
    """
    shown = shown or Silent()
    there = finished(folder, plan)
    done = {pack.number: read_pack(folder, plan, pack) for pack in packs if pack.number in there}
    points = sum(len(pack.points) for pack in packs if not pack.of_baselines)
    shown.begin(points, [row for rows in done.values() for row in rows], executor.workers)
    work = _Work(plan, executor, folder, shown)
    done |= work.all([pack for pack in packs if pack.number not in there])
    return [row for pack in packs for row in done[pack.number]]


class _Work:
    """Packs on their way through an executor."""

    def __init__(self, plan: Plan, executor: Executor, folder: Path, shown: Silent) -> None:
        self.plan, self.executor, self.folder, self.shown = plan, executor, folder, shown
        self.waiting: deque[_Job] = deque()
        self.running: dict[int, _Job] = {}
        self.found: dict[int, _Found] = {}
        self.given = 0

    def all(self, packs: Sequence[Pack]) -> dict[int, list[dict[str, Any]]]:
        """Return the rows of packs by number, each kept as soon as it is whole."""
        self.waiting.extend(_Job(pack, pack.points) for pack in packs)
        self.found = {pack.number: _Found() for pack in packs}
        while self.waiting or self.running:
            while self.waiting and self.executor.free() > 0:
                self._give(self.waiting.popleft())
            for outcome in self.executor.wait(self._share):
                self._take(outcome)
            self.shown.refresh()
        return {number: found.rows for number, found in self.found.items()}

    def _give(self, job: _Job) -> None:
        self.given += 1
        self.running[self.given] = job
        self.executor.submit(self.given, self.plan.task(job.pack, job.points))

    def _share(self, number: int, share: float) -> None:
        self.shown.share(number, share * sum(point >= 0 for point in self.running[number].points))

    def _take(self, outcome: Outcome) -> None:
        job = self.running.pop(outcome.number)
        self.shown.share(outcome.number, 0.0)
        if outcome.error is not None:
            raise outcome.error
        if outcome.answer is not None:
            self._keep(job, outcome.answer)
        elif outcome.blameless or job.lost + 1 < TRIES:
            self.shown.write(f"{_run(job)}: {outcome.lost}; given again")
            self.waiting.appendleft(job if outcome.blameless else replace(job, lost=job.lost + 1))
        elif len(job.points) > 1:
            self.shown.write(
                f"{_run(job)}: {outcome.lost}; {TRIES} workers are lost, perhaps for want of memory: given in halves"
            )
            half = len(job.points) // 2
            for part in (job.points[half:], job.points[:half]):
                self.waiting.appendleft(_Job(job.pack, part, halved=True))
        else:
            self._keep(job, self._lost_for_good(job, outcome.lost))

    def _lost_for_good(self, job: _Job, why: str) -> dict[str, Any]:
        """Return the rows of a point that no worker survives."""
        reason = f"{TRIES} workers died computing this point, the last: {why}"
        results = dict.fromkeys(("test_accuracy", "test_loss", "train_loss", "pulses"))
        rows = [
            {"point": n, "replicate": r, "chip": chip, **results, "status": OUT_OF_MEMORY, "reason": reason,
             "halved": job.halved}
            for n in job.points for r, chip in enumerate(self.plan.chips(n))
        ]  # fmt: skip
        return {"rows": rows}

    def _keep(self, job: _Job, answer: dict[str, Any]) -> None:
        rows = [{**row, "halved": row["halved"] or job.halved} for row in answer["rows"]]
        found = self.found[job.pack.number]
        found.rows += rows
        found.said = {key: value for key, value in answer.items() if key != "rows"}
        if len(found.rows) == len(job.pack.points) * self.plan.sweep.seeds:
            found.rows.sort(key=lambda row: (row["point"], row["replicate"]))
            halved = any(row["halved"] for row in found.rows)
            write_pack(self.folder, job.pack.number, found.rows, {**found.said, "halved": halved})
        self.shown.done(rows)
        if job.pack.of_baselines and (warning := warned(self.folder, self.plan)):
            self.shown.write(f"warning: {warning}")
