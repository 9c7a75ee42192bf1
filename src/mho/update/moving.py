"""The pulsed update of an array: the outer product of error and input, W -= lr sum of d x^T, on its tiles."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from mho.devices.base import over_chips
from mho.tiles.array import Array
from mho.update.apply import Prepared, prepare_update
from mho.update.settings import Update

KEPT = 64
"""Learning rates whose gains are kept: a schedule that changes at every step must not fill the memory."""

Rate = float | tuple[float, ...]
"""A learning rate, or one for each chip."""


class Gains:
    """Turns learning rates into gains per chip, float32: rate / unit, of a unit per chip."""

    def __init__(self, unit: np.ndarray) -> None:
        self.unit = unit
        self.held: dict[object, Tensor] = {}

    def __call__(self, rate: Rate, device: torch.device | None = None) -> Tensor:
        """Return rate / unit, (chips,), on a device (None: the CPU); raise ConfigError for a list of another length."""
        key = (rate, device)
        if key not in self.held:
            if len(self.held) == KEPT:
                self.held.clear()
            values = over_chips(rate, len(self.unit), "lr").reshape(-1).astype(np.float64)
            made = torch.from_numpy((values / self.unit).astype(np.float32))
            self.held[key] = made if device is None else made.to(device)
        return self.held[key]


def gains(array: Array, update: Update) -> Gains:
    """Return what turns a learning rate into pulses per unit of x d, or for an ideal update into conductance."""
    return Gains(np.full(len(array.place.chips), array.unit) if update.ideal else array.step_size)


def prepare_array(
    array: Array, x: Tensor, d: Tensor, gain: Tensor, update: Update, *, bias: bool = False, first: int = 0
) -> list[Prepared]:
    """Return the step W -= lr sum of d x^T of an array, checked and ready for `apply_array_`.

    x: (chips, vectors, columns without the bias), d: (chips, vectors, rows), gain: (chips,) of `gains`; `first`: the
    number of the first vector within the step. Raises NotFiniteError for NaN or infinity; nothing is moved.
    """
    pulsed = array.cell.pulsed
    if len(array.tile_list) == 1 or update.ideal:
        own = [gain] * len(array.tile_list)
    else:
        own = [gain * ratio for ratio in array.ratios]
    return [
        prepare_update(tile, x, d, rate, update=update, pulsed=pulsed, bias=bias, first=first)
        for tile, rate in zip(array.tile_list, own, strict=True)
    ]
