"""What programming a run shows while it works: a bar on a terminal, a line for each time elsewhere, or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mho.inference.over_time import Moment
from mho.report import words
from mho.train.screen import Drawn, Printed, chosen

if TYPE_CHECKING:
    from rich.console import Console


class Silent:
    """Shows nothing, and is what the others derive from."""

    def phase(self, text: str) -> None:
        """Say what is being done."""

    def told(self, done: int, total: int) -> None:
        """Say how many images of this pass are done."""

    def reached(self, moment: Moment) -> None:
        """Say what was found at a time."""

    def close(self) -> None:
        """Take a bar off the screen."""


class Lines(Printed, Silent):
    """A plain line for each time on stdout."""

    def phase(self, text: str) -> None:
        """Print what is being done."""
        self.write(text)

    def reached(self, moment: Moment) -> None:
        """Print what was found."""
        self.write(f"{moment.name}: {words.accuracy(moment.accuracy)}")


class Bar(Drawn, Lines):
    """A line for each time, and below them a bar over the images of all passes."""

    def __init__(self, console: Console, passes: int) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self.progress = Progress(
            TextColumn("{task.description}"), BarColumn(bar_width=None), TimeRemainingColumn(), TextColumn("left"),
            console=console, transient=True, speed_estimate_period=20.0,
        )  # fmt: skip
        self.passes, self.done = passes, 0
        self.task = self.progress.add_task("preparing", total=None)
        self.progress.start()

    def phase(self, text: str) -> None:
        """Show what is being done beside the bar."""
        self.progress.update(self.task, description=text)

    def told(self, done: int, total: int) -> None:
        """Move the bar; passes have the same images."""
        self.progress.update(self.task, total=self.passes * total, completed=self.done * total + done)
        self.done += done == total


def reporter(progress: bool | str, passes: int) -> Silent:
    """Return what shows the work: True: a bar on a terminal, lines elsewhere; "plain": lines; False: nothing."""
    return chosen(progress, Silent, Lines, lambda console: Bar(console, passes))
