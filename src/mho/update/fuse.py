"""What a rule keeps in digits stays as it is where a GPU found NaN or infinity: nobody looks at the numbers there."""

from __future__ import annotations

import torch
from torch import Tensor

from mho.tiles.tile import Tile


def intact(tile: Tile) -> Tensor | None:
    """Return whether all layers of a step were finite, a bool of no dimensions on the tile's device; None without fuse.

    To be asked after all layers have prepared their updates.
    """
    return None if tile.fuse is None else (tile.fuse.flags == 0).all()


def unless_blown(gate: Tensor | None, new: Tensor, old: Tensor) -> Tensor:
    """Return the new values, or the old ones where the gate of `intact` is shut."""
    return new if gate is None else torch.where(gate, new, old)
