"""A model saved, copied or pickled in the middle of training by any rule goes on as if it had not been."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from rules.cases import NAMES, busy
from rules.training import analog, differing, held, network, spots, train

Way = Callable[[nn.Module, str, Path], nn.Module]


def through_torch_save(model: nn.Module, name: str, folder: Path) -> nn.Module:
    torch.save(model.state_dict(), folder / "model.pt")
    other = train(network(busy(name)), spots(2))  # what is loaded takes the place of what was there
    other.load_state_dict(torch.load(folder / "model.pt", weights_only=True))
    return other


def through_deepcopy(model: nn.Module, name: str, folder: Path) -> nn.Module:
    return copy.deepcopy(model)


def through_pickle(model: nn.Module, name: str, folder: Path) -> nn.Module:
    return pickle.loads(pickle.dumps(model))  # type: ignore[no-any-return]


@pytest.mark.parametrize("way", [through_torch_save, through_deepcopy, through_pickle])
@pytest.mark.parametrize("name", NAMES)
def test_training_goes_on_the_same(name: str, way: Way, tmp_path: Path) -> None:
    """Five steps, so that schedules, choppers and clocks are in the middle of something, and seven more."""
    batches = spots(12)
    model = train(network(busy(name)), batches[:5])
    other = way(model, name, tmp_path)
    before = held(other)
    assert not differing(held(model), before)
    train(model, batches[5:])
    assert not differing(held(other), before)  # they share no memory
    assert len(differing(held(model), before)) >= len(analog(model))
    train(other, batches[5:])
    assert not differing(held(model), held(other))
    for one, two in zip(analog(model), analog(other), strict=True):
        for mine, its in zip(one.grid_list, two.grid_list, strict=True):
            for block, again in zip(mine.block_list, its.block_list, strict=True):
                assert torch.equal(block.visible, again.visible)
                assert block.tally() == again.tally()
