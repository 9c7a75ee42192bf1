"""Moving the slow array: by pulse trains in proportion to what was read, or by counted pulses."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from mho.tiles.array import Array
from mho.tiles.tile import Tile
from mho.update.apply import apply_array_
from mho.update.burst import burst_
from mho.update.moving import prepare_array
from mho.update.settings import Update
from mho.update.transfer.lines import Lines


class Trains:
    """Moves lines of an array by gain x values, through the pulse trains of an outer product with one-hot vectors."""

    def __init__(self, array: Array, update: Update, by: Literal["columns", "rows"]) -> None:
        self.array, self.update, self.by = array, update, by

    def __call__(self, lines: Lines, values: Tensor, gain: Tensor, first: int, sweep: int) -> None:
        """Raise lines by values (chips, these lines, cells) x gain (chips,); first: the number of the first read.

        sweep: how often all lines were read before, which says whose turn it is of the devices of a weight.
        """
        chips, many, _ = values.shape
        ones = lines.one_hot(chips, self.array.place.shape[1 if self.by == "columns" else 0], values.device)
        x, d = (ones, -values) if self.by == "columns" else (values, -ones)
        steps = prepare_array(self.array, x, d, gain, self.update, first=first)
        if self.array.cell.pulsed == "turn":
            turn = sweep % self.array.cell.devices
            for step in steps:
                step.chosen = torch.full((chips, many), turn, dtype=torch.int32, device=values.device)
        apply_array_(steps)


class Counts:
    """Sends whole numbers of pulses to lines of an array: to all devices of a weight, or to one of them.

    Where the cell says one in turn or at random, another one takes them at each sweep over the lines.
    Sides of a pair that are made of different devices each move by steps of their own.
    """

    def __init__(self, array: Array, by: Literal["columns", "rows"]) -> None:
        self.array, self.by = array, by
        self.numbers = torch.arange(max(array.place.shape), dtype=torch.int32)

    def __call__(self, lines: Lines, pulses: Tensor, sweep: int) -> None:
        """Send pulses (chips, these lines, cells), above 0 to raise weights; sweep: as `Trains` takes it."""
        if self.numbers.device != pulses.device:
            self.numbers = self.numbers.to(pulses.device)
        which = lines.of(self.numbers, 0)
        if self.by == "columns":
            pulses = pulses.transpose(1, 2)
        wanted = pulses.to(torch.int32).unsqueeze(1)
        for tile in self.array.tile_list:
            turn = sweep if self.array.cell.pulsed != "all" else None
            own = _for_devices(tile, wanted, turn).contiguous()
            if self.by == "columns":
                burst_(tile, own, columns=which)
            else:
                burst_(tile, own, rows=which)


def _for_devices(tile: Tile, wanted: Tensor, turn: int | None) -> Tensor:
    """Return the pulses of every device (or of the one whose turn it is), in the direction of its own state."""
    if tile.state.shape[1] == 1 and tile.gain_list[0] > 0 and not tile.one_sided:
        return wanted
    own = wanted * torch.sign(tile.gains).to(torch.int32).view(1, -1, 1, 1)
    if tile.one_sided:
        own.clamp_min_(0)
    if turn is not None:
        sides = 2 if tile.paired else 1
        device = torch.arange(own.shape[1], device=own.device)
        own *= (device // sides == turn % (own.shape[1] // sides)).view(1, -1, 1, 1)
    return own
