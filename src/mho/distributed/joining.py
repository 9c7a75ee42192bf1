"""How a process finds the others: the group that torchrun describes, or the one that a program has made itself."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from collections.abc import Iterator
from datetime import timedelta
from types import FunctionType

from torch import distributed as dist
from torch.nn.parallel import DistributedDataParallel

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
    atexit.unregister(_leave_at_exit)
    atexit.register(_leave_at_exit)
    return Ranks(dist.get_rank(), dist.get_world_size(), averaged=averaged)


def leave() -> None:
    """Take the process group down with its threads, where there still is one.

    A thread of gloo drops the tensors of its last transfer whenever it gets to it, and needs the interpreter for that;
    where the interpreter has begun to end, this aborts the program ("terminate called without an active exception").
    The threads end with the group, which ends when nothing holds it any more. Ranks need not wait for each other here:
    a group ends without the others' help.
    """
    if not dist.is_available():
        return
    if dist.is_initialized():
        dist.destroy_process_group()
    _let_go()


def _leave_at_exit() -> None:
    """Leave, and take the group from what torch's DistributedDataParallel holds, too: nothing is trained any more."""
    leave()
    for held in gc.get_objects():
        if issubclass(type(held), DistributedDataParallel):
            for name in ("reducer", "logger", "process_group"):
                held.__dict__.pop(name, None)


def _let_go() -> None:
    """Make torch's functions mean the default group at a call by None, not by the group that there was at their import.

    torch.distributed.nn.functional has the group as a default argument when it is imported while there is one, as the
    first optimizer does (by torch._dynamo); that would hold the group until the program ends.
    """
    for function in _functions():
        if any(isinstance(value, dist.ProcessGroup) for value in function.__defaults__ or ()):
            kept = [None if isinstance(value, dist.ProcessGroup) else value for value in function.__defaults__ or ()]
            function.__defaults__ = tuple(kept)


def _functions() -> Iterator[FunctionType]:
    """Return the functions and constructors in the modules of torch.distributed that are loaded.

    By `type`: `isinstance` asks a value for its class, and deprecated ones of torch warn then.
    """
    for name, module in list(sys.modules.items()):
        if name.startswith("torch.distributed."):
            for value in list(vars(module).values()):
                made = vars(value).get("__init__") if type(value) is type else value
                if type(made) is FunctionType:
                    yield made


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
