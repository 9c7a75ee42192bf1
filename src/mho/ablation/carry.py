"""Carry the runs of an ablation out, each in a directory of its own, so that it can be killed and go on."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from mho.ablation.arms import Batch
from mho.config import RunConfig, load
from mho.data import Dataset
from mho.errors import ConfigError
from mho.train.unattended import Ended, ended, run_to_the_end


def carry_out(
    batch: Batch, base: RunConfig, folder: Path, data: Dataset, progress: bool | str
) -> Iterator[tuple[str, Ended]]:
    """Train the chips of a batch and yield how each arm ended; keep what is finished, go on with what is not.

    A chip whose numbers overflow stops the run that it shares with others. The arms are then run again in two halves,
    until those that diverge stand alone. Raises ConfigError when the directory holds another run.
    """
    config = batch.config(base)
    _check(folder, config)
    end = ended(folder) or run_to_the_end(config, folder, data, progress)
    if not end.why or len(batch.arms) == 1:
        shutil.rmtree(folder / "checkpoint", ignore_errors=True)  # megabytes for every chip, and of no use any more
        yield from _parts(batch, end)
    else:
        for name, half in zip(("a", "b"), batch.halves(), strict=True):
            yield from carry_out(half, base, folder / name, data, progress)


def _check(folder: Path, config: RunConfig) -> None:
    path = folder / "config.toml"
    if path.is_file() and load(path) != config:
        raise ConfigError(
            f"{folder} holds a run with other settings, and an ablation does not write over results; give another --out"
        )


def _parts(batch: Batch, end: Ended) -> Iterator[tuple[str, Ended]]:
    first = 0
    for arm, own in zip(batch.arms, batch.chips, strict=True):
        yield arm.name, Ended(end.accuracy[first : first + len(own)], end.why)
        first += len(own)
