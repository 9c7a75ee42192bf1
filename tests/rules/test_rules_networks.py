"""Every rule trains a network with a convolution and linear layers on a task of its own size."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import mho
from rules.cases import DW, EXACT, NAMES, case, config, soft
from rules.training import network, spots, train

ENOUGH = 0.9
"""Of 200 images; an untrained network is right for half of them: to reach this by chance is less likely than 1e-30."""


def accuracy(model: nn.Module, images: int = 200) -> torch.Tensor:
    """Return the share of new images that each chip names rightly."""
    x, y = spots(1, images + 1)[0]
    model.eval()
    with torch.no_grad():
        out = mho.per_chip(model(mho.spread(x, len(model.chips))), len(model.chips))
    return (out.argmax(2) == y).float().mean(1)


@pytest.mark.parametrize("name", NAMES)
def test_a_convolution_and_linear_layers_learn(name: str) -> None:
    settings = config(name, case(name).fits[0], device=soft(), forward=EXACT)
    model = network(settings)
    before = accuracy(model)
    start = {key: layer.get_weights()[0].clone() for key, layer in model.named_children() if hasattr(layer, "chips")}
    train(model.train(), spots(60))
    found = accuracy(model)
    print(f"{name}: {before.tolist()} -> {found.tolist()}")
    assert before.max() < ENOUGH - 0.1
    assert found.min() > ENOUGH
    for key, weights in start.items():
        moved = (getattr(model, key).get_weights()[0] - weights).abs()
        assert (moved.flatten(1).amax(1) > 2 * DW).all(), key
