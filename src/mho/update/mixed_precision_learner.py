"""Mixed precision at work: the array of a block and its digital accumulator."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from mho.devices.base import over_chips
from mho.tiles.array import Array
from mho.update.apply import check_finite
from mho.update.counters import Counters
from mho.update.fuse import unless_blown
from mho.update.learner import Learner
from mho.update.mixed_precision import MixedPrecision
from mho.update.moving import Gains, Rate
from mho.update.program_plan import Movers, column
from mho.update.rule import Making


class MixedPrecisionLearner(Counters, Learner):
    """One array and the digital accumulator of its weights, chi (chips, rows, columns), in weight units.

    clock: steps since the last transfer, and transfers so far.
    """

    counters = ("clock",)
    threshold: Tensor
    chi: Tensor

    def __init__(self, rule: MixedPrecision, making: Making) -> None:
        super().__init__(weight=making.array())
        self.rule, self.movers = rule, Movers(self.weight)
        chips = len(making.place.chips)
        own = over_chips(rule.step, chips, "step").reshape(-1)
        sizes = np.where(own > 0, own, 0.5 * (self.movers.up + self.movers.down))
        self.register_buffer("threshold", column(sizes), persistent=False)
        self.register_buffer("chi", torch.zeros_like(self.weight.visible))
        self.clock = np.zeros(2, np.int64)
        self.rates = Gains(np.ones(chips))

    @property
    def weight(self) -> Array:
        """The array."""
        return self.array_list[0]

    def prepare(self, x: Tensor, d: Tensor, lr: Rate, *, bias: bool, first: int, positions: int) -> Any:
        """Return x with the bias's input and lr d; raise NotFiniteError for NaN or infinity."""
        check_finite(x, d, self.weight.tile_list[0].fuse)
        if bias:
            x = torch.cat((x, x.new_ones(*x.shape[:2], 1)), dim=2)
        return x, d * self.rates(lr, d.device).view(-1, 1, 1)

    def apply_(self, prepared: Any) -> None:
        """Add the outer products to the accumulator."""
        x, d = prepared
        gate = self.weight.tile_list[0].intact()
        if gate is not None:
            x, d = (torch.where(gate, values, 0.0) for values in (x, d))
        self.chi.baddbmm_(d.transpose(1, 2), x, alpha=-1.0)

    def rest_(self) -> None:
        """End an optimizer step: transfer where it is due."""
        self.clock[0] += 1
        if self.clock[0] >= self.rule.every:
            self.transfer_()
        super().rest_()

    def transfer_(self) -> None:
        """Send the whole steps of the accumulator as pulses, and keep the rest of it."""
        limit = float(self.rule.pulses)
        number = (self.chi / self.threshold).trunc_().clamp_(-limit, limit)
        self.movers.send_(number.to(torch.int32), turn=int(self.clock[1]))
        rest = number.mul_(self.threshold)
        self.chi.sub_(unless_blown(self.weight.tile_list[0].intact(), rest, torch.zeros_like(rest)))
        self.clock[0] = 0
        self.clock[1] += 1

    def write_(self, weights: Tensor) -> Tensor:
        """Write weights ideally, and empty the accumulator; return the clipped share per chip."""
        self.chi.zero_()
        return self.weight.write_(weights)

    def tally(self) -> dict[str, Any]:
        """Return what happened to the devices, and how many transfers there were."""
        return {**super().tally(), "transfers": int(self.clock[1])}
