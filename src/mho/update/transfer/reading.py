"""Reading lines of an array through a periphery: a product with one-hot vectors."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from mho.kernels.product import Draws
from mho.periphery.product import bind, multiply, read_lines
from mho.periphery.settings import Periphery
from mho.tiles.array import Array
from mho.update.transfer.lines import Lines


class Reader:
    """Reads columns (forward products with one-hot inputs) or rows (backward ones) of an array.

    Draws are keyed as those of the array's first tile, by the number of the step's call and of the read within it.
    """

    def __init__(self, array: Array, periphery: Periphery, by: Literal["columns", "rows"]) -> None:
        self.array, self.by = array, by
        self.product = bind(periphery, len(array.place.chips))
        noisy, p = self.product.converters.input_noise, periphery
        # Lines whose input is 0 add nothing unless inputs are noisy.
        self.alone = not noisy and p.bound_management == "none" and p.noise_management != "running-max"
        self.call, self.first = -1, 0

    def end(self) -> None:
        """End the reads of one optimizer step."""
        self.call, self.first = -1, 0

    def __call__(self, lines: Lines) -> Tensor:
        """Return what lines of the array show, (chips, these lines, cells of a line)."""
        weights = self.array.visible
        if self.by == "rows":
            weights = weights.transpose(1, 2)
        chips, cells, count = weights.shape
        many = len(lines.numbers)
        if self.call < 0:
            self.call = self.array.tile_list[0].next_call("transfer")
        tile = self.array.tile_list[0]
        draws = Draws(tile.role_keys["transfer"], self.call, 0, self.first, tile.tick_of("transfer"))
        self.first += many
        shown = lines.of(weights, 2).transpose(1, 2)
        if self.product.settings.ideal:
            self.product.count(chips * many, shown.device)
            return shown.clone()
        out = torch.empty(chips, many, cells, device=weights.device)
        if self.alone:
            read_lines(self.product, shown, draws, out)
        else:
            multiply(self.product, weights, lines.one_hot(chips, count, weights.device), draws, out)
        return out
