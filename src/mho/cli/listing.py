"""`mho presets` and `mho device list`: what there is, and where it was read."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import typer

device_app = typer.Typer(
    no_args_is_help=True,
    help="Memory devices: what is built in, and where its numbers come from.",
)


def presets() -> None:
    """List the presets: whole configurations, each with its source.

    Train with one: [cyan]mho train gokmen-2017[/cyan].
    """
    from mho.config import presets as rows

    table("preset", [(row.name, row.description, row.source) for row in rows()])


@device_app.command("list")
def device_list() -> None:
    """List the published devices, each with its source."""
    from mho.config.show import stated
    from mho.devices import catalogue

    table("device", [(row.name, stated(row.device), row.source) for row in catalogue.devices()])


def table(what: str, rows: Iterable[tuple[str, str, str]]) -> None:
    """Print names, descriptions and sources: a table on a terminal, tab-separated lines elsewhere."""
    if not sys.stdout.isatty():
        for row in rows:
            print("\t".join(row))
        return
    from rich.console import Console
    from rich.table import Table

    shown = Table(box=None, pad_edge=False, padding=(0, 3, 1, 0))
    for heading in (what, "what it is", "source"):
        shown.add_column(heading, no_wrap=heading == what)
    for row in rows:
        shown.add_row(*row)
    Console().print(shown)
