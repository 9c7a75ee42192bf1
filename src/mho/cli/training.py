"""`mho train`: options to a configuration, a run, and what it came to."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

TRAIN_HELP = """Train a network on simulated analog crossbar arrays and write a run directory.

Without arguments: the fully connected network 784-256-128-10 on MNIST with the preset gokmen-2017.

[bold]mho train --data digits[/bold]  built-in 8x8 digits, needs no network
[bold]mho train gokmen-vlasov-2016 --chips 8[/bold]  eight chips at once, mean and spread of the accuracy
[bold]mho train --network lenet --epochs 10 --batch-size 8[/bold]
[bold]mho train --set device.dw_min=0.002 --set update.bl=10[/bold]  any setting; config.toml of a run lists all
[bold]mho train --chips 2 --set "device.dw_min=\\[0.001, 0.002]"[/bold]  a value per chip
[bold]mho train runs/one/config.toml --seed 1[/bold]  the settings of another run, another seed
[bold]mho train --resume runs/one[/bold]  go on after Ctrl-C, kill or a full disk, to the same bytes

The last line printed is [bold]test accuracy NN.NN %[/bold]."""

RUN, SETTINGS, SHOW = "The run", "Settings", "Other"


def train(
    start: Annotated[
        str | None, typer.Argument(metavar="PRESET | CONFIG.toml", help="What to start from: see mho presets.")
    ] = None,
    network: Annotated[
        str | None, typer.Option(help="fcn, lenet, or path/to/file.py:function of (shape, classes).", rich_help_panel=SETTINGS)
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|DIR", rich_help_panel=SETTINGS,
            help="mnist, fashion-mnist, digits, cifar10, or a folder with train/CLASS/*.png and test/CLASS/*.png.",
        ),
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Times the training set is seen.", rich_help_panel=SETTINGS)] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Samples per step; they act one after another.", rich_help_panel=SETTINGS)
    ] = None,
    lr: Annotated[
        str | None, typer.Option(metavar="X|LIST", help="Learning rate of the summed loss, or a list of one per chip.",
                                 rich_help_panel=SETTINGS)
    ] = None,
    chips: Annotated[
        str | None, typer.Option(metavar="N|LIST", help="How many chips, or which: 8, or 0,7 for two of them.", rich_help_panel=SETTINGS)
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Repeats everything.", rich_help_panel=SETTINGS)] = None,
    vary: Annotated[
        str | None, typer.Option(metavar="init,order", help="What differs between chips besides their devices.",
                                 rich_help_panel=SETTINGS)
    ] = None,
    threads: Annotated[int | None, typer.Option(help="Of torch and the kernels.", rich_help_panel=SETTINGS)] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Any other setting; may be repeated.",
                                       rich_help_panel=SETTINGS)
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The run directory to make; default runs/...", rich_help_panel=RUN)
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The run directory to go on with.", rich_help_panel=RUN)
    ] = None,
    plain: Annotated[bool, typer.Option("--plain", help="A line per epoch, no bar.", rich_help_panel=SHOW)] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error.", rich_help_panel=SHOW)
    ] = False,
) -> None:  # fmt: skip
    named = {
        "network": network, "data": data, "epochs": epochs, "batch_size": batch_size, "lr": lr, "chips": chips,
        "seed": seed, "vary": vary, "threads": threads,
    }  # fmt: skip
    changes = {name: value for name, value in named.items() if value is not None}
    from mho.cli.choosing import begun, resumed

    if resume is not None:
        config = resumed(resume, start, out, changes, settings or [])
        folder = resume
    else:
        config = begun(start, changes, settings or [])
        folder = out
    from mho.cli.working import work

    raise typer.Exit(work(config, folder, resume=resume is not None, plain=plain))


train.__doc__ = TRAIN_HELP
