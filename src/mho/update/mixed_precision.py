"""Mixed precision: gradients are accumulated digitally, and a device is pulsed when a whole step is due."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mho.devices.spread import PerChip, numbers, per_chip
from mho.errors import SettingsError
from mho.update.rule import Making, Rule

if TYPE_CHECKING:
    from mho.update.learner import Learner


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
        from mho.update.mixed_precision_learner import MixedPrecisionLearner  # configurations are read without torch

        return MixedPrecisionLearner(self, making)
