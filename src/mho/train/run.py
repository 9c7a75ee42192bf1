"""A whole run: data, network, epochs, and the run directory with its checkpoints, summary and report."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mho.config import RunConfig
from mho.data import Dataset, load
from mho.distributed import gather_in, join, leave
from mho.errors import ConfigError, MhoError
from mho.nn.ranks import Ranks
from mho.train.folder import RunFolder
from mho.train.loop import Trainer
from mho.train.progress import Silent, reporter
from mho.train.summary import summarize
from mho.train.tensorboard import TensorBoard, check_installed
from mho.train.together import check_run, in_turn
from mho.train.where import device_of


@dataclass(frozen=True)
class Result:
    """A finished run.

    test_accuracy: percent, one per chip, after the last epoch. metrics: the lines of metrics.jsonl. summary:
    what summary.json holds. model: on its chips. folder: the run directory, or None; of the processes of torchrun,
    the first one alone has one.
    """

    test_accuracy: list[float]
    metrics: list[dict[str, Any]]
    summary: dict[str, Any]
    model: nn.Module
    folder: Path | None = None


def train(
    config: RunConfig | None = None, *, out: str | os.PathLike[str] | None = None,
    resume: str | os.PathLike[str] | None = None, progress: bool | str = True, data: Dataset | None = None,
    tensorboard: bool = False,
) -> Result:  # fmt: skip
    """Train a network on simulated analog chips as a configuration says, and return how it went.

    out: a run directory to make (it must be empty); without one nothing is written. resume: a run directory
    to go on with, from its last complete epoch to the same bytes as if it had never stopped; `config` may be
    left out, or differ from the saved one in epochs, threads and where it is computed. progress: a bar on a terminal
    and lines elsewhere, "plain" for lines, False for nothing. data: used instead of loading `config.data`.
    tensorboard: write its event files into the run directory as well.

    Started by torchrun, all its processes train one model: each computes its part of every batch, every one moves its
    chips by the samples of all, and the first one writes and shows.

    Raises ConfigError for settings that cannot be, DataError, CheckpointError for a run directory that cannot
    be resumed, NotFiniteError when the run diverges, RankError where other processes differ or are gone; what was
    saved before is kept whole. Raises GpuMemoryError, with how many chips would fit, for a GPU with too little memory.
    """
    if config is not None and not isinstance(config, RunConfig):
        raise ConfigError(
            f"mho.train takes a RunConfig, found {config!r}; give mho.RunConfig(preset=..., data=...) or "
            "mho.config.load(FILE)"
        )
    start = time.perf_counter()
    with _together() as ranks:
        first = ranks is None or ranks.rank == 0
        folder = None
        if resume is not None:
            folder = RunFolder(Path(resume))
            config = folder.read_config(config)
        elif out is not None and first:
            folder = RunFolder(Path(out))
            folder.check_new()
        config = config or RunConfig()
        if tensorboard:
            _check_events(out or resume)
        if ranks is not None:
            check_run(ranks, config)
        device_of(config, 1 if ranks is None else ranks.size)  # raises before data are loaded
        with threads(config.threads):
            data = data or in_turn(ranks, lambda: load(config.data, progress=bool(progress) and first))
            shown = reporter(progress and first)
            if tensorboard and folder is not None and first:
                shown = TensorBoard(shown, folder.path, config.chip_ids)
            place = Place(folder if first else None, resumed=resume is not None, ranks=ranks, start=start)
            try:
                return _run(config, place, shown, data)
            finally:
                shown.close()


@contextmanager
def _together() -> Iterator[Ranks | None]:
    """Join the other processes of torchrun, where there are any; tell them why this one ends when it fails."""
    had = _has_group()
    ranks = join()
    try:
        yield ranks
    except MhoError as error:
        if ranks is not None:
            ranks.announce(error)
        raise
    finally:
        if ranks is not None and not had:
            leave()


def _has_group() -> bool:
    from torch import distributed

    return distributed.is_available() and distributed.is_initialized()


def _check_events(folder: str | os.PathLike[str] | None) -> None:
    check_installed()
    if folder is None:
        raise ConfigError(
            "tensorboard=True writes event files into the run directory, and there is none; give out=DIR or resume=DIR"
        )


@dataclass(frozen=True)
class Place:
    """Where a run writes (None: nowhere), whether it goes on, the processes that share it, and when it began."""

    folder: RunFolder | None
    resumed: bool
    ranks: Ranks | None
    start: float


def _run(config: RunConfig, place: Place, shown: Silent, data: Dataset) -> Result:
    folder, ranks = place.folder, place.ranks
    shown.phase(f"placing {config.network} on {len(config.chip_ids)} chip(s)")
    trainer = Trainer(config, data, ranks)
    lines: list[dict[str, Any]] = []
    if folder is not None:
        if place.resumed:
            folder.restore(trainer)
            _warn_of_change(trainer, folder.lines)
        folder.begin(config)
        lines = folder.lines
    if ranks is not None and place.resumed:
        lines = _handed_on(trainer, lines, ranks)
    if trainer.shift is not None and trainer.shifted is None:
        shown.phase("driving devices to their symmetry points")
        trainer.zero_shift()
    setup = time.perf_counter() - place.start
    shown.begin(epochs=config.epochs, steps=trainer.order.steps, done=trainer.epoch)
    while trainer.epoch < config.epochs or not lines:
        line = trainer.next_line(shown.update)
        if folder is None:
            lines.append(line)
        else:
            folder.save(trainer, line)
        shown.epoch(line)
    summary = summarize(trainer, lines, setup)
    trainer.model = gather_in(trainer.model, None) if ranks is not None else trainer.model
    if folder is not None:
        shown.phase("writing the report")
        folder.write_summary(summary)
        _report(folder.path)
    path = folder.path if folder is not None else None
    return Result(summary["test_accuracy"], lines, summary, trainer.model, path)


def _handed_on(trainer: Trainer, lines: list[dict[str, Any]], ranks: Ranks) -> list[dict[str, Any]]:
    """Put every rank where the first one is, which has read the checkpoint; return the metrics so far."""
    at = (trainer.epoch, trainer.step, trainer.shifted)
    (trainer.epoch, trainer.step, trainer.shifted), found, state = ranks.from_first(
        (at, lines, trainer.model.state_dict())
    )
    if ranks.rank == 0:
        return lines
    trainer.model.load_state_dict(state)
    return found


def _report(folder: Path) -> None:
    from mho.report import write_report

    write_report(folder)


def _warn_of_change(trainer: Trainer, lines: list[dict[str, Any]]) -> None:
    """Warn where a run goes on in another way than it was begun, and so may end with other bytes."""
    last = lines[-1] if lines else {}
    ways = {
        "threads": (torch.get_num_threads(), "{} torch threads", "threads = {}"),
        "compute_device": (trainer.device.type, "{}", 'compute_device = "{}"'),
        "precision": (trainer.config.precision, "products of {}", 'precision = "{}"'),
    }
    for key, (now, words, cure) in ways.items():
        before = last.get(key)
        if before not in (None, now):
            warnings.warn(
                f"this run was on {words.format(before)} and goes on with {now}, so its bytes may differ from "
                f"those of a run that was never stopped; {cure.format(before)} avoids that",
                stacklevel=4,
            )


@contextmanager
def threads(count: int | None) -> Iterator[None]:
    """Set the number of torch threads for a block."""
    before = torch.get_num_threads()
    if count is not None:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
