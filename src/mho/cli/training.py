"""`mho train`: options to a configuration, then a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mho.cli.where import PRECISION, WHERE

HELP = """Train a network on simulated analog crossbar arrays and write a run directory.

Without arguments: the network 784-256-128-10 on MNIST with the preset gokmen-2017.

[cyan]mho train --data digits[/cyan]
   built-in 8x8 digits, which need no network
[cyan]mho train gokmen-vlasov-2016 --chips 8[/cyan]
   another preset, on eight chips at once: mean and spread of the accuracy
[cyan]mho train --network lenet --epochs 10 --batch-size 8[/cyan]
   the convolutional network
[cyan]mho train --rule ttv2 --set rule.fast_lr=0.1[/cyan]
   another learning rule; mho rules lists them
[cyan]mho train --set device.dw_min=0.002 --set update.bl=10[/cyan]
   any setting; a run's config.toml lists them all
[cyan]mho train --chips 2 --set "device.dw_min=\\[0.001, 0.002]"[/cyan]
   a value per chip
[cyan]mho train --device cuda --chips 64[/cyan]
   on an NVIDIA GPU of compute capability 8.0 or more
[cyan]mho train runs/one/config.toml --seed 1[/cyan]
   the settings of another run, with another seed
[cyan]mho train --resume runs/one[/cyan]
   go on after Ctrl-C, a kill or a full disk; the result is the same to the last bit

The last line printed is [cyan]test accuracy NN.NN %[/cyan]."""


def _start(shown: str, text: str) -> Any:
    return typer.Argument(metavar=shown, help=text, show_default=False)


def _setting(shown: str, text: str, *names: str) -> Any:
    return typer.Option(*names, metavar=shown, help=text, rich_help_panel="Settings", show_default=False)


def _run(shown: str, text: str) -> Any:
    return typer.Option(metavar=shown, help=text, rich_help_panel="The run directory", show_default=False)


def train(
    start: Annotated[str | None, _start("PRESET | CONFIG.toml", "What to start from; see mho presets.")] = None,
    network: Annotated[
        str | None, _setting("NAME", "fcn, fcn-250-125, lenet, or your own: path/to/file.py:function.")
    ] = None,
    rule: Annotated[
        str | None, _setting("NAME", "By which rule samples move weights; see mho rules, or path/to/file.py:Class.")
    ] = None,
    data: Annotated[
        str | None,
        _setting(
            "NAME|DIR", "mnist, mnist-22x24, fashion-mnist, digits, cifar10, or a folder of {train,test}/CLASS/*.png."
        ),
    ] = None,
    epochs: Annotated[int | None, _setting("N", "How often the training set is seen.")] = None,
    batch_size: Annotated[int | None, _setting("N", "Samples of a step; they act one after another.")] = None,
    lr: Annotated[str | None, _setting("X|LIST", "Learning rate of the loss summed over a batch.")] = None,
    chips: Annotated[str | None, _setting("N|LIST", "How many chips, or which: 8, or \\[0,7].")] = None,
    seed: Annotated[int | None, _setting("N", "One seed repeats everything.")] = None,
    vary: Annotated[str | None, _setting("init,order", "What else differs between chips.")] = None,
    threads: Annotated[int | None, _setting("N", "Threads of torch and of the kernels.")] = None,
    device: Annotated[str | None, _setting("PLACE", f"{WHERE} The default is cpu.")] = None,
    precision: Annotated[str | None, _setting("NAME", PRECISION)] = None,
    settings: Annotated[
        list[str] | None, _setting("PATH=VALUE", "Any other setting; may be repeated.", "--set")
    ] = None,
    out: Annotated[Path | None, _run("DIR", "A new one; otherwise one is made in runs/.")] = None,
    resume: Annotated[Path | None, _run("DIR", "One to go on with; --epochs, --threads, --device may change.")] = None,
    plain: Annotated[bool, typer.Option("--plain", help="A line per epoch instead of a bar.")] = False,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write event files of TensorBoard into DIR/tensorboard as well.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Train as the options say (the help is in HELP)."""
    from mho.cli.choosing import begun, resumed
    from mho.cli.working import work

    named = {
        "network": network, "rule": rule, "data": data, "epochs": epochs, "batch_size": batch_size, "lr": lr,
        "chips": chips, "seed": seed, "vary": vary, "threads": threads, "compute_device": device,
        "precision": precision,
    }  # fmt: skip
    changes = {name: value for name, value in named.items() if value is not None}
    if resume is not None:
        config = resumed(resume, changes, [start, out, *(settings or [])])
    else:
        config = begun(start, changes, settings or [])
    work(config, out or resume, resume=resume is not None, plain=plain, tensorboard=tensorboard)
