"""`mho study`: experiments of papers, run again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Run a paper's experiment: its table and figure beside ours.")

QUICK = "At most 10 minutes on 2 cores, or as the paper did it."


@app.command("list")
def list_studies() -> None:
    """List the studies."""
    from mho.cli.listing import table
    from mho.studies import studies

    table("study", [(s.name, s.description, s.source) for s in studies()])


@app.command("run")
def run_study(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A study of mho study list.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where results.json, table and figure go.")],
    quick: Annotated[bool, typer.Option("--quick/--full", help=QUICK)] = True,
    seed: Annotated[int, typer.Option(help="One seed repeats everything.")] = 0,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Run a study and write DIR/results.json, a table and a figure.

    [cyan]mho study run gokmen-2016 --quick --out studies/gokmen-2016[/cyan]
    """
    from mho.studies import run

    run(name, "quick" if quick else "full", out, seed=seed)
