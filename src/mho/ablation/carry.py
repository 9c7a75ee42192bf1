"""Carry the runs of an ablation out, each in a directory of its own, so that it can be killed and go on."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from mho.ablation.arms import Arm, Batch
from mho.config import RunConfig, load
from mho.data import Dataset
from mho.errors import ConfigError
from mho.train.halves import Place, in_halves
from mho.train.unattended import Ended, ended, run_to_the_end

Part = tuple[Arm, tuple[int, ...]]
"""An arm and the numbers of its chips."""


def carry_out(
    batch: Batch, base: RunConfig, folder: Path, data: Dataset, progress: bool | str
) -> Iterator[tuple[str, Ended]]:
    """Train the chips of a batch and yield how each arm ended; keep what is finished, go on with what is not.

    A chip whose numbers overflow stops the run that it shares with others. The arms are then run again in two halves,
    until those that diverge stand alone. Raises ConfigError when the directory holds another run.
    """

    def attempt(parts: Sequence[Part], place: Place) -> Ended:
        config, there = _batch(parts).config(base), folder.joinpath(*place)
        _check(there, config)
        end = ended(there) or run_to_the_end(config, there, data, progress)
        if not end.why or len(parts) == 1:
            shutil.rmtree(there / "checkpoint", ignore_errors=True)  # megabytes for every chip, and of no use any more
        return end

    for parts, end in in_halves(tuple(zip(batch.arms, batch.chips, strict=True)), attempt, lambda end: bool(end.why)):
        yield from _parts(_batch(parts), end)


def _batch(parts: Sequence[Part]) -> Batch:
    return Batch(tuple(arm for arm, _ in parts), tuple(chips for _, chips in parts))


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
