"""`mho program`: trained weights on chips, and their accuracy over time."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mho.cli.stopped import Stopped
from mho.cli.where import PRECISION, WHERE

if TYPE_CHECKING:
    from mho.report.program import Outcome
    from mho.train.program_run import Asked

HELP = """Put the trained weights of a run on chips, and see their accuracy over time.

CHECKPOINT is a directory that mho train wrote, or the checkpoint in it. Every chip gets devices of its own: the weights
are programmed with errors and faults, and drift; all chips are evaluated in one pass at every time.

[cyan]mho program runs/one --programming pcm --report[/cyan]
   50 chips of phase change memory, from one second to ten years
[cyan]mho program runs/one --programming pcm --set compensation=global --times 1h,1d,1y[/cyan]
   the same with compensation of the drift
[cyan]mho program runs/one --set faults.low=0.09 --set error.model=multiplicative --set error.c2c=0.1[/cyan]
   faults and errors, from a preset without any
[cyan]mho program runs/one --set ageing.drift.nu=0.05 --set forward.adc_bits=6[/cyan]
   any setting of programming, and of the converters of all layers
[cyan]mho program runs/one --programming mine.toml --chips 200 --test-images 1000[/cyan]
   settings of a file, on the first test images only

DIR then holds programmed.json and programming.toml (complete), with --report also program.html and accuracy.png. The
last line printed is the accuracy at the last time."""

LAYERS = ("forward",)
"""Settings of layers that may be changed; all others are of programming."""


def _what(shown: str, text: str, *names: str) -> Any:
    return typer.Option(*names, metavar=shown, help=text, rich_help_panel="What is programmed", show_default=False)


def _chips(shown: str, text: str, *names: str) -> Any:
    return typer.Option(*names, metavar=shown, help=text, rich_help_panel="Chips and times")


def program(
    checkpoint: Annotated[Path, typer.Argument(metavar="CHECKPOINT", help="A run directory, or its checkpoint.")],
    programming: Annotated[
        str,
        _what(
            "FILE.toml|PRESET", "How: pcm, charan-2020, ... (mho presets --programming), or a file.", "--programming"
        ),
    ] = "ideal",
    settings: Annotated[
        list[str] | None, _what("PATH=VALUE", "A setting of programming, or of forward; repeatable.", "--set")
    ] = None,
    fault_map: Annotated[
        Path | None, _what("FILE", "Stuck devices by layer: .npz or .safetensors, -1 low, 1 high, 0 free.")
    ] = None,
    chip: Annotated[int | None, _what("N", "Take the weights of this chip of the run; else of its first.")] = None,
    chips: Annotated[str, _chips("N|LIST", "How many chips, or which: 50, or \\[0,7].")] = "50",
    times: Annotated[str, _chips("LIST", "Times after programming, in s, min, h, d or y.")] = "1s,1h,1d,1y,10y",
    test_images: Annotated[int | None, _chips("N", "Only the first so many test images.")] = None,
    seed: Annotated[int | None, _chips("N", "Draws other chips; else that of the run.")] = None,
    device: Annotated[str, _chips("PLACE", WHERE)] = "cpu",
    precision: Annotated[str, _chips("NAME", PRECISION)] = "float32",
    report: Annotated[bool, typer.Option("--report", help="Also write a page and a picture.")] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A new one; otherwise one is made beside the run.")
    ] = None,
    plain: Annotated[bool, typer.Option("--plain", help="A line for each time instead of a bar.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Program as the options say (the help is in HELP)."""
    from mho.train.program_run import program_run

    named: dict[str, Any] = {"chip": chip, "seed": seed, "images": test_images, "fault_map": fault_map}
    named |= {"compute_device": device, "precision": precision}
    asked = _asked(programming, settings or [], chips, times, named)
    folder = out or _new_folder(checkpoint)
    try:
        outcome = program_run(checkpoint, asked, out=folder, report=report, progress="plain" if plain else True)
    except KeyboardInterrupt:
        kept = folder / "programmed.json"
        raise Stopped(f"times that were reached are in {kept}" if kept.is_file() else "no time was reached") from None
    _tell(outcome, folder, report=report)


def _asked(programming: str, settings: list[str], chips: str, times: str, named: dict[str, Any]) -> Asked:
    """Return what the options ask for; raise ConfigError with all that is wrong."""
    from mho.config import override
    from mho.config.problems import Problems
    from mho.errors import ConfigError
    from mho.inference.files import load_programming
    from mho.inference.settings import Programming
    from mho.inference.times import read_times
    from mho.train.program_run import TIMES, Asked

    problems, how, when = Problems(), Programming(), TIMES
    which: int | tuple[int, ...] = 1
    of_layers = tuple(s for s in settings if s.strip().partition(".")[0] in LAYERS)
    try:
        how = load_programming(programming)
    except ConfigError as error:
        problems.take("--programming", error)
    try:
        how = override(how, [s for s in settings if s not in of_layers], "")  # type: ignore[type-var]
    except ConfigError as error:
        problems.take("", error)
    try:
        when = read_times(times)
    except ConfigError as error:
        problems.take("--times", error)
    try:
        which = _numbers(chips)
    except ConfigError as error:
        problems.take("--chips", error)
    problems.check()
    return Asked(how, when, which, layers=of_layers, **named)


def _numbers(chips: str) -> int | tuple[int, ...]:
    """Return a number of chips, or the numbers of chips in a list; raise ConfigError for anything else."""
    from mho.errors import ConfigError
    from mho.nn.layer import chip_ids

    try:
        listed = chips.strip().startswith("[") or "," in chips
        found = tuple(int(c) for c in chips.strip("[] ").split(",")) if listed else int(chips)
    except ValueError:
        raise ConfigError(f"expected how many chips, or a list of which, found {chips!r}; give 50, or [0,7]") from None
    chip_ids(found)
    return found


def _new_folder(checkpoint: Path) -> Path:
    from mho.train.program_source import run_of

    run = run_of(checkpoint)
    stem = run.resolve().name + time.strftime("-programmed-%Y%m%d-%H%M%S")
    names = (stem if n == 0 else f"{stem}-{n}" for n in range(1000))
    return next(path for name in names if not (path := run.parent / name).exists())


def _tell(outcome: Outcome, folder: Path, *, report: bool) -> None:
    from mho.report.program import HEADS, PAGE, last_line, rows
    from mho.train.program_run import RESULTS

    table = [HEADS, *rows(outcome)]
    widths = [max(len(row[k]) for row in table) for k in range(len(HEADS))]
    for row in table:
        print("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    print(f"results: {folder / RESULTS}")
    if report:
        print(f"page: {folder / PAGE}")
    print(last_line(outcome))
