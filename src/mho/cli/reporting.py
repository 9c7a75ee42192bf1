"""`mho report`: the report of a run directory, or of a sweep's, written again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    run: Annotated[
        Path, typer.Argument(metavar="RUN_DIR", help="The directory that mho train or mho sweep wrote with --out.")
    ],
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Write the HTML report of a run, or of a sweep, again, into RUN_DIR/report.html.

    Works on a run or a sweep that was stopped, too: it shows the epochs, or the points, that were completed. Beside
    the page of a sweep stand its numbers as CSV: points, requirements and borders of maps.
    """
    from mho.sweep.report import is_sweep, write_sweep_report

    if is_sweep(run):
        print(write_sweep_report(run))
        return
    from mho.report import write_report

    print(write_report(run))
