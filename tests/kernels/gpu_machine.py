"""A machine with GPUs as torch would tell of it, for tests of what is said about them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

import pytest
import torch

from mho.kernels.gpu import machine

GIB = 2**30


def pretend(
    monkeypatch: pytest.MonkeyPatch, capabilities: Sequence[tuple[int, int]] = ((9, 0),), *,
    free: int = 8 * GIB, kept: int = 0, triton: bool = True,
) -> None:  # fmt: skip
    """Let torch tell of GPUs of these capabilities, with so much memory free on each and `kept` by torch's cache."""
    machine._check_index.cache_clear()
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.version, "hip", None)
    cuda = torch.cuda
    for name, value in {
        "is_available": lambda: bool(capabilities),
        "device_count": lambda: len(capabilities),
        "current_device": lambda: 0,
        "get_device_capability": lambda device=None: capabilities[_index(device)],
        "get_device_name": lambda device=None: f"NVIDIA Test {_index(device)}",
        "mem_get_info": lambda device=None: (free, 10 * GIB),
        "memory_reserved": lambda device=None: kept,
        "memory_allocated": lambda device=None: 0,
        "device": lambda device: nullcontext(),
        "max_memory_allocated": lambda device=None: 4 * GIB,
    }.items():
        monkeypatch.setattr(cuda, name, value)
    monkeypatch.setattr(machine, "find_spec", lambda name: object() if triton else None)


def _index(device: object) -> int:
    return device if isinstance(device, int) else torch.device(str(device or "cuda:0")).index or 0
