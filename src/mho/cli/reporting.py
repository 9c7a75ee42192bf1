"""`mho report`: the report of a run directory, or of a sweep's, written again."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer


def report(
    run: Annotated[
        Path, typer.Argument(metavar="RUN_DIR", help="The directory that mho train or mho sweep wrote with --out.")
    ],
    threshold: Annotated[
        float | None,
        typer.Option(metavar="X", help="Of a sweep: another acceptable penalty, in points.", show_default=False),
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Write the HTML report of a run, or of a sweep, again, into RUN_DIR/report.html.

    Works on a run or a sweep that was stopped, too: it shows the epochs, or the points, that were completed. Beside
    the page of a sweep stand its numbers as CSV: points, requirements and borders of maps. Another --threshold changes
    only these: nothing is computed, and the table stays.
    """
    from mho.errors import CheckpointError, ConfigError
    from mho.sweep.report import is_sweep, write_sweep_report

    if threshold is not None and not math.isfinite(threshold):
        raise ConfigError(f"--threshold is a number of points of test accuracy, found {threshold}; give one, as 0.3")
    if is_sweep(run):
        print(write_sweep_report(run, threshold=threshold))
        return
    if not (run / "config.toml").is_file():
        raise CheckpointError(
            f"{run} holds neither a run (config.toml) nor a sweep (plan.json); give the directory that mho train --out "
            "DIR or mho sweep --out DIR wrote"
        )
    if threshold is not None:
        raise ConfigError(f"{run} is a run, and a threshold belongs to a sweep; leave out --threshold")
    from mho.report import write_report

    print(write_report(run))
