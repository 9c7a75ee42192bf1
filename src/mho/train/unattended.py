"""Runs that studies and ablations make: kept when finished, gone on with after a kill, ended also when they diverge."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mho.config import RunConfig
from mho.data import Dataset
from mho.errors import CheckpointError, NotFiniteError
from mho.folders import write_text
from mho.train.run import train

DIVERGED = "diverged.json"


@dataclass(frozen=True)
class Ended:
    """How a run ended.

    accuracy: test accuracy in percent after the last epoch, one per chip. why: of one that diverged, what it said; its
    accuracy is then that of the last complete epoch, or of a network of NaNs, which answers the first class.
    """

    accuracy: tuple[float, ...]
    why: str = ""


def ended(folder: Path) -> Ended | None:
    """Return how the run in a directory ended, or None while it has not; raise CheckpointError for a damaged file."""
    if (folder / DIVERGED).is_file():
        found = _json(folder / DIVERGED)
        return Ended(tuple(found["test_accuracy"]), found["why"])
    if (folder / "summary.json").is_file():
        return Ended(tuple(_json(folder / "summary.json")["test_accuracy"]))
    return None


def run_to_the_end(config: RunConfig, folder: Path, data: Dataset, progress: bool | str) -> Ended:
    """Begin the run in a directory, or go on with it, and return how it ended."""
    places: dict[str, Any] = {"resume": folder} if (folder / "config.toml").is_file() else {"out": folder}
    try:
        train(config, data=data, progress=progress, **places)
    except NotFiniteError as error:
        found = {"why": str(error), "test_accuracy": _last(folder, config, data)}
        write_text(folder / DIVERGED, json.dumps(found) + "\n")
    end = ended(folder)
    assert end is not None
    return end


def epochs_of(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of metrics.jsonl in a run directory, none where there is no file."""
    path = folder / "metrics.jsonl"
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _last(folder: Path, config: RunConfig, data: Dataset) -> list[float]:
    """Return the accuracy of the last complete epoch, or of a network of NaNs where there was none."""
    if lines := epochs_of(folder):
        return list(lines[-1]["test_accuracy"])
    return [first_class(data)] * config.n_chips


def first_class(data: Dataset) -> float:
    """Return the accuracy in percent of a network of NaNs, which answers the first class whatever it sees."""
    return 100.0 * float((data.test_labels == 0).mean())


def guess(data: Dataset) -> dict[str, float]:
    """Return the test accuracy in percent of always answering the most frequent class, and how many test images are."""
    count = len(data.test_labels)
    return {"accuracy": 100.0 * int(np.bincount(data.test_labels).max()) / count, "images": count}


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged ({error}); delete {path.parent} to run it again") from error
