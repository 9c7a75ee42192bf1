"""`mho presets` and `mho rules`, and the table of every list: what there is, and where it was read."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Annotated

import typer


def presets(
    programming: Annotated[
        bool, typer.Option("--programming", help="Those of mho program: errors, faults and drift of inference devices.")
    ] = False,
) -> None:
    """List the presets: whole configurations, each with its source.

    Train with one: [cyan]mho train gokmen-2017[/cyan]. Put a trained network on chips with one of programming:
    [cyan]mho program RUN --programming pcm[/cyan].
    """
    if programming:
        from mho.inference.presets import ROWS

        table("programming", [(row.name, row.description, row.source) for row in ROWS])
        return
    from mho.config import presets as rows

    table("preset", [(row.name, row.description, row.source) for row in rows()])


def rules() -> None:
    """List the learning rules: by which rule samples move weights, each with its source.

    Train with one: [cyan]mho train --rule ttv2[/cyan]; its settings are [cyan]--set rule.NAME=VALUE[/cyan], and
    stand in the run's config.toml.
    """
    from mho.config.describe import first_line, reference
    from mho.update.rules import rules as found

    table("rule", [(name, first_line(kind), reference(kind)) for name, kind in found().items()])


def table(
    what: str,
    rows: Iterable[tuple[str, str, str]],
    title: str = "",
    *,
    heads: tuple[str, str] = ("what it is", "source"),
) -> None:
    """Print names, descriptions and sources: a table on a terminal, tab-separated lines elsewhere."""
    if not sys.stdout.isatty():
        for row in rows:
            print("\t".join(row))
        return
    from rich.console import Console
    from rich.table import Table

    shown = Table(box=None, pad_edge=False, padding=(0, 3, 1, 0), title=title, title_justify="left")
    for heading in (what, *heads):
        shown.add_column(heading, no_wrap=heading == what)
    for row in rows:
        shown.add_row(*row)
    Console().print(shown)
