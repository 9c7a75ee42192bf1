"""A run in several processes: who computes which samples of a batch, and what of it the first one keeps."""

from __future__ import annotations

import os
import tomllib
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor

from mho.config import RunConfig, dump
from mho.data import Dataset
from mho.distributed import agree
from mho.errors import ConfigError, RankError
from mho.nn.ranks import Ranks

Counts = dict[str, dict[str, int]]


def mine(ranks: Ranks | None, first: int, last: int) -> slice:
    """Return which of the samples `first` to `last` of a block this process computes: a batch, shared by the ranks."""
    if ranks is None:
        return slice(first, last)
    own = ranks.take(last - first)
    return slice(first + own.start, first + own.stop)


def whole(ranks: Ranks | None, outputs: list[Tensor], sizes: list[int]) -> Tensor:
    """Return the outputs (chips, samples, ...) of batches of `sizes`, of which every rank computed its part."""
    if ranks is None:
        return torch.cat(outputs, dim=1)
    bounds = [ranks.bounds(size) for size in sizes]
    parts = [[b[rank + 1] - b[rank] for b in bounds] for rank in range(ranks.size)]
    found = ranks.collect(torch.cat(outputs, dim=1).transpose(0, 1), [sum(own) for own in parts])
    each = [one.split(own) for one, own in zip(found, parts, strict=True)]
    return torch.cat([piece for batch in zip(*each, strict=True) for piece in batch]).transpose(0, 1)


def totals(ranks: Ranks | None, counts: Counts) -> Counts:
    """Return products counted by all processes."""
    if ranks is None:
        return counts
    keys = [(name, key) for name, per in counts.items() for key in per]
    sums = ranks.sum(torch.tensor([counts[name][key] for name, key in keys])).tolist()
    made: Counts = {name: {} for name in counts}
    for (name, key), total in zip(keys, sums, strict=True):
        made[name][key] = total
    return made


def check_run(ranks: Ranks, config: RunConfig) -> None:
    """Raise RankError where the ranks were given other settings, ConfigError for a batch that they cannot share."""
    settings = _flat("", tomllib.loads(dump(config)))
    agree(ranks, "the settings", settings, "start all of them with the same command")
    if config.batch_size % ranks.size:
        least = config.batch_size // ranks.size * ranks.size
        near = " or ".join(str(n) for n in (least, least + ranks.size) if n)
        fitting = max(n for n in range(1, ranks.size) if config.batch_size % n == 0)
        instead = f"{fitting} processes" if fitting > 1 else "one process"
        error = ConfigError(
            f"{ranks.size} processes cannot share a batch of {config.batch_size} evenly; give --batch-size {near}, or "
            f"start {instead}"
        )
        if ranks.rank:  # all of them find the same: the first one says it, and may end before it is made to
            with suppress(RankError):
                ranks.numbers(0)
            error.told = True
        raise error


def in_turn(ranks: Ranks | None, load: Callable[[], Dataset]) -> Dataset:
    """Return a data set: on every machine one process loads it first, and downloads it for the others."""
    if ranks is None:
        return load()
    early = load() if int(os.environ.get("LOCAL_RANK", ranks.rank)) == 0 else None
    ranks.numbers(0)
    data = early or load()
    marks = {
        f"{split} {name}": f"{values.shape} with checksum {zlib.crc32(memoryview(values).cast('B')):08x}"
        for split in ("train", "test")
        for name, values in ((n, getattr(data, f"{split}_{n}")) for n in ("images", "labels"))
    }
    agree(ranks, f"the data {data.name!r}", marks, "give every machine the same files")
    return data


def _flat(path: str, value: Any) -> dict[str, Any]:
    """Return settings by dotted path; the number of threads of a process is its own affair."""
    if not isinstance(value, dict):
        return {} if path == "threads" else {path: value}
    found: dict[str, Any] = {}
    for key, inner in value.items():
        found |= _flat(f"{path}.{key}" if path else key, inner)
    return found
