"""Progress on stderr for work that takes longer than two seconds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

PATIENCE = 2.0


class Bar:
    """A progress bar that appears when its work has run for `PATIENCE` seconds, if `show`."""

    def __init__(self, text: str, *, total: int | None, show: bool) -> None:
        """Note the start; `total` None means that the amount of work is not known."""
        self._text, self._total, self._show = text, total, show
        self._start = time.monotonic()
        self._done = 0
        self._shown: tuple[Progress, TaskID] | None = None

    def advance(self, amount: int = 1) -> None:
        """Count `amount` more units of work as done."""
        self._done += amount
        if self._shown is not None:
            progress, task = self._shown
            progress.update(task, completed=self._done)
        elif self._show and time.monotonic() - self._start > PATIENCE:
            self._appear()

    def close(self) -> None:
        """Take the bar off the screen."""
        if self._shown is not None:
            self._shown[0].stop()

    def _appear(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        task = progress.add_task(self._text, total=self._total, completed=self._done)
        progress.start()
        self._shown = (progress, task)


@contextmanager
def bar(text: str, *, total: int | None, show: bool) -> Iterator[Bar]:
    """Open a `Bar` for a block of work."""
    opened = Bar(text, total=total, show=show)
    try:
        yield opened
    finally:
        opened.close()
