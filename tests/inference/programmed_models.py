"""Small analog models that are programmed in tests, and draws for tiles of their own."""

from __future__ import annotations

import torch
from torch import nn

import mho
from mho import AnalogConfig, Periphery
from mho.devices import ConstantStep, Spread
from mho.tiles.draw import TileDraw

EXACT = AnalogConfig(device=ConstantStep(w_max=Spread(1.0), w_min=Spread(-1.0)), forward=Periphery(ideal=True))
IMAGES = torch.rand(3, 2, 8, 8, generator=torch.Generator().manual_seed(1))


def network() -> nn.Module:
    """Return a network with plain and grouped convolutions and linear layers, always the same."""
    torch.manual_seed(5)
    return nn.Sequential(
        nn.Conv2d(2, 6, 3), nn.Tanh(), nn.Conv2d(6, 4, 3, groups=2), nn.Flatten(), nn.Linear(64, 11), nn.Tanh(),
        nn.Linear(11, 5, bias=False),
    )  # fmt: skip


def analog(chips=1, config=EXACT, **changes) -> nn.Module:
    """Return the network on analog tiles with exact products, of several tiles a layer, in evaluation mode."""
    config = config.with_({"mapping.max_rows": 8, "mapping.max_columns": 40, "mapping.bias": "array", **changes})
    return mho.convert_to_analog(network(), config, chips=chips, seed=3, trained=True).eval()


def outputs(model: nn.Module) -> torch.Tensor:
    """Return what a model answers to the images, (chips, images, outputs)."""
    chips = len(model.chips)
    with torch.no_grad():
        return mho.per_chip(model(mho.spread(IMAGES, chips)), chips)


def draw(chips=(0,), seed=0, name="tile") -> TileDraw:
    """Return the draws of a tile."""
    return TileDraw(seed, tuple(chips), name, (1, 1, 1))
