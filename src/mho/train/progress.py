"""What a run shows while it works: a bar on a terminal, a line per epoch elsewhere, or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

from mho.train.screen import Drawn, Printed, chosen

if TYPE_CHECKING:
    from rich.console import Console


class Silent:
    """Shows nothing, and is what the others derive from."""

    def phase(self, text: str) -> None:
        """Say what is being prepared."""

    def begin(self, *, epochs: int, steps: int, done: int) -> None:
        """Say how many epochs of how many steps there are, and how many epochs are done."""

    def update(self, steps: int, loss: float, accuracy: float) -> None:
        """Say how many steps of this epoch are done, and how the last ones went."""

    def epoch(self, line: dict[str, Any]) -> None:
        """Say how an epoch ended."""

    def close(self) -> None:
        """Take a bar off the screen."""


class Lines(Printed, Silent):
    """A plain line per epoch on stdout."""

    def __init__(self) -> None:
        self.epochs = 0

    def phase(self, text: str) -> None:
        """Print what is being prepared."""
        self.write(text)

    def begin(self, *, epochs: int, steps: int, done: int) -> None:
        """Note the number of epochs."""
        self.epochs = epochs

    def epoch(self, line: dict[str, Any]) -> None:
        """Print how an epoch ended."""
        trained = (
            f"loss {mean(line['train_loss']):.4f}  accuracy {mean(line['train_accuracy']):.2f} %  "
            if self.epochs
            else ""
        )
        self.write(
            f"epoch {line['epoch']}/{self.epochs}  {trained}"
            f"test accuracy {mean(line['test_accuracy']):.2f} %  {line['seconds']:.1f} s"
        )


class Bar(Drawn, Lines):
    """A line per epoch, and below them a bar: epoch, running loss and accuracy, time left in the run."""

    def __init__(self, console: Console) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        super().__init__()
        self.progress = Progress(
            TextColumn("{task.description}"), BarColumn(bar_width=None), TextColumn("{task.fields[state]}"),
            TimeRemainingColumn(), TextColumn("left"),
            console=console, transient=True, speed_estimate_period=20.0,
        )  # fmt: skip
        self.task = self.progress.add_task("preparing", total=None, state="")
        self.progress.start()
        self.steps = self.done = 0

    def phase(self, text: str) -> None:
        """Show what is being prepared in the bar."""
        self.progress.update(self.task, description=text)

    def begin(self, *, epochs: int, steps: int, done: int) -> None:
        """Show where the run starts."""
        self.epochs, self.steps, self.done = epochs, steps, done
        self.progress.reset(
            self.task,
            total=epochs * steps,
            completed=done * steps,
            description=self._where(),
            state="compiling kernels where they are new",
        )

    def update(self, steps: int, loss: float, accuracy: float) -> None:
        """Move the bar."""
        self.progress.update(
            self.task, completed=self.done * self.steps + steps, description=self._where(),
            state="testing" if steps == self.steps else f"loss {loss:.3f}  accuracy {accuracy:5.1f} %",
        )  # fmt: skip

    def epoch(self, line: dict[str, Any]) -> None:
        """Print how an epoch ended, above the bar."""
        self.done = line["epoch"]
        super().epoch(line)

    def _where(self) -> str:
        return f"epoch {min(self.done + 1, self.epochs)}/{self.epochs}"


def reporter(progress: bool | str) -> Silent:
    """Return what shows a run: True: a bar on a terminal, lines elsewhere; "plain": lines; False: nothing."""
    return chosen(progress, Silent, Lines, Bar)


def mean(values: Sequence[float | None]) -> float:
    """Return the mean over chips; a chip without a finite value makes it NaN."""
    return fmean(float("nan") if v is None else v for v in values)
