"""A learning rule as it is stated: settings that make the learner of a block of weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mho.devices.base import Device
from mho.tiles.cell import ArraySettings, Cell
from mho.tiles.place import Place
from mho.update.settings import Update

if TYPE_CHECKING:  # configurations are read without torch
    from mho.tiles.array import Array
    from mho.update.learner import Learner


@dataclass(frozen=True)
class Making:
    """What a rule makes the learner of one block from: the layer's settings, and the block's place.

    bias: whether the last column of the block is the bias, whose input is always 1.
    """

    device: Device
    place: Place
    cell: Cell = field(default_factory=Cell)
    update: Update = field(default_factory=Update)
    bias: bool = False

    def array(self, settings: ArraySettings | None = None, suffix: str = "") -> Array:
        """Return an array of this block: the layer's own device and cell, or others; named apart by a suffix."""
        from mho.tiles.array import Array

        at = self.place
        name = f"{at.name}/{suffix}" if suffix else at.name
        settings = settings or ArraySettings(self.device, self.cell)
        return Array(settings, Place(name, at.shape, at.seed, at.chips, at.count_pulses))


class Rule:
    """By which rule samples move weights. A subclass is a frozen dataclass of settings that makes a `Learner`.

    Where settings cannot be, its `__post_init__` raises ConfigError; `problems` yields what does not go together with
    the layer's device, cell and update.
    """

    def learner(self, making: Making) -> Learner:
        """Return the learner of one block of a weight matrix."""
        raise NotImplementedError(f"{type(self).__name__} must define learner(self, making)")

    def problems(self, device: Device, cell: Cell, update: Update) -> Iterator[tuple[str, str]]:
        """Yield (setting, what is wrong and what would work) for a layer's device, cell and update."""
        yield from ()
