"""Searches without training: an executor whose penalties are a known function of a point's values."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mho.sweep.executors.base import Outcome, Task
from mho.sweep.fields import base
from mho.sweep.files import begin, read_plan
from mho.sweep.plan import begun
from mho.sweep.progress import Silent
from mho.sweep.search.rounds import carry_on, question
from mho.sweep.sweep_file import loads
from mho.sweep.table import DIVERGED, DONE, FAILED, SweepTable

BASELINE = 95.0
DW, C2C = "analog.device.dw_min", "analog.device.c2c"
TEXT = """
name = "found"
seeds = 2
threshold = 0.5
baseline = "digital"
[set]
data = "digits"
epochs = 1
[[grid]]
[grid.axes]
dw_min = { from = 1e-4, to = 1e-1, points = 5, scale = "log" }
c2c = { from = 0.05, to = 2.0, points = 5, scale = "log" }
[search]
{search}
"""
PRICE = 'cost = "log10(1/dw_min) + log10(1/c2c)"\n'
Values = dict[str, Any]


def penalty(values: Values) -> float:
    """Return a penalty with a bend: 0.5 points where 100 dw_min + c2c^2 = 0.5."""
    return 100 * float(values.get(DW, 0.0)) + float(values[C2C]) ** 2


class Known:
    """An executor that knows the penalty of every point; it fails as told, and breaks down after some tasks."""

    workers = 1

    def __init__(
        self, law: Callable[[Values], float] = penalty, *, failed: dict[int, str] | None = None, tasks: int = 10**9
    ) -> None:
        self.law, self.failed, self.left = law, failed or {}, tasks
        self.given: list[tuple[int, Task]] = []
        self.points: list[int] = []

    def free(self) -> int:
        return 1

    def submit(self, number: int, task: Task) -> None:
        self.given.append((number, task))

    def wait(self, told: object) -> list[Outcome]:
        if self.left <= 0:
            raise KeyboardInterrupt
        self.left -= 1
        number, task = self.given.pop(0)
        return [Outcome(number, {"rows": [row for p in task["points"] for row in self._rows(p)]})]

    def close(self) -> None:
        """There is nothing to end."""

    def _rows(self, point: dict[str, Any]) -> list[dict[str, Any]]:
        self.points.append(point["point"])
        lost = 0.0 if point["point"] < 0 else self.law({**point["shared"], **point["own"]})
        status = self.failed.get(point["point"], DONE)
        rows = []
        for r, chip in enumerate(point["chips"]):
            accuracy = None if status == FAILED else 94.9 if status == DIVERGED else BASELINE - lost
            rows.append(
                {"point": point["point"], "replicate": r, "chip": chip, "test_accuracy": accuracy, "test_loss": 1.0,
                 "train_loss": 1.0, "pulses": 1e3, "status": status, "reason": "" if status == DONE else "told to",
                 "halved": False}
            )  # fmt: skip
        return rows


def sought(folder: Path, search: str, executor: Known, shown: Silent | None = None) -> SweepTable:
    """Search in a directory, or go on there."""
    sweep = loads(TEXT.replace("{search}", search))
    plan = begun(sweep, base(sweep), 1)
    asked = question(sweep, plan)
    return carry_on(asked, begin(folder, plan), executor, folder, shown=shown or Silent())


def cheapest() -> float:
    """Return the lowest cost with a penalty of at most 0.5, of a fine grid."""
    prices = []
    for k in range(2000):
        c2c = 0.05 * (2.0 / 0.05) ** (k / 1999)
        dw = min((0.5 - c2c**2) / 100, 0.1)
        if dw >= 1e-4:
            prices.append(math.log10(1 / dw) + math.log10(1 / c2c))
    return min(prices)


__all__ = ["C2C", "DW", "Known", "cheapest", "penalty", "read_plan", "sought"]
