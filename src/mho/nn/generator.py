"""torch's own generators, for what torch draws: initial weights, dropout."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded(key: tuple[int, int], *, gpus: bool = False) -> Iterator[None]:
    """Let torch draw from a state that follows from a key of `mho.random.make_key` alone; then from that of before.

    gpus: also give the generators of GPUs their states back.
    """
    low, high = key
    with torch.random.fork_rng(devices=None if gpus else []):
        torch.manual_seed(high << 32 | low)
        yield
