"""A probe: some steps of one pack, which say how long it takes and how much memory."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from mho.config import RunConfig
from mho.data import Dataset
from mho.train.loop import Trainer
from mho.train.memory import tensor_bytes
from mho.train.run import threads

SECONDS, BLOCKS = 3.0, 8
"""A probe ends after so many seconds, or so many blocks of steps, but not before two blocks."""
TEST_IMAGES = 64


class _Enough(Exception):
    """Enough steps are measured."""


def probe(config: RunConfig, data: Dataset, count: int) -> dict[str, float]:
    """Return what the run of a pack costs with `count` threads: seconds in all, to set up, of a step and of a test;
    bytes, counted and measured.

    Nothing of it changes what the pack computes. Raises what its run would raise.
    """
    few = data.first(None, TEST_IMAGES)
    with threads(count):
        _step(Trainer(config, few))  # compiles kernels, whose time and memory all packs share
        before, began = resident(), time.perf_counter()
        trainer = Trainer(config, few)
        setup = time.perf_counter() - began
        step = _step(trainer) if config.epochs else 0.0
        began = time.perf_counter()
        trainer.evaluate()
        test = (time.perf_counter() - began) * len(data.test_labels) / len(few.test_labels)
        return {
            "setup": setup, "step": step, "test": test, "chips": config.n_chips,
            "seconds": setup + max(1, config.epochs) * test + config.epochs * trainer.order.steps * step,
            "counted": tensor_bytes(trainer.model), "measured": max(0.0, resident() - before),
        }  # fmt: skip


def _step(trainer: Trainer) -> float:
    """Return the seconds of a step: the first block, in which kernels are compiled, is not counted."""
    marks: list[tuple[int, float]] = []
    began = time.perf_counter()

    def update(steps: int, loss: float, accuracy: float) -> None:
        marks.append((steps, time.perf_counter()))
        if len(marks) >= 2 and (len(marks) > BLOCKS or marks[-1][1] - began > SECONDS):
            raise _Enough

    with suppress(_Enough):
        trainer.run_epoch(update)
    (first, start), (last, end) = (marks[0] if len(marks) > 1 else (0, began)), marks[-1]
    return (end - start) / (last - first)


def resident() -> float:
    """Return the bytes of memory that this process holds, 0 where the system has no /proc to say it."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
        return float(pages) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0.0
