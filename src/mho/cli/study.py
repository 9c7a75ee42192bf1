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
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="PATH=VALUE", help="A setting of all cases, or of a study made of steps; repeatable."
        ),
    ] = None,
    case: Annotated[
        list[str] | None,
        typer.Option(metavar="CASE", help="Run only this case or step (with those it needs); repeatable."),
    ] = None,
    plain: Annotated[bool, typer.Option("--plain", help="A line per epoch instead of a bar.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Run a study and write DIR/results.json, a table and a figure.

    Given again with the same DIR, it keeps what is finished and goes on with what was interrupted.

    [cyan]mho study run gokmen-2016 --quick --out studies/gokmen-2016[/cyan]
    """
    from mho.studies import run

    mode, progress = "quick" if quick else "full", "plain" if plain else True
    run(name, mode, out=out, seed=seed, settings=settings or (), cases=case, progress=progress)


@app.command("page")
def study_page(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The --out of a study.")],
    page: Annotated[Path, typer.Argument(metavar="PAGE.md", help="The page; begun when it does not exist.")],
) -> None:
    """Put the table and figure of a study into a Markdown page, which keeps its own words.

    [cyan]mho study page studies/gokmen-2016 docs/studies/gokmen-2016.md[/cyan]
    """
    from mho.studies import page as write_page

    write_page(folder, page)
