"""Which device of a weight each sample pulses, on a GPU: the words of the CPU."""

from __future__ import annotations

import torch
from torch import Tensor

from mho.kernels.cells import Samples
from mho.kernels.gpu.compiling import counter, kernels, start
from mho.kernels.gpu.zero import ticking

BLOCK = 256
"""Samples of a program."""


def choose(samples: Samples, devices: int, *, turn: bool) -> Tensor:
    """Return which of so many devices (or pairs) each sample pulses, (chips, batch) int32: in turn, or at random."""
    chips, batch = samples.x.shape[:2]
    chosen = torch.empty(chips, batch, dtype=torch.int32, device=samples.x.device)
    if chosen.numel():
        tick = ticking(samples.tick, chosen.device)
        start(
            kernels("triton_choose").choose, (-(-chosen.numel() // BLOCK),), chosen, samples.keys.contiguous(), tick,
            chosen.numel(), batch, devices, samples.first, counter(samples.step), TURN=int(turn), BLOCK=BLOCK,
        )  # fmt: skip
    return chosen
