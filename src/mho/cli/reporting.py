"""`mho report`: the report of a run directory, written again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="The directory that mho train wrote.")],
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Write the HTML report of a run again, into RUN_DIR/report.html.

    Works on a run that was stopped, too: it shows the epochs that were completed.
    """
    from mho.report import write_report

    print(write_report(run))
