"""`mho device`: what is built in, and what a device is like."""

from __future__ import annotations

from typing import Annotated

import typer

from mho.cli import fitting, showing

device_app = typer.Typer(
    no_args_is_help=True,
    help="Memory devices: what is built in, where its numbers come from, and what any device is like.",
)


NAMES = "A published device, a law, path/to/file.py:Class, module:Class, a device's TOML or a run's config.toml."


@device_app.command("list")
def device_list() -> None:
    """List the published devices and the laws, each with its source.

    Any of these names is a device: [cyan]mho device show ecram[/cyan],
    [cyan]mho train --set device=soft-bounds[/cyan].
    """
    from mho.cli.listing import table
    from mho.config.describe import first_line, reference
    from mho.config.laws import laws
    from mho.config.show import stated
    from mho.devices import catalogue

    rows = [(row.name, stated(row.device), row.source) for row in catalogue.devices()]
    table("device", rows, "Published devices")
    kinds = sorted(laws().items())
    table(
        "law",
        [(name, f"Law: {first_line(kind)}", reference(kind)) for name, kind in kinds],
        "Laws, for your own numbers",
    )


@device_app.command("check")
def device_check(name: Annotated[str, typer.Argument(metavar="NAME", help=NAMES)]) -> None:
    """Check a device against every property that mho's own devices have, and say in words what is wrong."""
    from mho.characterize import check_device
    from mho.config.device_named import device_named

    found = check_device(device_named(name))
    typer.echo(str(found))
    if not found.ok:
        raise typer.Exit(1)


device_app.command("show")(showing.show)
device_app.command("fit", help=fitting.HELP)(fitting.fit)
