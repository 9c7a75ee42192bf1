"""`mho ablate`: which property of the hardware costs the accuracy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mho.cli.where import PRECISION, WHERE

if TYPE_CHECKING:
    from mho.ablation import Options
    from mho.config import RunConfig

HELP = """Find which property of the hardware costs the accuracy.

Every property that is on in CONFIG (granularity, asymmetry, spreads between devices, noise, bounds, converters, ...) is
turned off by itself, and is on alone with all others off: each on several chips, all of them chips of one run.

[cyan]mho ablate[/cyan]
   the network 784-256-128-10 on MNIST with the preset gokmen-2017
[cyan]mho ablate --list --set device=reram-sb[/cyan]
   only say which properties are on, and what turning each off means
[cyan]mho ablate gokmen-vlasov-2016 --data digits --out DIR[/cyan]
   another preset, on built-in 8x8 digits
[cyan]mho ablate runs/one/config.toml --full --seeds 5[/cyan]
   a run of mho train, with all of its images and epochs
[cyan]mho ablate --only granularity --only ADC[/cyan]
   two properties only
[cyan]mho ablate --resume DIR[/cyan]
   go on after Ctrl-C or a kill

DIR then holds ablation.html, figure.png, table.md and ablation.json. The last line printed names what costs most."""

QUICK = {"train_images": 12_000, "epochs": 5}
QUICK_OF = {"digits": {"epochs": 40}}
"""Data sets that are small."""


def _setting(shown: str, text: str, *names: str) -> Any:
    return typer.Option(*names, metavar=shown, help=text, rich_help_panel="Settings", show_default=False)


def _arm(text: str, *names: str, **more: Any) -> Any:
    return typer.Option(*names, help=text, rich_help_panel="The arms", **more)


def _place(text: str) -> Any:
    return typer.Option(metavar="DIR", help=text, rich_help_panel="The directory", show_default=False)


def ablate(
    start: Annotated[
        str | None,
        typer.Argument(metavar="PRESET | CONFIG.toml", help="What to ablate; see mho presets.", show_default=False),
    ] = None,
    network: Annotated[
        str | None, _setting("NAME", "fcn, fcn-250-125, lenet, or your own: path/to/file.py:function.")
    ] = None,
    data: Annotated[
        str | None, _setting("NAME|DIR", "mnist, mnist-22x24, fashion-mnist, digits, cifar10, or a folder.")
    ] = None,
    epochs: Annotated[int | None, _setting("N", "How often the images are seen.")] = None,
    train_images: Annotated[int | None, _setting("N", "Train on the first so many images only.")] = None,
    seed: Annotated[int | None, _setting("N", "One seed repeats everything.")] = None,
    threads: Annotated[int | None, _setting("N", "Threads of torch and of the kernels.")] = None,
    device: Annotated[str | None, _setting("PLACE", f"{WHERE} The default is cpu.")] = None,
    precision: Annotated[str | None, _setting("NAME", PRECISION)] = None,
    settings: Annotated[
        list[str] | None, _setting("PATH=VALUE", "Any other setting; may be repeated.", "--set")
    ] = None,
    seeds: Annotated[int, _arm("Chips for each arm.", "--seeds", "--chips-per-arm", metavar="N")] = 3,
    full: Annotated[
        bool,
        _arm("As CONFIG says, instead of at most 12,000 images and 5 epochs (digits: 40).", "--full"),
    ] = False,
    sides: Annotated[bool, _arm("Forward and backward products one by one.", "--sides")] = False,
    only: Annotated[
        list[str] | None, _arm("Only this property; may be repeated.", metavar="PROPERTY", show_default=False)
    ] = None,
    show: Annotated[bool, _arm("Say which properties are on, and stop.", "--list")] = False,
    out: Annotated[Path | None, _place("A new one; otherwise one is made in runs/.")] = None,
    resume: Annotated[Path | None, _place("One to go on with; takes no settings.")] = None,
    plain: Annotated[bool, typer.Option("--plain", help="A line per epoch instead of a bar.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Ablate as the options say (the help is in HELP)."""
    from mho.ablation import Options
    from mho.cli.choosing import option

    named = {
        "network": network, "data": data, "epochs": epochs, "train_images": train_images, "seed": seed,
        "threads": threads, "compute_device": device, "precision": precision,
    }  # fmt: skip
    changes = {name: value for name, value in named.items() if value is not None}
    if resume is not None:
        _refuse([*map(option, changes), *(settings or []), *filter(None, [start, out])], resume)
        _work(None, None, resume, plain=plain)
        return
    config = _asked(start, changes, settings or [], full=full)
    options = Options(seeds, sides, tuple(only) if only else None)
    if show:
        _list(config, options)
    else:
        _work(config, options, out or _new_folder(config), plain=plain)


def _asked(start: str | None, changes: dict[str, Any], settings: list[str], *, full: bool) -> RunConfig:
    """Return the configuration, with at most the images and epochs of a quick ablation where none are asked for."""
    from mho.cli.choosing import begun

    config = begun(start, changes, settings)
    if full:
        return config
    asked = {s.partition("=")[0].strip() for s in settings} | set(changes)
    fewer = {
        name: limit if getattr(config, name) is None else min(limit, getattr(config, name))
        for name, limit in QUICK_OF.get(config.data, QUICK).items() if name not in asked
    }  # fmt: skip
    return config.with_(fewer)


def _refuse(others: list[Any], folder: Path) -> None:
    from mho.errors import ConfigError

    if others:
        raise ConfigError(
            f"--resume goes on with the settings in {folder}, found {', '.join(map(str, others))}; leave these out, or "
            f"begin another ablation: mho ablate {folder / 'config.toml'} --full --out NEW"
        )


def _new_folder(config: RunConfig) -> Path:
    from mho.train.folder import new_folder

    found = new_folder(config)
    return found.with_name(f"ablate-{found.name}")


def _list(config: RunConfig, options: Options) -> None:
    from mho.ablation import plan
    from mho.cli.listing import table

    made = plan(config, options)
    rows = [(p.name, p.about, "" if p.alone else "not alone") for p in made.found.wanted()]
    table("property", [*rows, *((name, why, "not separable") for name, why in made.found.inseparable)], heads=HEADS)
    print(f"{len(made.arms)} arms of {options.seeds} chips each: {len(made.arms) * options.seeds} chips")


HEADS = ("what is turned off", "note")


def _work(config: RunConfig | None, options: Options | None, folder: Path, *, plain: bool) -> None:
    """Ablate and print the top of the ranking as the last line; Ctrl-C raises Stopped."""
    from mho.ablation import ablate as run
    from mho.ablation import resume
    from mho.ablation.table import last_line
    from mho.cli.stopped import Stopped

    progress = "plain" if plain else True
    try:
        found = run(config, options, out=folder, progress=progress) if config else resume(folder, progress)
    except KeyboardInterrupt:
        kept = (folder / "config.toml").is_file()
        raise Stopped(f"go on with: mho ablate --resume {folder}" if kept else "nothing had been written yet") from None
    print(f"page: {folder / 'ablation.html'}")
    print(last_line(found.rows))
