"""Run directories made by hand, epoch by epoch, so that tests decide when they change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mho.config import RunConfig, save


def begin(folder: Path, epochs: int = 3, **changes: Any) -> None:
    """Write what mho train writes at the start."""
    folder.mkdir(parents=True, exist_ok=True)
    save(RunConfig(**{"data": "digits", "epochs": epochs, "chips": 2, **changes}), folder / "config.toml")


def line(epoch: int, accuracy: float | None = None, seconds: float = 2.0) -> dict[str, Any]:
    """Return the metrics of an epoch on two chips."""
    test = 50.0 + 10.0 * epoch if accuracy is None else accuracy
    return {
        "epoch": epoch, "steps": 100 * epoch, "lr": 0.01, "train_loss": [2.0 / epoch, 2.1 / epoch],
        "train_accuracy": [test - 5.0, test - 6.0], "max_abs_d": {"fc1": [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 1.0]},
        "test_loss": [1.5 / epoch, 1.6 / epoch], "test_accuracy": [test, test + 1.0],
        "pulses": {"fc1": [1000 * epoch, 1100 * epoch]}, "threads": 1, "seconds": seconds,
    }  # fmt: skip


def write_epochs(folder: Path, count: int) -> None:
    """Write metrics.jsonl as it is after so many epochs."""
    text = "".join(json.dumps(line(n)) + "\n" for n in range(1, count + 1))
    part = folder / "metrics.part"
    part.write_text(text)
    part.replace(folder / "metrics.jsonl")
