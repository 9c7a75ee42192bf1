"""`mho watch`: a training run or a sweep, live in the browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

HELP = """Watch a training run or a sweep in the browser: curves and maps as they grow.

[cyan]mho watch runs/one[/cyan]
   prints an address to open; Ctrl-C ends the page, and nothing else
[cyan]mho watch runs/one --port 8000[/cyan]
   a port that stays the same, for a tunnel: ssh -L 8000:127.0.0.1:8000 MACHINE

The page is served to this machine only (127.0.0.1), and only to who has the random token in its address. It needs no
network. DIR may be one that mho train or mho sweep has yet to make."""


def watch(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What mho train or mho sweep writes.")],
    port: Annotated[int, typer.Option(metavar="N", min=0, max=65535, help="The port; 0 takes any that is free.")] = 0,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Serve the live page until Ctrl-C (the help is in HELP)."""
    from mho.watch import Server

    with Server(folder, port=port) as server:
        print(f"watching {folder}; Ctrl-C ends the page\n{server.url}", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print(flush=True)
