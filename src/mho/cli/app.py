"""The commands of `mho` put together, and what becomes of their errors."""

from __future__ import annotations

import sys
import traceback
from typing import Annotated

import typer

from mho.cli import ablate, programming, study, sweep, training, watching
from mho.cli.device import device_app
from mho.cli.listing import presets, rules
from mho.cli.reporting import report
from mho.cli.stopped import Stopped
from mho.errors import MhoError
from mho.version import __version__

INTERRUPTED, STOPPED = 130, "stopped by Ctrl-C"
USAGE_ERROR = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")

app = typer.Typer(
    name="mho",
    no_args_is_help=True,
    rich_markup_mode="rich",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        print(f"mho {__version__}")
        raise typer.Exit


@app.callback()
def everything(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Train and run neural networks on simulated analog crossbar arrays.

    [cyan]mho train[/cyan] trains a network on MNIST and writes a run directory with a report.
    [cyan]mho COMMAND --help[/cyan] explains a command, with examples.
    """


app.command("train", help=training.HELP)(training.train)
app.command("ablate", help=ablate.HELP)(ablate.ablate)
app.command("sweep", help=sweep.HELP)(sweep.sweep)
app.command("program", help=programming.HELP)(programming.program)
app.command("presets")(presets)
app.command("rules")(rules)
app.command("report")(report)
app.command("watch", help=watching.HELP)(watching.watch)
app.add_typer(device_app, name="device")
app.add_typer(study.app, name="study")


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code; an error becomes a message on stderr."""
    try:
        code = app(arguments, prog_name="mho", standalone_mode=False)
    except Exception as error:
        if "--debug" in arguments:
            traceback.print_exc()
        told = isinstance(error, MhoError) and error.told
        text = "" if told else "; ".join([reason(error), *getattr(error, "__notes__", [])])
        return _fail(text, getattr(error, "exit_code", 1))
    if code == INTERRUPTED:  # typer turns Ctrl-C into this exit code
        return _fail(STOPPED, INTERRUPTED)
    return code if isinstance(code, int) else 0


def _fail(text: str, code: int) -> int:
    if text:
        print(f"mho: {text}", file=sys.stderr, flush=True)
    return code


def reason(error: BaseException) -> str:
    """Return what to tell a user about an error."""
    if isinstance(error, USAGE_ERROR):
        text = error.format_message()  # type: ignore[attr-defined]
        return f"{text} (see mho --help)" if text else ""  # without arguments the help was shown instead
    if isinstance(error, MhoError):
        return str(error)
    if isinstance(error, (Stopped, typer.Abort)):
        return f"{STOPPED}; {error}" if str(error) else STOPPED
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error}"
    if isinstance(error, MemoryError):
        return "out of memory; use fewer chips, a smaller batch or a smaller network"
    text = " ".join(str(error).split())
    return f"unexpected {type(error).__name__}: {text}; this is a fault of mho, --debug shows where"
