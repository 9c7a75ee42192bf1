"""Mixed precision: gradients are accumulated digitally, and a device is pulsed when a whole step is due."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mho.devices.base import over_chips
from mho.devices.spread import PerChip, numbers, per_chip
from mho.errors import SettingsError
from mho.update.learner import Learner
from mho.update.moving import Gains, Rate, check_finite
from mho.update.program_plan import Movers
from mho.update.rule import Making, Rule


@dataclass(frozen=True)
class MixedPrecision(Rule):
    """chi <- chi - lr sum of d x^T in digital; every so often n = trunc(chi/step) pulses, and chi <- chi - n step.

    every: optimizer steps from one transfer of the whole matrix to the next.
    step: the change of a weight that one pulse stands for, in weight units; 0: the granularity of the device times its
        gain in the weight.
    pulses: most pulses that a weight gets at a transfer; what is left stays in chi.
    The outer product is exact, so the layer's `update` has no part in it, and pulses are not verified. `step` may be a
    list of one per chip. Raises ConfigError for other values.
    Source: Nandakumar et al., Front. Neurosci. 14:406 (2020); defaults as IBM aihwkit `MixedPrecisionCompound`
    (transfer_every 1, granularity 0), which has no limit of pulses but those of its trains.
    """

    every: int = 1
    step: PerChip = 0.0
    pulses: int = 100

    def __post_init__(self) -> None:
        object.__setattr__(self, "step", per_chip(self.step))
        if wrong := list(self._wrong()):
            raise SettingsError(wrong)

    def _wrong(self) -> Iterator[tuple[str, str]]:
        for name in ("every", "pulses"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                yield name, f"is a whole number of at least 1, found {value!r}; give {name} = 1"
        if any(not 0 <= v < math.inf for v in numbers(self.step)):
            yield "step", f"cannot be negative or infinite, found {self.step}; give 0 for the device's own granularity"

    def learner(self, making: Making) -> Learner:
        """Return the learner of one block."""
        return MixedPrecisionLearner(self, making)


class MixedPrecisionLearner(Learner):
    """One array and the digital accumulator of its weights, chi (chips, rows, columns), in weight units."""

    threshold: Tensor
    chi: Tensor
    clock: Tensor

    def __init__(self, rule: MixedPrecision, making: Making) -> None:
        weight = making.array()
        super().__init__(weight=weight)
        self.rule, self.weight, self.movers = rule, weight, Movers(weight)
        chips = len(weight.place.chips)
        own = over_chips(rule.step, chips, "step").reshape(-1)
        sizes = np.where(own > 0, own, 0.5 * (self.movers.up + self.movers.down)).astype(np.float32)
        self.register_buffer("threshold", torch.from_numpy(sizes.reshape(-1, 1, 1)), persistent=False)
        self.register_buffer("chi", torch.zeros_like(weight.visible))
        self.register_buffer("clock", torch.zeros(2, dtype=torch.int64))  # steps since a transfer, transfers
        self.rates = Gains(np.ones(chips))

    @property
    def visible(self) -> Tensor:
        """The weights that a product sees, (chips, rows, columns)."""
        return self.weight.visible

    @property
    def reach(self) -> Tensor:
        """Per chip the largest weight of either sign that the mean cell can show."""
        return self.weight.reach

    def prepare(self, x: Tensor, d: Tensor, lr: Rate, *, bias: bool, first: int, positions: int) -> Any:
        """Return x with the bias's input and lr d; raise NotFiniteError for NaN or infinity."""
        check_finite(x, d)
        if bias:
            x = torch.cat((x, x.new_ones(*x.shape[:2], 1)), dim=2)
        return x, d * self.rates(lr).view(-1, 1, 1)

    def apply_(self, prepared: Any) -> None:
        """Add the outer products to the accumulator."""
        x, d = prepared
        self.chi.baddbmm_(d.transpose(1, 2), x, alpha=-1.0)

    def rest_(self) -> None:
        """End an optimizer step: transfer where it is due."""
        self.clock[0] += 1
        if int(self.clock[0]) >= self.rule.every:
            self.transfer_()
        super().rest_()

    def transfer_(self) -> None:
        """Send the whole steps of the accumulator as pulses, and keep the rest of it."""
        limit = float(self.rule.pulses)
        number = (self.chi / self.threshold).trunc_().clamp_(-limit, limit)
        self.movers.send_(number.to(torch.int32), turn=int(self.clock[1]))
        self.chi.sub_(number.mul_(self.threshold))
        self.clock[0] = 0
        self.clock[1] += 1

    def write_(self, weights: Tensor) -> Tensor:
        """Write weights ideally, and empty the accumulator; return the clipped share per chip."""
        self.chi.zero_()
        return self.weight.write_(weights)

    def tally(self) -> dict[str, Any]:
        """Return what happened to the devices, and how many transfers there were."""
        return {**super().tally(), "transfers": int(self.clock[1])}
