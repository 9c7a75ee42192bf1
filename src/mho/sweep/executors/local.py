"""Tasks in processes of their own on this machine, which may be killed at any time."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from mho.errors import ConfigError
from mho.sweep.executors.base import Outcome, Task, Told, WorkerError

PATIENCE = 1.0
"""Seconds after which `wait` returns with nothing."""


@dataclass(eq=False)
class _Worker:
    """A process, and the number of the task that it has."""

    process: subprocess.Popen[str]
    task: int | None = None


class Local:
    """`workers` processes that each compute one task at a time; a new one takes the place of one that died.

    They are new interpreters, not copies of this one (a fork after a parallel kernel hangs), and read tasks from their
    standard input, at whose end they stop, in the middle of a task too: none outlives this process.
    """

    def __init__(self, workers: int) -> None:
        if workers < 1:
            raise ConfigError(f"--workers must be at least 1, found {workers}; leave it out for this process alone")
        self.workers = workers
        self.told: queue.Queue[tuple[_Worker, dict[str, Any] | None]] = queue.Queue()
        self.running: list[_Worker] = []

    def free(self) -> int:
        """Return how many workers have nothing to do, those that are not started yet among them."""
        return self.workers - sum(worker.task is not None for worker in self.running)

    def submit(self, number: int, task: Task) -> None:
        """Give a task to a worker that has none."""
        worker = next((w for w in self.running if w.task is None), None) or self._start()
        worker.task = number
        assert worker.process.stdin is not None
        with suppress(OSError):  # where it has died its listener says so
            worker.process.stdin.write(json.dumps(task) + "\n")
            worker.process.stdin.flush()

    def wait(self, told: Told) -> list[Outcome]:
        """Return what workers said since the last time."""
        said = []
        with suppress(queue.Empty):
            said.append(self.told.get(timeout=PATIENCE))
            while True:
                said.append(self.told.get_nowait())
        outcomes = (self._outcome(worker, answer, told) for worker, answer in said)
        return [outcome for outcome in outcomes if outcome is not None]

    def close(self) -> None:
        """Kill all workers: they hold nothing that is not kept."""
        for worker in self.running:
            worker.process.kill()
        for worker in self.running:
            _bury(worker)
        self.running.clear()

    def _start(self) -> _Worker:
        """Start a worker that finds every module that this process finds."""
        path = os.pathsep.join(filter(None, sys.path))
        process = subprocess.Popen(
            [sys.executable, "-m", "mho.sweep.executors.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, encoding="utf-8", env={**os.environ, "PYTHONPATH": path},
        )  # fmt: skip
        worker = _Worker(process)
        self.running.append(worker)
        threading.Thread(target=self._listen, args=(worker,), daemon=True).start()
        return worker

    def _listen(self, worker: _Worker) -> None:
        """Pass on what a worker says, and None when it is gone."""
        assert worker.process.stdout is not None
        with worker.process.stdout as lines, suppress(ValueError):  # it may die in the middle of a line
            for line in lines:
                self.told.put((worker, json.loads(line)))
        self.told.put((worker, None))

    def _outcome(self, worker: _Worker, said: dict[str, Any] | None, told: Told) -> Outcome | None:
        number = worker.task
        if said is None:
            if worker in self.running:
                self.running.remove(worker)
            code = _bury(worker)
            how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
            return None if number is None else Outcome(number, lost=f"its worker, process {worker.process.pid}, {how}")
        assert number is not None
        if "share" in said:
            told(number, said["share"])
            return None
        worker.task = None
        if "error" in said:
            return Outcome(number, error=WorkerError(said["error"]))
        return Outcome(number, answer=said["answer"])


def _bury(worker: _Worker) -> int:
    """Return the exit code of a worker that ends, with nothing of it left open."""
    assert worker.process.stdin is not None
    with suppress(OSError):
        worker.process.stdin.close()
    return worker.process.wait()
