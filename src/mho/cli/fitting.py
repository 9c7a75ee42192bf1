"""`mho device fit`: pulse measurements become a device."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from mho.characterize.fitting import Fit
    from mho.units import Window

HELP = """Fit every law to pulse measurements, and write the best one as a device to train with.

[cyan]mho device fit measured.csv[/cyan]
   a table with the columns device,pulse,direction,conductance_S (and cycle, if pulses are numbered anew)
[cyan]mho device fit measured.csv --column conductance_S=G --column device=cell --unit uS[/cyan]
   other names of columns, another unit
[cyan]mho device fit measured.csv --law my_device.py:Relaxor --out fits/relaxor[/cyan]
   your own law, and where the files go
[cyan]mho train --set device=fits/measured/device.toml[/cyan]
   train on the fitted device; its spreads and correlations are drawn for every device of a chip

A row is the reading after that pulse; direction is +1 or -1; pulse 0 is the state before any. Pulses without a row were
not read. CSV, also with ; or tabs, also gzip. Lines that begin with # are comments.

Writes DIR/device.toml, fit.json, fit.png and fit.html."""


def fit(
    measured: Annotated[Path, typer.Argument(metavar="MEASURED.csv", help="Readings of one or many devices.")],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the files go.", show_default="fits/NAME")
    ] = None,
    law: Annotated[
        str | None,
        typer.Option(metavar="LAW", help="Fit this law only: a name of mho device list, file.py:Class, or a TOML."),
    ] = None,
    column: Annotated[
        list[str] | None, typer.Option(metavar="NAME=YOURS", help="Your name of a column; repeatable.")
    ] = None,
    unit: Annotated[
        str | None, typer.Option(metavar="UNIT", help="Of the conductance: S, mS, uS, nS, pS.", show_default="S")
    ] = None,
    window: Annotated[
        str | None,
        typer.Option(
            metavar="LOW:HIGH",
            help="Conductances of w = -1 (0 for pulses up alone) and +1, in the unit.",
            show_default="the middle device's",
        ),
    ] = None,
    absent: Annotated[
        bool, typer.Option("--absent", help="Take empty and NaN readings as pulses that were not read.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of the search for starts.")] = 0,
    plain: Annotated[bool, typer.Option("--plain", help="No progress bar.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Fit as the options say (the help is in HELP)."""
    from mho.characterize.fitting import fit_devices, read_measurements
    from mho.cli.showing import folder_name
    from mho.folders import check_writable
    from mho.report.fitting import FitReport

    columns = _columns(column or [])
    edges = _window(window, unit) if window else None
    read = read_measurements(measured, columns=columns, unit=unit, absent=absent)
    name = measured.name.removesuffix(".gz").removesuffix(".csv")
    folder = out or Path("fits", folder_name(name))
    check_writable(folder)
    with _progress(plain) as tell:
        found = fit_devices(read, law, window=edges, progress=tell, seed=seed)
        tell("drawing", 1, 1)
        written = FitReport(found).save(folder)
    say(found)
    for path in written:
        print(path)
    print(f"mho train --set device={written[0]}")


def _columns(given: list[str]) -> dict[str, str]:
    from mho.errors import ConfigError

    found = {}
    for text in given:
        name, equals, theirs = text.partition("=")
        if not equals or not name.strip() or not theirs.strip():
            raise ConfigError(f"--column {text}: expected NAME=YOURS, as in --column conductance_S=G")
        found[name.strip()] = theirs.strip()
    return found


def _window(text: str, unit: str | None) -> Window:
    from mho.characterize.fitting import UNITS
    from mho.errors import ConfigError, nearest
    from mho.units import Window

    if unit is not None and unit not in UNITS:
        raise ConfigError(f"the unit {unit!r} is not known; {nearest(unit, UNITS)}")
    try:
        low, high = (float(part) * UNITS[unit or "S"] for part in text.split(":"))
    except ValueError:
        raise ConfigError(f"--window {text}: expected LOW:HIGH, two conductances as in --window 5:55") from None
    return Window(low, high)


@contextmanager
def _progress(plain: bool) -> Iterator[Any]:
    """Show on a terminal what is being done and how far it is."""
    if plain or not sys.stderr.isatty():
        yield lambda what, done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=None)
        yield lambda what, done, total: bar.update(task, description=what, completed=done, total=total)


def say(found: Fit) -> None:
    """Print laws, parameters, correlations, notes: tables on a terminal, tab-separated lines elsewhere."""
    from mho.report.fitting_numbers import correlation_rows, failed_rows, law_rows, parameter_rows

    count = f"{len(found.fit.devices)} of {len(found.measurements)} devices"
    tables = [
        ("Laws, the best first", *law_rows(found)),
        (f"{found.law}: {count}, w = {found.prepared.window.first} and +1 at {found.prepared.window.low:.4g} and "
         f"{found.prepared.window.high:.4g} S", *parameter_rows(found)),
        ("Correlations between devices (* significant, kept)", *correlation_rows(found)),
    ]  # fmt: skip
    lines = [f"note: {note}" for note in found.notes]
    lines += [f"left out: {name}: {reason}" for name, reason in found.left_out.items()]
    lines += [f"not fitted: {name}: {why}" for name, why in failed_rows(found)]
    if not sys.stdout.isatty():
        for title, head, rows in tables:
            print(title)
            for row in [head, *rows]:
                print("\t".join(row).rstrip())
        print(*lines, sep="\n")
        return
    from rich.console import Console
    from rich.table import Table

    console = Console()
    for title, head, rows in tables:
        console.print(title, style="bold", highlight=False)
        shown = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
        for n, heading in enumerate(head):
            shown.add_column(heading, justify="right" if n else "left", no_wrap=n == 0)
        for row in rows:
            shown.add_row(*row)
        console.print(shown)
        console.print()
    for line in lines:
        console.print(line, markup=False, highlight=False)
