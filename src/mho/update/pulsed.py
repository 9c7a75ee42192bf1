"""The plain rule: pulse trains move the one array of a block, W -= lr sum of d x^T."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mho.update.rule import Making, Rule

if TYPE_CHECKING:
    from mho.update.learner import Learner


@dataclass(frozen=True)
class Pulsed(Rule):
    """Plain pulsed stochastic gradient descent: every sample's outer product moves the weights' own devices.

    How samples become pulses is said by the layer's `Update`. Source: Gokmen & Vlasov, Front. Neurosci. 10:333 (2016).
    """

    def learner(self, making: Making) -> Learner:
        """Return the learner of one block."""
        from mho.update.pulsed_learner import PulsedLearner  # so that configurations are read without torch

        return PulsedLearner(making)
