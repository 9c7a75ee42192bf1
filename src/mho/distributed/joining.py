"""How a process finds the others: the group that torchrun describes, or the one that a program has made itself."""

from __future__ import annotations

import atexit
import os
from datetime import timedelta

from torch import distributed as dist

from mho.errors import ConfigError, RankError
from mho.nn.ranks import Ranks

PATIENCE = 300.0
"""Seconds that ranks wait for one that is silent; `MHO_RANK_TIMEOUT` changes them."""


def join(*, averaged: bool = False) -> Ranks | None:
    """Return this process's place among those that torchrun started, or None where there is only one process.

    torch's default process group is used where there is one; else one over gloo is made, with a timeout of
    `MHO_RANK_TIMEOUT` seconds (300). averaged: digital gradients come averaged over the ranks, from torch's
    DistributedDataParallel. Raises RankError when the others cannot be reached, and ConfigError for another
    `MHO_RANK_TIMEOUT` than a number above 0, or a group that cannot carry tensors of the CPU.
    """
    if not dist.is_available():
        return None
    if not dist.is_initialized():
        if int(os.environ.get("WORLD_SIZE", "1")) < 2 or "MASTER_ADDR" not in os.environ:
            return None
        _meet(_patience())
    if dist.get_world_size() == 1:
        return None
    backends = dist.get_backend_config()
    if not any(f"cpu:{name}" in backends for name in ("gloo", "mpi")):
        raise ConfigError(
            f"this program's process group is {backends!r}, which cannot carry tensors of the CPU, where mho keeps its "
            'layers; call torch.distributed.init_process_group("gloo"), or "cpu:gloo,cuda:nccl"'
        )
    atexit.unregister(leave)
    atexit.register(leave)
    return Ranks(dist.get_rank(), dist.get_world_size(), averaged=averaged)


def leave() -> None:
    """Take the process group down, where there still is one: gloo aborts a program that ends with it."""
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()


def _patience() -> float:
    text = os.environ.get("MHO_RANK_TIMEOUT", str(PATIENCE))
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < 1e7:
        raise ConfigError(
            f"MHO_RANK_TIMEOUT is {text!r}, but it is how many seconds the processes of a run wait for one that is "
            f"silent; give a number above 0, or leave it away for {PATIENCE:g}"
        )
    return seconds


def _meet(seconds: float) -> None:
    try:
        dist.init_process_group("gloo", timeout=timedelta(seconds=seconds))
    except (RuntimeError, ValueError) as error:
        place = f"{os.environ.get('MASTER_ADDR')}:{os.environ.get('MASTER_PORT')}"
        raise RankError(
            f"this is rank {os.environ.get('RANK')} of {os.environ.get('WORLD_SIZE')}, as torchrun says, but the "
            f"others did not meet at {place} within {seconds:g} s ({str(error).splitlines()[0][:200]}); start all of "
            "them with torchrun, or unset WORLD_SIZE for one process"
        ) from error
