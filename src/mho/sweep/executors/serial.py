"""Tasks one after another, in this process."""

from __future__ import annotations

from mho.sweep.compute import compute
from mho.sweep.executors.base import Outcome, Task, Told


class Serial:
    """Computes a task when it is waited for."""

    workers = 1

    def __init__(self) -> None:
        self.given: list[tuple[int, Task]] = []

    def free(self) -> int:
        """Return 1 when no task waits."""
        return 1 - len(self.given)

    def submit(self, number: int, task: Task) -> None:
        """Keep a task until `wait`."""
        self.given.append((number, task))

    def wait(self, told: Told) -> list[Outcome]:
        """Compute the task."""
        number, task = self.given.pop()
        try:
            return [Outcome(number, compute(task, told=lambda share: told(number, share)))]
        except Exception as error:
            return [Outcome(number, error=error)]

    def close(self) -> None:
        """Do nothing: there are no workers."""
