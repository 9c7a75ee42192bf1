"""Run a kernel on torch's own threads: one OpenMP pool for products and pulses, so that two pools never spin.

A kernel is a C function of one pointer that takes pieces of work from a shared ticket until none is left; it gives the
same result on any number of threads. On Linux it is entered through the OpenMP runtime that torch has loaded
(`GOMP_parallel`); where that is not found, a small pool of Python threads enters it (the call releases the GIL).
A forked child runs on one thread: an OpenMP pool does not survive a fork.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

import torch

from mho.kernels.arguments import Block

_HOME = os.getpid()


@lru_cache(maxsize=1)
def openmp() -> Callable[..., None] | None:
    """Return `GOMP_parallel` of the OpenMP runtime that torch uses, or None."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        with Path("/proc/self/maps").open(encoding="utf-8") as maps:
            paths = {line.split()[-1] for line in maps if "gomp" in line or "libiomp" in line or "libomp" in line}
    except OSError:
        return None
    ours = [p for p in sorted(paths) if os.sep + "torch" in p]
    for path in ours:
        try:
            entry = ctypes.CDLL(path).GOMP_parallel
        except (OSError, AttributeError):
            continue
        entry.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
        entry.restype = None
        return entry
    return None


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=os.cpu_count() or 1, thread_name_prefix="mho")


def threads() -> int:
    """Return how many threads a kernel may use: torch's number, and one in a forked child."""
    return torch.get_num_threads() if os.getpid() == _HOME else 1


def launch(kernel: Callable[[int], None], block: Block, workers: int) -> None:
    """Enter a kernel (a ctypes function) on `workers` threads with its arguments; return when all are done."""
    block.rewind()
    if workers <= 1:
        kernel(block.address)
        return
    entry = openmp()
    if entry is not None:
        entry(ctypes.cast(kernel, ctypes.c_void_p), block.address, workers, 0)  # type: ignore[arg-type]
        return
    for future in [_pool().submit(kernel, block.address) for _ in range(workers)]:
        future.result()
