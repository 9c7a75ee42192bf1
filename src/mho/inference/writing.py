"""Writing the devices of a block: once, or with read-verify-write, around devices that are stuck."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mho.inference.programmed import Programmed


@dataclass(frozen=True)
class Written:
    """How writing one block went; every tensor is over chips, float64.

    devices: how many a chip has, reference devices included. weights: how many weights. clipped: weights outside
    [-1, 1]. square: sum of (weight shown - weight wanted)^2, in [-1, 1], levels taken as wanted. stuck_low, stuck_high:
    devices that are stuck. pulses, reads: sent and made. missed: devices that no reading found near enough.
    """

    devices: int
    weights: int
    clipped: Tensor
    square: Tensor
    stuck_low: Tensor
    stuck_high: Tensor
    pulses: Tensor
    reads: Tensor
    missed: Tensor


def write_(block: Programmed) -> Written:
    """Write the devices of a block and show the weights; return how it went."""
    settings, layout = block.settings, block.settings.conductances
    call = int(block.writes)
    block.writes += 1
    wanted = block.wanted()
    found = settings.error.written(wanted, layout, block.draw, call)
    chips = found.shape[0]
    nothing = torch.zeros(chips, dtype=torch.float64)
    low, high = nothing, nothing
    if settings.faults.present:
        stuck = settings.faults.drawn(tuple(found.shape), block.draw)
        block.stuck = stuck
        found = torch.where(stuck < 0, layout.g_min, torch.where(stuck > 0, layout.g_max, found))
        low, high = ((stuck == code).flatten(1).sum(1).double() for code in (-1, 1))
    block.conductance = found
    shown = layout.to_weights(found)
    block.show_(shown)
    clipped = (block.target.abs() > 1).flatten(1).sum(1).double()
    square = (shown - layout.quantised(block.target)).square_().flatten(1).sum(1, dtype=torch.float64)
    pulses = nothing + found[0].numel()
    return Written(
        found[0].numel(), block.target[0].numel(), clipped, square, low, high, pulses, nothing.clone(), nothing.clone()
    )
