"""What a sweep shows while it works: points done and failed, their rate, the time left."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mho.report.words import plural
from mho.sweep.table import DONE
from mho.train.screen import Drawn, Printed, chosen

if TYPE_CHECKING:
    from rich.console import Console

Rows = Sequence[dict[str, Any]]


class Silent:
    """Shows nothing, and is what the others derive from."""

    def write(self, text: str) -> None:
        """Say something in a line of its own."""

    def begin(self, points: int, rows: Rows, workers: int) -> None:
        """Say how many points there are, the rows that were there before, and how many packs go at once."""

    def share(self, task: int, points: float) -> None:
        """Say how many points' worth of a running task is done."""

    def done(self, rows: Rows) -> None:
        """Say which rows have come."""

    def refresh(self) -> None:
        """Show the time as it is now."""

    def close(self) -> None:
        """Take a bar off the screen."""


class Lines(Printed, Silent):
    """A plain line for every pack on stdout."""

    def __init__(self) -> None:
        self.points = self.finished = self.failed = self.before = 0
        self.began = time.monotonic()
        self.shares: dict[int, float] = {}

    def begin(self, points: int, rows: Rows, workers: int) -> None:
        """Note where the sweep is."""
        self.points, self.began, self.shares = points, time.monotonic(), {}
        self.finished = self.failed = 0
        self._count(rows)
        self.before = self.finished
        if self.before:
            self.write(f"{self.before} of {points} points are there already")

    def share(self, task: int, points: float) -> None:
        """Note how far a task is."""
        self.shares[task] = points

    def done(self, rows: Rows) -> None:
        """Print where the sweep is."""
        self._count(rows)
        baselines = {row["point"] for row in rows if row["point"] < 0}
        self.write(f"{plural(len(baselines), 'baseline')} done" if baselines else self.text())

    def _count(self, rows: Rows) -> None:
        status = {row["point"]: row["status"] for row in rows if row["point"] >= 0}  # a baseline is no point
        self.finished += len(status)
        self.failed += sum(one != DONE for one in status.values())

    @property
    def reached(self) -> float:
        """Points done, parts of those on their way among them."""
        return self.finished + sum(self.shares.values())

    def text(self) -> str:
        """Return points done and failed, the rate and the time left."""
        seconds = max(time.monotonic() - self.began, 1e-9)
        rate = (self.reached - self.before) / seconds
        failed = f", {self.failed} failed" if self.failed else ""
        pace = f", {speed(rate)}, {duration((self.points - self.reached) / rate)} left" if rate > 0 else ""
        return f"{self.finished} of {self.points} points done{failed}{pace}"


class Bar(Drawn, Lines):
    """A bar on a terminal."""

    def __init__(self, console: Console) -> None:
        from rich.progress import BarColumn, Progress, TextColumn

        super().__init__()
        self.progress = Progress(
            BarColumn(bar_width=None), TextColumn("{task.description}"), console=console, transient=True
        )
        self.task = self.progress.add_task("preparing", total=None)
        self.progress.start()

    def done(self, rows: Rows) -> None:
        """Move the bar."""
        self._count(rows)
        self.refresh()

    def refresh(self) -> None:
        """Draw the bar as things are now."""
        self.progress.update(self.task, total=self.points, completed=self.reached, description=self.text())

    def share(self, task: int, points: float) -> None:
        """Note how far a task is, and draw it."""
        super().share(task, points)
        self.refresh()


def reporter(progress: bool | str) -> Silent:
    """Return what shows a sweep: True: a bar on a terminal, lines elsewhere; "plain": lines; False: nothing."""
    return chosen(progress, Silent, Lines, Bar)


def speed(rate: float) -> str:
    """Return points a second in the unit that fits, as "2.5 points/s", or "3 points/min"."""
    return f"{rate:.2g} points/s" if rate >= 0.1 else f"{60 * rate:.2g} points/min"


def duration(seconds: float) -> str:
    """Return a time in the largest unit that fits, as "3.2 h", or "2 min"."""
    for size, unit in ((86400.0, "days"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.2g} {unit}" if seconds < 100 * size else f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
