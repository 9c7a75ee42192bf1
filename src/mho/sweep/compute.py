"""What a worker does: it trains the chips of one pack and returns a row for each. It writes nothing."""

from __future__ import annotations

import math
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mho.config import RunConfig, loads
from mho.data import Dataset
from mho.errors import ConfigError, GpuMemoryError, NotFiniteError
from mho.sweep.packs import packed_run
from mho.sweep.table import DIVERGED, DONE, FAILED, OUT_OF_MEMORY, REFUSED
from mho.train.halves import Place, in_halves
from mho.train.loop import Trainer
from mho.train.run import threads
from mho.train.summary import versions
from mho.train.unattended import first_class, guess

Task = dict[str, Any]
"""What `Plan.task` gives: plain values, so that it travels to any process."""
Progress = Callable[[float], None]
"""Told which share of a task's epochs is done."""
OUT_OF_MEMORY_WORDS = ("defaultcpuallocator", "can't allocate memory", "not enough memory", "out of memory")


@dataclass(frozen=True)
class _End:
    """How the run of some points ended: the last line of its metrics, if there was one, and why it failed."""

    status: str
    reason: str = ""
    line: dict[str, Any] | None = None
    silent: float = 0.0  # accuracy of a network of NaNs


@dataclass
class _Run:
    """A task on its way: its data and whom to tell of progress; `halved` once memory ran out."""

    task: Task
    start: RunConfig
    data: Callable[[RunConfig], Dataset]
    told: Progress | None
    halved: bool = False
    shared: list[int] = field(default_factory=list)  # points that were in a run that ran out of memory
    guess: dict[str, float] | None = None  # what answering the most frequent class reaches

    def attempt(self, points: Sequence[dict[str, Any]], place: Place) -> _End:
        """Train some points of the task as chips of one run."""
        silent = 0.0
        trained: list[dict[str, Any]] = []
        try:
            config = _trained(self.start, points)
            data = self.data(config)
            silent, self.guess = first_class(data), guess(data)
            self._train(Trainer(config, data), trained)
        except OSError:  # no data, a full disk: nothing that a point is to blame for
            raise
        except ConfigError as error:
            return _End(REFUSED, _line(error))
        except NotFiniteError as error:
            return _End(DIVERGED, _line(error), trained[-1] if trained else None, silent)
        except Exception as error:
            if not is_out_of_memory(error):
                return _End(FAILED, f"{type(error).__name__}: {_line(error)}")
            if len(points) > 1:
                self.shared += [point["point"] for point in points]
            return _End(OUT_OF_MEMORY, _line(error) or "memory ran out")
        return _End(DONE, line=trained[-1])

    def _train(self, trainer: Trainer, trained: list[dict[str, Any]]) -> None:
        trainer.zero_shift()
        epochs = trainer.config.epochs
        told = _every(0.5, self.told) if self.told and epochs else None

        def update(steps: int, loss: float, accuracy: float) -> None:
            if told is not None:
                told((trainer.epoch + steps / trainer.order.steps) / epochs)

        while trainer.epoch < epochs or not trained:
            trained.append(trainer.next_line(update))


def compute(
    task: Task, data: Callable[[RunConfig], Dataset] | None = None, told: Progress | None = None
) -> dict[str, Any]:
    """Return the rows of a task, and beside them what never stands in the table: seconds, worker, host, versions,
    and what guessing the most frequent class of the test images reaches.

    Points that diverge, run out of memory or cannot be are computed again in halves, until they stand alone; then their
    rows say why. data: where a configuration's data come from; default: loaded, and kept for the next task.
    Raises OSError where the machine is at fault and no point, as for data that are missing.
    """
    if task.get("probe"):
        return {"probe": _probe(task, data or loaded)}
    began = time.perf_counter()
    run = _Run(task, loads(task["config"]), data or loaded, told)
    rows: list[dict[str, Any]] = []
    with threads(task["threads"]):
        for points, end in in_halves(task["points"], run.attempt, lambda end: end.status != DONE):
            rows += _rows(points, end, set(run.shared))
    return {
        "rows": rows, "seconds": time.perf_counter() - began, "worker": os.getpid(), "host": platform.node(),
        "versions": versions(), "guess": run.guess,
    }  # fmt: skip


def _probe(task: Task, data: Callable[[RunConfig], Dataset]) -> dict[str, float] | None:
    """Return what a probe of the task says, None where its run fails: that the run itself says of its points."""
    from mho.sweep.probe import probe

    try:
        config = run_of(task)
        return probe(config, data(config), task["threads"])
    except OSError:
        raise
    except Exception:
        return None


def run_of(task: Task) -> RunConfig:
    """Return the run of all points of a task; raise ConfigError where there is none."""
    return _trained(loads(task["config"]), task["points"])


def _trained(start: RunConfig, points: Sequence[dict[str, Any]]) -> RunConfig:
    """Return the run of points without counters of single devices: a sweep keeps the totals alone."""
    config = packed_run(start, points, [chip for point in points for chip in point["chips"]])
    return config.with_({"mapping.count_pulses": False})


def _rows(points: Sequence[dict[str, Any]], end: _End, halved: set[int]) -> list[dict[str, Any]]:
    """Return a row for every chip of points that shared a run."""
    rows = []
    chips = [(point["point"], r, chip) for point in points for r, chip in enumerate(point["chips"])]
    for k, (point, replicate, chip) in enumerate(chips):
        row = {"point": point, "replicate": replicate, "chip": chip, **_results(end, k)}
        rows.append({**row, "status": end.status, "reason": end.reason, "halved": point in halved})
    return rows


def _results(end: _End, k: int) -> dict[str, float | None]:
    """Return the results of chip `k` of a run; one that diverged has those of its last complete epoch."""
    if end.line is None:
        accuracy = end.silent if end.status == DIVERGED else None
        return {"test_accuracy": accuracy, "test_loss": None, "train_loss": None, "pulses": None}
    line = end.line
    found = {name: _finite(line[name][k]) for name in ("test_accuracy", "test_loss", "train_loss")}
    return {**found, "pulses": float(sum(per_chip[k] for per_chip in line["pulses"].values()))}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory ran out, of the machine or of an accelerator."""
    if isinstance(error, (MemoryError, GpuMemoryError)) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in OUT_OF_MEMORY_WORDS)


def _every(seconds: float, told: Progress) -> Progress:
    """Return `told`, called at most once in so many seconds."""
    last = [-math.inf]

    def now_and_then(share: float) -> None:
        if time.monotonic() - last[0] >= seconds:
            last[0] = time.monotonic()
            told(share)

    return now_and_then


_kept: dict[str, Dataset] = {}


def loaded(config: RunConfig) -> Dataset:
    """Return the data of a configuration, those of the last one without reading them again."""
    from mho.data import load

    if config.data not in _kept:
        _kept.clear()
        _kept[config.data] = load(config.data, progress=False)
    return _kept[config.data]
