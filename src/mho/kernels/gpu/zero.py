"""The tensor that stands for "no tick": a 0 on every device that asked for one."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor


@cache
def zero(device: torch.device) -> Tensor:
    """Return one int64 0 on a device, always the same tensor: nobody writes to it."""
    return torch.zeros(1, dtype=torch.int64, device=device)


def ticking(tick: Tensor | None, device: torch.device) -> Tensor:
    """Return what a kernel adds to its number of a step or call: the tick, or 0 where there is none."""
    return zero(device) if tick is None else tick
