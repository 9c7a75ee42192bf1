"""`mho device show`: a device as a page, a picture and a table."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mho.devices import Device
    from mho.report import DevicePage

PATIENCE = 2.0
"""Seconds after which work says that it goes on."""


def show(
    name: Annotated[
        str,
        typer.Argument(metavar="DEVICE", help="A device or law of mho device list, path/to/file.py:Class, or a TOML."),
    ],
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="A changed field of the device; repeatable."),
    ] = None,
    pulses: Annotated[
        int | None, typer.Option(metavar="N", help="Pulses up, and as many down.", show_default="across the range")
    ] = None,
    devices: Annotated[
        int | None, typer.Option(metavar="N", help="Devices drawn from the spread.", show_default="200")
    ] = None,
    seed: Annotated[int, typer.Option(help="One seed repeats everything.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where device.html and device.png go.", show_default="devices/NAME"),
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Draw a device: response to pulses, step sizes, symmetry point, spread, number of states.

    [cyan]mho device show ecram[/cyan]
       a published device
    [cyan]mho device show soft-bounds --set up_down=1.5 --set dw_min.d2d=0.1[/cyan]
       a law with your numbers
    [cyan]mho device show my_device.py:Relaxor --out pages/relaxor[/cyan]
       your own class
    [cyan]mho device show fitted.toml --open[/cyan]
       a fitted device, or the device of a run's config.toml

    Writes DIR/device.html and DIR/device.png, and prints the numbers.
    """
    from mho.config.device_named import device_named
    from mho.folders import check_writable

    device = with_settings(device_named(name), settings or [])
    folder = out or Path("devices", folder_name(name))
    check_writable(folder)
    with telling(f"pulsing the device {name}"):
        from mho.report import show_device

        page = show_device(device, pulses=pulses, devices=devices, seed=seed, name=title(name, settings or []))
        written = page.save(folder)
    say(page)
    for path in written:
        print(path)
    if open_:
        import webbrowser

        webbrowser.open(written[0].resolve().as_uri())


def with_settings(device: Device, settings: list[str]) -> Device:
    """Return a device with fields changed; raise ConfigError with everything that is wrong."""
    from mho.characterize.subject import config_of
    from mho.config import override

    changes = [s if s.startswith("device.") else f"device.{s}" for s in settings]
    return override(config_of(device), changes).device if changes else device


def folder_name(name: str) -> str:
    """Return a short name for the folder of a device: that of its class or file, without the path."""
    from mho.config.laws import kebab

    last = re.split(r"[:/\\]", name)[-1].removesuffix(".toml").removesuffix(".py")
    return re.sub(r"[^\w.-]+", "-", kebab(last)).strip("-.") or "device"


def title(name: str, settings: list[str]) -> str:
    """Return a device's name and what was changed of it; of a path only the last part."""
    last = re.split(r"[/\\]", name)[-1]
    return f"{last}, {', '.join(settings)}" if settings else last


def say(page: DevicePage) -> None:
    """Print the numbers of a device: a table on a terminal, tab-separated lines elsewhere."""
    from mho.config.describe import beside_the_law, published_as
    from mho.report.device_numbers import cells, heads

    head, rows = heads(page.found), cells(page.found)
    lines = [line for line in (published_as(page.found.device), *beside_the_law(page.found.device)) if line]
    if not sys.stdout.isatty():
        for row in [head, *rows, *([line] for line in lines)]:
            print("\t".join(row))
        return
    from rich.console import Console
    from rich.table import Table

    shown = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), title=page.name, title_justify="left")
    for n, heading in enumerate(head):
        shown.add_column(heading, justify="right" if n else "left", no_wrap=n == 0)
    for row in rows:
        shown.add_row(*row)
    console = Console()
    console.print(shown)
    for line in lines:
        console.print(line, markup=False, highlight=False)


@contextmanager
def telling(text: str) -> Iterator[None]:
    """Show on a terminal, from 2 s on, that work goes on and for how long it has."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    progress = Progress(*columns, console=Console(stderr=True), transient=True)
    progress.add_task(text, total=None)
    timer = threading.Timer(PATIENCE, progress.start)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        progress.stop()
