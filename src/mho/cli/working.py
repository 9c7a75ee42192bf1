"""A run from the command line: progress, what is kept when it stops, and the last line."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

from mho.cli.stopped import Stopped
from mho.config import RunConfig, load
from mho.errors import CheckpointError, ConfigError


def work(
    config: RunConfig | None, folder: Path | None, *, resume: bool, plain: bool, tensorboard: bool = False
) -> None:
    """Train and print the accuracy as the last line; errors say what is kept, and Ctrl-C raises Stopped."""
    from mho.train import train
    from mho.train.folder import new_folder

    if folder is None:
        assert config is not None
        folder = new_folder(config)
    places: dict[str, Any] = {"resume": folder} if resume else {"out": folder}
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _one_line
            result = train(config, progress="plain" if plain else True, tensorboard=tensorboard, **places)
    except KeyboardInterrupt:
        raise Stopped(kept(folder)) from None
    except (ConfigError, CheckpointError):
        raise
    except Exception as error:
        if (folder / "config.toml").is_file():
            error.add_note(kept(folder))
        raise
    if result.folder is None:  # one of the processes of torchrun, of which the first one speaks
        return
    print(f"report: {folder / 'report.html'}")
    print(accuracy_line(result.test_accuracy))


def accuracy_line(accuracy: list[float]) -> str:
    """Return the last line of a run: test accuracy in percent, over chips with its standard deviation."""
    from mho.report import words

    return f"test accuracy {words.accuracy(accuracy)}"


def kept(folder: Path) -> str:
    """Return what is left of a run that stopped, and how to go on."""
    if not (folder / "config.toml").is_file():
        return "nothing had been written yet"
    try:
        epochs = (folder / "metrics.jsonl").read_text(encoding="utf-8").count("\n")
    except OSError:
        epochs = 0
    total = load(folder / "config.toml").epochs
    what = f"{epochs} of {total} epochs are kept" if epochs else "no epoch was complete yet"
    return f"{what}; go on with: mho train --resume {folder}"


def _one_line(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f"mho: {message}", file=sys.stderr, flush=True)
