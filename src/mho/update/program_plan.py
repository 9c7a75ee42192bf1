"""Which devices of an array get the pulses that a weight needs, and what one pulse does to a weight."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from mho.tiles.array import Array
from mho.update.burst import burst_


class Mover(NamedTuple):
    """A device of a tile: in which direction its rise moves the weight, and its place among those that share pulses."""

    sign: int
    rank: int
    of: int


class Movers:
    """Turns numbers of pulses per weight into pulses per device.

    A weight's pulses are shared by its devices, one after another in turn: by all of them, or in a pair that pulses can
    only raise by those of the side that moves the weight the right way. up, down: (chips,) float64, by how much one
    pulse on one device raises or lowers the mean weight at 0.
    """

    def __init__(self, array: Array) -> None:
        self.array, self.one_sided = array, array.cell.pair == "one-sided"
        found: list[tuple[int, int, np.ndarray]] = []
        for t, tile in enumerate(array.tile_list):
            size = tile.device.granularity(len(array.place.chips))
            found += [(t, 1 if gain > 0 else -1, abs(gain) * size) for gain in tile.gain_list]
        self.movers: list[list[Mover]] = [[] for _ in array.tile_list]
        for i, (t, sign, _) in enumerate(found):
            group = [j for j, other in enumerate(found) if not self.one_sided or other[1] == sign]
            self.movers[t].append(Mover(sign, group.index(i), len(group)))
        self.up, self.down = (
            np.mean([size for _, sign, size in found if not self.one_sided or sign == way], axis=0) for way in (1, -1)
        )

    def send_(self, number: Tensor, turn: int = 0) -> None:
        """Send `number` (chips, rows, columns) int32 pulses that raise (or, below 0, lower) each weight.

        `turn`: which device of a weight begins, so that wear is shared from call to call.
        """
        for tile, movers in zip(self.array.tile_list, self.movers, strict=True):
            if len(movers) == 1 and movers[0] == (1, 0, 1) and not self.one_sided:
                burst_(tile, number.unsqueeze(1))
                continue
            pulses = torch.empty(tile.state.shape, dtype=torch.int32, device=number.device)
            for k, mover in enumerate(movers):
                pulses[:, k] = _share(number, mover, self.one_sided, turn)
            burst_(tile, pulses)
        self.array.show_()


def column(values: np.ndarray, device: torch.device | None = None) -> Tensor:
    """Return values over chips as float32 that broadcasts over weights, (chips, 1, 1), on a device."""
    return torch.from_numpy(np.asarray(values, np.float32).reshape(-1, 1, 1).copy()).to(device)


def _share(number: Tensor, mover: Mover, one_sided: bool, turn: int) -> Tensor:
    """Return the pulses of one device, in the direction of its own state."""
    size = (number if mover.sign > 0 else -number).clamp_min(0) if one_sided else number.abs()
    if mover.of > 1:
        extra = size % mover.of > (mover.rank - turn) % mover.of
        size = torch.div(size, mover.of, rounding_mode="floor") + extra
    if one_sided:
        return size
    return size * number.sign() if mover.sign > 0 else -size * number.sign()
