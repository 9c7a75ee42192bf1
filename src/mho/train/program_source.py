"""What is programmed: the trained model of a run directory."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from torch import nn

from mho.config import RunConfig
from mho.data import Dataset
from mho.errors import CheckpointError, ConfigError
from mho.train.checkpoint import MODEL, load_tensors, read_checkpoint
from mho.train.loop import Trainer


def run_of(path: str | os.PathLike[str]) -> Path:
    """Return the run directory of a path: itself, its checkpoint folder, or the file in that.

    Raises CheckpointError where there is none.
    """
    given = Path(path)
    runs = (
        given,
        given.parent if given.name == "checkpoint" else None,
        given.parents[1] if given.name == MODEL else None,
    )
    for folder in runs:
        if folder is not None and (folder / "config.toml").is_file():
            return folder
    why = "it has no config.toml" if given.exists() else "there is no such file or directory"
    raise CheckpointError(
        f"{given} holds no trained run: {why}; give the directory that mho train wrote with --out, or its checkpoint"
    )


def trained_model(run: Path, config: RunConfig, data: Dataset) -> nn.Module:
    """Return the model of a run with the weights of its checkpoint, on the CPU wherever it was trained.

    Raises CheckpointError where there is none, or it is damaged, or it does not fit the configuration, naming layers.
    """
    folder = run / "checkpoint"
    found = read_checkpoint(folder)
    if found is None:
        raise CheckpointError(
            f"{folder} does not exist, so there are no trained weights to program: the run stopped before its first "
            f"epoch was complete; go on with it first: mho train --resume {run}"
        )
    backend = "auto" if config.backend == "gpu" else config.backend
    trainer = Trainer(replace(config, compute_device="cpu", precision="float32", backend=backend), data)
    load_tensors(trainer.model, found[1], folder)
    return trainer.model


def place_of(config: RunConfig, chip: int | None) -> int:
    """Return the place of a chip among those of a run, None being its first; raise ConfigError for another chip."""
    chips = config.chip_ids
    if chip is None:
        return 0
    if chip not in chips:
        have = f"chips {chips[0]} to {chips[-1]}" if len(chips) > 4 else f"chip {', '.join(map(str, chips))}"
        raise ConfigError(f"the weights of chip {chip} were asked for, but the run has {have}; give one of these")
    return chips.index(chip)
