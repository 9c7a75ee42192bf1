"""Where work is shown as it goes: in a bar on a terminal, in lines elsewhere, or nowhere."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

S = TypeVar("S")


def chosen(progress: bool | str, silent: Callable[[], S], lines: Callable[[], S], bar: Callable[[Console], S]) -> S:
    """Return what shows work: True: `bar` on a terminal, `lines` elsewhere; "plain": `lines`; False: `silent`."""
    if not progress:
        return silent()
    if progress == "plain" or not sys.stdout.isatty():
        return lines()
    from rich.console import Console

    return bar(Console())


class Printed:
    """Shows its texts as lines on stdout."""

    def write(self, text: str) -> None:
        """Print a line at once, also into a pipe."""
        print(text, flush=True)


class Drawn:
    """Shows its texts above a bar."""

    progress: Progress

    def write(self, text: str) -> None:
        """Print above the bar."""
        self.progress.console.print(text, highlight=False, markup=False)

    def close(self) -> None:
        """Take the bar off the screen."""
        self.progress.stop()
