"""What every rule counts, what it makes of several passes in a step, and that it moves nothing for NaN."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import mho
from mho.errors import NotFiniteError
from mho.optim import AnalogSGD
from mho.update import Learner
from rules.cases import EXACT, NAMES, busy, case, soft
from rules.training import analog, differing, held, inputs, loss, network, plain_layer, spots, train


def learners(model: nn.Module) -> list[Learner]:
    """Return the learners of all blocks of a model."""
    return [block for layer in analog(model) for grid in layer.grid_list for block in grid.block_list]


@pytest.mark.parametrize("name", NAMES)
def test_totals_are_the_sums_of_counts_on_every_tile(name: str) -> None:
    model = train(network(busy(name)), spots(12))
    for learner in learners(model):
        for array, tiles in ((a, a.tile_list) for a in learner.array_list):
            for tile in tiles:
                assert torch.equal(tile.totals, tile.counts.flatten(1).sum(1))
                assert (tile.totals > 0).all(), f"no pulse ever came to {tile.name}"
            assert torch.equal(array.totals(), sum(tile.totals for tile in tiles))


@pytest.mark.parametrize("name", NAMES)
def test_the_tally_tells_of_every_array_and_of_the_rule(name: str) -> None:
    model = train(network(busy(name)), spots(12))
    for learner in learners(model):
        told = learner.tally()
        assert list(told) == [*case(name).arrays, *case(name).tally]
        for array, at in learner.arrays.items():
            assert set(told[array]) == {"pulses", "resets", "mean_per_device", "most_per_device"}
            assert told[array]["pulses"] == at.totals().tolist()
            assert all(len(values) == 2 for values in told[array].values())
        numbers = [told[key] for key in case(name).tally]
        assert all(value != 0 for value in numbers)


def given(model: nn.Module, kind: str, step: int, part: slice) -> Tensor:
    """Return a loss whose errors at the layer are given numbers, whatever its weights are."""
    x = inputs(kind, 6, step)
    d = torch.randn(plain_layer(kind)(x).shape, generator=torch.Generator().manual_seed(step)) * 0.3
    return (model(mho.spread(x[part], 2)) * mho.spread(d[part], 2)).sum()


@pytest.mark.parametrize("kind", ["linear", "conv"])
@pytest.mark.parametrize("name", NAMES)
def test_several_passes_in_a_step_are_the_step_of_all_their_samples(name: str, kind: str) -> None:
    """Gradient accumulation: passes of 1, 3 and 2 samples, and one of 6, move the devices equally, bit for bit.

    Rates that follow the size of errors are taken once per pass, so that they are switched off here; and pulses by
    count draw their noise by the number of the call, of which more passes may make more, so that there is none.
    """
    settings = busy(name, forward=EXACT, device=soft(1.5, d2d=0.3))
    if hasattr(settings.rule, "auto_scale"):
        settings = settings.with_({"rule.auto_scale": False, "rule.scale_fast_lr": True, "rule.fast_lr": 2.0})
    once, often = (mho.convert_to_analog(nn.Sequential(plain_layer(kind)), settings, chips=2) for _ in range(2))
    for model, parts in ((once, [slice(0, 6)]), (often, [slice(0, 1), slice(1, 4), slice(4, 6)])):
        optimizer = AnalogSGD(model.parameters(), lr=0.05)
        for step in range(8):
            optimizer.zero_grad()
            for part in parts:
                given(model, kind, step, part).backward()
            optimizer.step()
    apart = [key for key in differing(held(once), held(often)) if not key.endswith((".clock", *case(name).sums))]
    assert not apart
    for key in differing(held(once), held(often)):
        if key.endswith(case(name).sums or " "):
            torch.testing.assert_close(held(once)[key], held(often)[key], atol=1e-6, rtol=0)


def poison(model: nn.Module, layer: str, which: str, value: float) -> None:
    """Put a value into what a layer keeps of its backward pass."""
    x, d, *rest = getattr(model, layer).pending[0]
    broken = (x if which == "x" else d).clone()
    broken.flatten()[-1] = value
    getattr(model, layer).pending[0] = (broken, d, *rest) if which == "x" else (x, broken, *rest)
    getattr(model, layer)._versions[0] = getattr(model, layer).pending[0][0]._version


@pytest.mark.parametrize("layer", ["conv", "fc2"])
@pytest.mark.parametrize("name", NAMES)
def test_nan_in_one_layer_leaves_every_layer_unmoved(name: str, layer: str) -> None:
    batches = spots(6)
    model: Any = train(network(busy(name)), batches[:3])
    optimizer = AnalogSGD(model.parameters(), lr=0.05)
    for which, value in (("x", float("nan")), ("d", float("inf"))):
        optimizer.zero_grad()
        loss(model, batches[3]).backward()
        before = held(model)
        poison(model, layer, which, value)
        with pytest.raises(NotFiniteError, match=f"'{layer}'.*(input x|error d) holds NaN or infinity.*Nothing was"):
            optimizer.step()
        assert not differing(held(model), before)
    train(model, batches[4:])
    assert all(value.isfinite().all() for value in held(model).values())
    assert differing(held(model), before)
