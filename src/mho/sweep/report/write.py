"""Writing the report of a sweep: the page, and its numbers as CSV."""

from __future__ import annotations

import os
from pathlib import Path

from mho.errors import CheckpointError
from mho.folders import write_text
from mho.sweep.files import PLAN, SWEEP, read_plan
from mho.sweep.report.files import write_tables
from mho.sweep.report.page import html
from mho.sweep.report.pareto import read_search
from mho.sweep.report.requirements import Requirement, border, requirements
from mho.sweep.report.results import Grid, Results, read_results
from mho.sweep.report.sampled import raster, raster_results
from mho.sweep.table import TABLE, SweepTable, read

REPORT = "report.html"
MARKS = (SWEEP, PLAN, TABLE)
"""Files by which the directory of a sweep is known."""


def is_sweep(folder: str | os.PathLike[str]) -> bool:
    """Return whether a directory holds a sweep, finished or not."""
    return any((Path(folder) / name).is_file() for name in MARKS)


def write_sweep_report(
    folder: str | os.PathLike[str], table: SweepTable | None = None, *, threshold: float | None = None
) -> Path:
    """Write report.html of a sweep, and points.csv, requirements.csv, border.csv and front.csv, from its own files.

    table: what the sweep found; read from the directory where it is not given. threshold: acceptable penalty in points,
    another than the sweep file states; nothing else of the directory changes. Returns the path of the page, which
    needs no network. A sweep that has not finished is shown as far as it got. Raises CheckpointError naming the file
    that is missing or damaged; an older report then stays.
    """
    folder = Path(folder)
    planned = len(read_plan(folder).grids) if (folder / PLAN).is_file() else None
    results = read_results(read(folder) if table is None else table, planned, threshold=threshold)
    trials = read_search(folder, threshold)
    sheet = requirements(results)
    limits = [found for grid in results.grids for found in _border(results, grid)]
    text = html(results, sheet, limits, trials)
    path = folder / REPORT
    try:
        write_tables(folder, results, sheet, limits, trials)
        write_text(path, text)
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be written: {error.strerror or error}; make room or give write permission, then "
            f"mho report {folder}"
        ) from error
    return path


def _border(results: Results, grid: Grid) -> list[Requirement]:
    if not grid.scattered:
        return border(results, grid)
    surface = raster(grid)
    return border(raster_results(results, surface), surface) if surface is not None else []
