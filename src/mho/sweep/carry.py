"""Carry the runs of an ablation out, each in a directory of its own, so that it can be killed and go on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mho.config import RunConfig, load
from mho.data import Dataset
from mho.errors import CheckpointError, ConfigError, NotFiniteError
from mho.folders import write_text
from mho.sweep.arms import Batch

DIVERGED = "diverged.json"


@dataclass(frozen=True)
class Ended:
    """How an arm ended.

    accuracy: test accuracy in percent after the last epoch, one per chip. why: of an arm that diverged, what the run
    said; its accuracy is then that of the last complete epoch, or of a network that answers the first class.
    """

    accuracy: tuple[float, ...]
    why: str = ""


def carry_out(
    batch: Batch, base: RunConfig, folder: Path, data: Dataset, progress: bool | str
) -> Iterator[tuple[str, Ended]]:
    """Train the chips of a batch and yield how each arm ended; keep what is finished, go on with what is not.

    A chip whose numbers overflow stops the run that it shares with others. The arms are then run again in two halves,
    until those that diverge stand alone. Raises ConfigError when the directory holds another run.
    """
    config = batch.config(base)
    _check(folder, config)
    why = _diverged(folder)
    if not why and not (folder / "summary.json").is_file():
        why = _train(config, folder, data, progress)
    if not why:
        shutil.rmtree(folder / "checkpoint", ignore_errors=True)  # megabytes for every chip, and of no use any more
        accuracy = _json(folder / "summary.json")["test_accuracy"]
        yield from _parts(batch, accuracy, "")
    elif len(batch.arms) == 1:
        yield from _parts(batch, _last(folder, config, data), why)
    else:
        for name, half in zip(("a", "b"), batch.halves(), strict=True):
            yield from carry_out(half, base, folder / name, data, progress)


def _check(folder: Path, config: RunConfig) -> None:
    path = folder / "config.toml"
    if path.is_file() and load(path) != config:
        raise ConfigError(
            f"{folder} holds a run with other settings, and an ablation does not write over results; give another --out"
        )


def _train(config: RunConfig, folder: Path, data: Dataset, progress: bool | str) -> str:
    """Run it to the end; return why it diverged, if it did."""
    from mho.train import train

    begun = (folder / "config.toml").is_file()
    places: dict[str, Any] = {"resume": folder} if begun else {"out": folder}
    try:
        train(config, data=data, progress=progress, **places)
    except NotFiniteError as error:
        write_text(folder / DIVERGED, json.dumps({"why": str(error)}) + "\n")
        return str(error)
    return ""


def _diverged(folder: Path) -> str:
    path = folder / DIVERGED
    return str(_json(path)["why"]) if path.is_file() else ""


def _parts(batch: Batch, accuracy: list[float], why: str) -> Iterator[tuple[str, Ended]]:
    first = 0
    for arm, own in zip(batch.arms, batch.chips, strict=True):
        yield arm.name, Ended(tuple(accuracy[first : first + len(own)]), why)
        first += len(own)


def _last(folder: Path, config: RunConfig, data: Dataset) -> list[float]:
    """Return the accuracy of the last complete epoch, else that of a network of NaNs, which answers class 0."""
    path = folder / "metrics.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    if lines:
        return list(json.loads(lines[-1])["test_accuracy"])
    return [100.0 * float((data.test_labels == 0).mean())] * config.n_chips


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged ({error}); delete {path.parent} to run its arms again") from error
