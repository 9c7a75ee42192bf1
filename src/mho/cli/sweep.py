"""`mho sweep`: grids, samples and searches over any setting."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from mho.sweep.report.results import Results

HELP = """Compute a map of what a device must reach: grids over any settings, packed on chips.

SWEEP.toml names settings and their values; points that differ only in what chips may differ in share one run. Before it
starts, the plan says how many runs and chips there are, and how long they will take.

[cyan]mho sweep SWEEP.toml --plan[/cyan]
   only say what would be done
[cyan]mho sweep SWEEP.toml --out DIR[/cyan]
   in this process; the same command goes on after Ctrl-C or a kill
[cyan]mho sweep SWEEP.toml --out DIR --workers 4[/cyan]
   in four processes, any of which may be killed
[cyan]mho sweep SWEEP.toml --out DIR --ray auto[/cyan]
   on the Ray cluster that this machine belongs to, or --ray HOST:6379
[cyan]mho sweep SWEEP.toml --out DIR --search[/cyan]
   search by the table \\[search], instead of all points
[cyan]mho sweep --resume DIR[/cyan]
   go on without the file; with --plan only say what is left

A short SWEEP.toml:

   \\[set]
   data = "digits"
   epochs = 20
   \\[\\[grid]]
   \\[grid.axes]
   "device.dw_min" = { from = 0.0005, to = 0.05, points = 7, scale = "log" }
   "device.up_down" = \\[1.0, 1.01, 1.02, 1.05]

DIR then holds report.html, table.parquet and table.csv. The last line printed says how many points are acceptable,
those before it why points failed; when all of them did the exit code is 1."""


def _place(shown: str, text: str) -> Any:
    return typer.Option(metavar=shown, help=text, rich_help_panel="Where", show_default=False)


def sweep(
    file: Annotated[
        Path | None, typer.Argument(metavar="SWEEP.toml", help="What to go through.", show_default=False)
    ] = None,
    out: Annotated[Path | None, _place("DIR", "A new directory, or the one that this sweep began.")] = None,
    resume: Annotated[Path | None, _place("DIR", "One to go on with, without the file.")] = None,
    workers: Annotated[int | None, _place("N", "Processes, at least 1; without it this one alone.")] = None,
    ray: Annotated[str | None, _place("ADDRESS", "A Ray cluster: auto, or HOST:PORT.")] = None,
    search: Annotated[bool, typer.Option("--search", help="Search as the table \\[search] says.")] = False,
    only_plan: Annotated[bool, typer.Option("--plan", help="Say what would be done, and stop.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Also more than a million points.")] = False,
    plain: Annotated[bool, typer.Option("--plain", help="A line per pack instead of a bar.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Sweep as the options say (the help is in HELP)."""
    from mho.sweep.run import Places, say, say_rest

    _check(file, out, resume, workers, only_plan=only_plan)
    places = Places(workers or 0, ray)
    if only_plan and resume is not None:
        say_rest(resume, places, _line)
    elif only_plan:
        say(file, places, _line, search=search, yes=yes)
    else:
        folder = out or resume
        assert folder is not None
        _work(file, folder, {"workers": workers or 0, "ray": ray, "search": search, "yes": yes}, plain=plain)


def _line(text: str) -> None:
    print(text, flush=True)


def _check(file: Path | None, out: Path | None, resume: Path | None, workers: int | None, *, only_plan: bool) -> None:
    from mho.errors import ConfigError

    if workers is not None and workers < 1:
        raise ConfigError(f"--workers must be at least 1, found {workers}; leave it out for this process alone")
    if resume is not None and (file is not None or out is not None):
        raise ConfigError(f"--resume {resume} goes on with the sweep that is there; leave out SWEEP.toml and --out")
    if resume is None and file is None:
        raise ConfigError("no sweep was named; give SWEEP.toml and --out DIR, or --resume DIR")
    if resume is None and out is None and not only_plan:
        raise ConfigError(f"a sweep keeps what is finished in a directory; give one: mho sweep {file} --out DIR")


def _work(file: Path | None, folder: Path, options: dict[str, Any], *, plain: bool) -> None:
    """Sweep and print what was found as the last line; Ctrl-C raises Stopped."""
    from mho.cli.stopped import Stopped
    from mho.errors import CheckpointError, ConfigError
    from mho.sweep import run
    from mho.sweep.failures import failures
    from mho.sweep.report.results import read_results

    try:
        table = run(file, out=folder, progress="plain" if plain else True, **options)
    except KeyboardInterrupt:
        raise Stopped(_kept(folder)) from None
    except (ConfigError, CheckpointError):  # which say what to do
        raise
    except Exception as error:
        error.add_note(_kept(folder))
        raise
    print(f"report: {folder / 'report.html'}")
    results = read_results(table)
    for line in failures(results):
        print(line)
    if warning := table.about.get("warning"):
        print(f"warning: {warning}")
    print(last_line(results))
    if len(results.failed) == len(results.points):
        raise typer.Exit(1)


def _kept(folder: Path) -> str:
    """Return what is left of a sweep that stopped, and how to go on."""
    from mho.sweep.files import PACKS, PLAN

    if not (folder / PLAN).is_file():
        return "nothing had been written yet"
    packs = len(list((folder / PACKS).glob("*.parquet")))
    return f"{packs} finished runs are kept; go on with: mho sweep --resume {folder}"


def last_line(results: Results) -> str:
    """Return how many points are acceptable, of how many, and how many failed."""
    from mho.sweep.table import DONE

    points, limit = results.points, results.threshold
    fine = sum(p.status == DONE and p.mean <= limit for p in points)
    lost = f", {len(results.failed)} failed" if results.failed else ""
    return f"{fine} of {len(points)} points within {limit:g} points of the baseline{lost}"
