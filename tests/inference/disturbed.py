"""Models whose arrays show other weights than they were trained to, without any programming: put there by hand."""

from __future__ import annotations

import torch
from torch import nn

import mho
from mho.kernels.product import normals
from mho.nn import AnalogLayer
from mho.tiles.draw import TileDraw


class Shown(nn.Module):
    """What `Learner.programmed` asks for: weights that products see."""

    def __init__(self, visible: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("visible", visible)


def disturb(model: nn.Module, sigma: float = 0.1) -> nn.Module:
    """Add normal errors to the weights of every chip, the same ones for a chip alone and among others."""
    for layer in model.modules():
        if isinstance(layer, AnalogLayer):
            for grid in layer.grid_list:
                for block in grid.block_list:
                    tile = block.tile_list[0]
                    draw = TileDraw(tile.seed, tile.chips, tile.name, (1, 1, 1))
                    errors = normals(draw.keys("test errors"), tuple(block.visible.shape))
                    block.programmed = Shown(block.visible + sigma * errors)
    return model


def converted(net: nn.Module, config, chips=1) -> nn.Module:
    """Return a disturbed analog copy of a network, evaluating."""
    return disturb(mho.convert_to_analog(net, config, chips=chips, seed=3)).eval()
