"""A block of weights as it was programmed on devices, in siemens, and what these show some time later."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from mho.inference.ageing import aged
from mho.inference.settings import Programming
from mho.tiles.draw import TileDraw
from mho.update.counters import Counters

READINGS = 2**16
"""Draw numbers of readings that one programming of a block has, of 2^32 in all."""


class Programmed(Counters):
    """The devices on which one block of a weight matrix is programmed; `write_` of mho.inference.writing writes them.

    target: (chips, rows, columns), the weights to be programmed, in [-1, 1], before levels are taken.
    scale: (chips, 1 or rows, 1), the weight in units of the learner that is 1 in `target`.
    conductance: (chips, devices, rows, columns) in siemens, as written at 0 s; of layout "offset" one column more.
    stuck: like `conductance`, int8: -1 at g_min, +1 at g_max, 0 free; None where all are free. What is stuck stays: it
    has no errors, no drift and no noise.
    factor: (chips, rows, 1), by which compensation multiplies what the devices show.
    visible: (chips, rows, columns), the weights that a product sees now, in units of the learner.
    elapsed: seconds since programming; writes: how often it was programmed; aged_times: how often aged since.
    A state_dict also holds the seed of the devices' draws, the bits of an unsigned number: loading it brings the
    devices along.
    """

    counters = ("elapsed", "writes", "aged_times")
    target: Tensor
    scale: Tensor
    conductance: Tensor
    stuck: Tensor | None
    factor: Tensor
    visible: Tensor

    def __init__(self, target: Tensor, scale: Tensor, settings: Programming, draw: TileDraw) -> None:
        super().__init__()
        self.settings, self.draw = settings, draw
        self.register_buffer("target", target)
        self.register_buffer("scale", scale)
        self.register_buffer("conductance", None)
        self.register_buffer("stuck", None)
        self.register_buffer("factor", target.new_ones(*target.shape[:2], 1))
        self.register_buffer("visible", torch.empty_like(target))
        self.elapsed, self.writes, self.aged_times = 0.0, 0, 0

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[prefix + "seed"] = torch.from_numpy(np.array(self.draw.seed, np.uint64).view(np.int64))

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        seed, old = state_dict.pop(prefix + "seed", None), self.draw
        if seed is None:
            rest[2].append(prefix + "seed")
        else:
            self.draw = TileDraw(int(seed) % 2**64, old.chips, old.name, old.shape)
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def wanted(self) -> Tensor:
        """Return the conductances that were asked for, (chips, devices, rows, columns) in siemens, levels taken."""
        layout = self.settings.conductances
        return layout.to_siemens(layout.quantised(self.target))

    def stuck_(self, stuck: Tensor | None) -> None:
        """Set which devices are stuck; they are not written any more."""
        self.stuck = None if stuck is None else stuck.contiguous()

    def held(self, conductance: Tensor) -> Tensor:
        """Return conductances with those of stuck devices as they are; what is given may be changed."""
        if self.stuck is None:
            return conductance
        layout = self.settings.conductances
        return conductance.masked_fill_(self.stuck < 0, layout.g_min).masked_fill_(self.stuck > 0, layout.g_max)

    def compensate_(self, factor: Tensor) -> None:
        """Set what the devices' weights are multiplied by, (chips, 1 or rows, 1)."""
        self.factor.copy_(factor)

    def shown(self, seconds: float, call: int) -> Tensor:
        """Return the weights in [-1, 1] (chips, rows, columns) that the devices show so long after programming.

        call: the number of the reading, with which its noise is drawn; 0 is that of the calibration just after
        programming.
        """
        layout, ageing = self.settings.conductances, self.settings.ageing
        call += (self.writes - 1) * READINGS  # what is programmed again is read with other noise
        now = aged(
            self.conductance, self.wanted(), ageing, seconds=seconds, draw=self.draw, g_max=layout.g_max, call=call
        )
        return layout.to_weights(self.held(now))

    def aged_(self, seconds: float) -> Tensor:
        """Let the devices grow so old; return the weights in [-1, 1] that a new reading finds."""
        self.elapsed = float(seconds)
        self.aged_times += 1
        return self.shown(seconds, self.aged_times)

    def show_(self, weights: Tensor) -> None:
        """Set what a product sees from weights in [-1, 1] that the devices show."""
        torch.mul(weights, self.scale * self.factor, out=self.visible)
