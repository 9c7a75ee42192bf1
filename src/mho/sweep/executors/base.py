"""What every executor does: it takes tasks, and tells what became of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from mho.errors import MhoError

Task = dict[str, Any]
Told = Callable[[int, float], None]
"""Told the number of a task, and which share of it is done."""


class WorkerError(MhoError, OSError):
    """A worker could not work: its machine, or what is installed there, is at fault."""


@dataclass(frozen=True)
class Outcome:
    """What became of a task.

    answer: what `compute` returned. lost: why its worker died; the task may be given again. blameless: it died for
    another reason than the task, as when its whole machine went. error: what stops the sweep: the machine is at fault,
    or mho.
    """

    number: int
    answer: dict[str, Any] | None = None
    lost: str = ""
    blameless: bool = False
    error: Exception | None = None


class Executor(Protocol):
    """Computes tasks, several at once.

    A worker only computes and returns, so a task may be given twice. `close` ends all workers at once, with what they
    were doing; it is called whatever happens.
    """

    @property
    def workers(self) -> int:
        """How many tasks are computed at once."""

    def free(self) -> int:
        """Return how many more tasks can be given now."""

    def submit(self, number: int, task: Task) -> None:
        """Give a task; `number` is what its outcome is called by."""

    def wait(self, told: Told) -> list[Outcome]:
        """Return what became of tasks, after about a second also nothing; tell how far others are, if that is known."""

    def close(self) -> None:
        """End all workers."""
