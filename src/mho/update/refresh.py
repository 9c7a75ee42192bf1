"""The refresh of pairs that pulses can only raise: both sides are reset, and their difference is written back."""

from __future__ import annotations

import torch
from torch import Tensor

from mho.devices.base import over_chips
from mho.tiles.array import Array
from mho.tiles.cell import Refresh
from mho.tiles.tile import Tile
from mho.update.program import program_, tune_
from mho.update.program_settings import Program

REWRITE = Program(strategy="rewrite", iterations=20)
"""How a difference is written back by pulses: from reset, to within half a step."""


def refresh_(array: Array) -> Tensor | None:
    """Refresh the pairs of an array that are due at this optimizer step, in place.

    Return how many of each chip were, (chips,) int64, or None at a step without a check. Call it before the array
    rests. Every `refresh.every` steps, the pairs are due whose larger side is above the share `refresh.above` of its
    own range, unless a side is frozen: the other could then not take its place. "ideal" sets the larger side to the
    difference; "pulses" raises it by program and verify, with all pairs of a weight that has one. Resets and pulses are
    counted by the tiles.
    """
    settings = array.cell.refresh
    if settings is None or (array.tile_list[0].steps + 1) % settings.every:
        return None
    due = pairs_due(array, settings)
    if (gate := array.tile_list[0].intact()) is not None:
        due &= gate
    if settings.write == "ideal":
        if due.is_cuda or bool(due.any()):  # nobody looks there: of no pair, it writes nothing
            _write_back_(array, due)
    elif due.is_cuda:
        tune_(array, array.visible.clone(), REWRITE, which=due.any(1))
    else:
        program_(array, array.visible.clone(), REWRITE, which=due.any(1))
    return due.flatten(1).sum(1)


def pairs_due(array: Array, settings: Refresh) -> Tensor:
    """Return which pairs are due, bool (chips, pairs, rows, columns)."""
    above = torch.from_numpy(over_chips(settings.above, len(array.place.chips), "refresh.above").copy())
    above = above.to(array.tile_list[0].home)
    due, free = [], []
    for tile, side in _sides(array):
        bounds = tile.bounds()
        state = tile.state[:, side]
        due.append(
            torch.zeros_like(state, dtype=torch.bool) if bounds is None else state > above * _side(bounds[1], side)
        )
        free.append(torch.ones_like(due[-1]) if tile.frozen is None else tile.frozen[:, side] == 0)
    return (due[0] | due[1]) & free[0] & free[1]


def _write_back_(array: Array, due: Tensor) -> None:
    """Reset the pairs that are due, and raise their larger sides to the differences that were shown."""
    sides = _sides(array)
    plus, minus = ((t.state if t.apparent is None else t.apparent)[:, side] for t, side in sides)
    difference = plus - minus
    written = [None if tile.apparent is None else tile.apparent - tile.state for tile in array.tile_list]
    masks = {id(tile): torch.zeros_like(tile.state, dtype=torch.bool) for tile in array.tile_list}
    for tile, side in sides:
        masks[id(tile)][:, side] = due
    array.reset_([masks[id(tile)] for tile in array.tile_list])
    for (tile, side), part in zip(sides, (difference.clamp_min(0.0), (-difference).clamp_min(0.0)), strict=True):
        tile.state[:, side] = torch.where(due, part, tile.state[:, side])
    for tile, noise in zip(array.tile_list, written, strict=True):
        tile.show_(None if noise is None else noise.masked_fill(masks[id(tile)], 0.0))
    array.show_()


def _sides(array: Array) -> tuple[tuple[Tile, slice], tuple[Tile, slice]]:
    """Return the tile and the devices of the plus sides and of the minus sides."""
    tiles = array.tile_list
    if len(tiles) == 1:
        return (tiles[0], slice(0, None, 2)), (tiles[0], slice(1, None, 2))
    return (tiles[0], slice(None)), (tiles[1], slice(None))


def _side(values: Tensor, side: slice) -> Tensor:
    """Return the values of one side, which broadcast over its devices."""
    return values[:, side] if values.shape[1] > 1 else values
