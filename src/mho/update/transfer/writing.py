"""Moving the slow array: by pulse trains in proportion to what was read, or by counted pulses."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from mho.tiles.array import Array
from mho.tiles.tile import Tile
from mho.update.apply import apply_update_
from mho.update.burst import burst_
from mho.update.moving import prepare_array
from mho.update.settings import Update
from mho.update.transfer.lines import Lines


class Trains:
    """Moves lines of an array by gain x values, through the pulse trains of an outer product with one-hot vectors."""

    def __init__(self, array: Array, update: Update, by: Literal["columns", "rows"]) -> None:
        self.array, self.update, self.by = array, update, by

    def __call__(self, lines: Lines, values: Tensor, gain: Tensor, first: int) -> None:
        """Raise lines by values (chips, these lines, cells) x gain (chips,); first: the number of the first read."""
        chips, many, _ = values.shape
        count = self.array.place.shape[1 if self.by == "columns" else 0]
        ones = torch.zeros(chips, many, count)
        ones[:, torch.arange(many), torch.tensor(lines.numbers)] = 1.0
        x, d = (ones, -values) if self.by == "columns" else (values, -ones)
        for step in prepare_array(self.array, x, d, gain, self.update, first=first):
            apply_update_(step)


class Counts:
    """Sends whole numbers of pulses to lines of an array: to all devices of a weight, or to one of them in turn.

    Sides of a pair that are made of different devices each move by steps of their own.
    """

    def __init__(self, array: Array, by: Literal["columns", "rows"]) -> None:
        self.array, self.by = array, by
        self.numbers = torch.arange(max(array.place.shape), dtype=torch.int32)

    def __call__(self, lines: Lines, pulses: Tensor) -> None:
        """Send pulses (chips, these lines, cells), above 0 to raise weights."""
        which = lines.of(self.numbers, 0)
        if self.by == "columns":
            pulses = pulses.transpose(1, 2)
        wanted = pulses.to(torch.int32).unsqueeze(1)
        for tile in self.array.tile_list:
            own = _of_devices(tile, wanted, self.array.cell.pulsed != "all").contiguous()
            if self.by == "columns":
                burst_(tile, own, columns=which)
            else:
                burst_(tile, own, rows=which)


def _of_devices(tile: Tile, wanted: Tensor, turns: bool) -> Tensor:
    """Return the pulses of every device, in the direction of its own state, for those of the weights."""
    if tile.state.shape[1] == 1 and float(tile.gains[0]) > 0 and not tile.one_sided:
        return wanted
    own = wanted * torch.sign(tile.gains).to(torch.int32).view(1, -1, 1, 1)
    if tile.one_sided:
        own.clamp_min_(0)
    if turns:
        sides = 2 if tile.paired else 1
        turn = tile.calls["program"] % (own.shape[1] // sides)
        own *= (torch.arange(own.shape[1]) // sides == turn).view(1, -1, 1, 1)
    return own
