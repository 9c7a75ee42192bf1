"""The learner of the plain rule: one array, moved by the pulses of every sample."""

from __future__ import annotations

from torch import Tensor

from mho.tiles.array import Array
from mho.update.apply import Prepared, apply_array_
from mho.update.learner import Learner
from mho.update.moving import Rate, gains, prepare_array
from mho.update.rule import Making


class PulsedLearner(Learner):
    """One array, moved by the pulses of every sample."""

    def __init__(self, making: Making) -> None:
        super().__init__(weight=making.array())
        self.update = making.update
        self.gains = gains(self.weight, making.update)

    @property
    def steady(self) -> bool:  # type: ignore[override]  # a class attribute of the others
        """Whether every step launches the same kernels: no refresh is due at some of them."""
        return self.weight.cell.refresh is None

    @property
    def weight(self) -> Array:
        """The array."""
        return self.array_list[0]

    def prepare(self, x: Tensor, d: Tensor, lr: Rate, *, bias: bool, first: int, positions: int) -> list[Prepared]:
        """Return the update of the array; raise NotFiniteError for NaN or infinity."""
        return prepare_array(self.weight, x, d, self.gains(lr, x.device), self.update, bias=bias, first=first)

    def apply_(self, prepared: list[Prepared]) -> None:
        """Apply the update."""
        apply_array_(prepared)
        self.weight.show_()
