"""Chips, seeds and rates under every rule: a chip alone is as among others, a run repeats, another seed does not."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import mho
from mho import Cell, Mapping
from mho.optim import AnalogSGD
from rules.cases import EXACT, NAMES, busy, case
from rules.training import differing, held, inputs, network, plain_layer, spots, train

RATES = (0.05, 0.02, 0.1)
ROUNDING = 1e-6
"""Of sums of some hundred terms below 0.1."""
LAYOUT = {"mapping": Mapping(max_columns=6), "cell": Cell(devices=2, pulsed="turn"), "forward": EXACT}


def run(name: str, kind: str, chips: Any, lr: Any) -> nn.Module:
    """Return a layer on chips after a dozen steps with given errors, so that no sum of a product comes in."""
    model = mho.convert_to_analog(nn.Sequential(plain_layer(kind)), busy(name, **LAYOUT), chips=chips)
    n, generator = len(model.chips), torch.Generator().manual_seed(3)
    optimizer = AnalogSGD(model.parameters(), lr=lr)
    for step in range(12):
        x = inputs(kind, 4, step)
        d = torch.randn(plain_layer(kind)(x).shape, generator=generator) * 0.3
        optimizer.zero_grad()
        (model(mho.spread(x, n)) * mho.spread(d, n)).sum().backward()
        optimizer.step()
    return model


SHARED = ("pulses", "gains", "clock", "seen", "reads", "done", "sign")
"""What chips share, by the last name in a state dict."""
AXIS = {"maxima": 1, "found": 1}
"""Where the chips of a buffer are not its first dimension."""


def of_chip(model: nn.Module, chip: int) -> dict[str, torch.Tensor]:
    """Return what a model holds of one chip, and what chips share, by name."""
    last = {key: key.rpartition(".")[2] for key in model.state_dict()}
    return {
        key: value if last[key] in SHARED else value.select(AXIS.get(last[key], 0), chip)
        for key, value in model.state_dict().items()
    }


@pytest.mark.parametrize("kind", ["linear", "conv"])
@pytest.mark.parametrize("name", NAMES)
def test_a_chip_alone_is_as_among_others_bit_for_bit(name: str, kind: str) -> None:
    """Equal inputs and errors, three chips with rates of their own, two devices a weight, columns cut into parts.

    Digital sums of products (`Case.sums`) may be added in another order, and agree to rounding.
    """
    numbers = (4, 7, 11)
    together = run(name, kind, list(numbers), list(RATES))
    for k, (number, rate) in enumerate(zip(numbers, RATES, strict=True)):
        alone = run(name, kind, [number], rate)
        many, one = of_chip(together, k), of_chip(alone, 0)
        assert set(differing(many, one)) <= {key for key in one if key.endswith(case(name).sums)}
        for key in differing(many, one):
            torch.testing.assert_close(many[key], one[key], atol=ROUNDING, rtol=0)
    first, second = (of_chip(together, k) for k in (0, 1))
    apart = [key for key in differing(first, second) if key.endswith(".state")]
    assert len(apart) == sum(key.endswith(".state") for key in first)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_repeats_and_another_does_not(name: str) -> None:
    """With noisy products, two chips; a list of equal rates is the same as one rate."""
    batches = spots(8)
    runs = [
        train(network(busy(name), seed=seed), batches, lr) for seed, lr in ((0, 0.05), (0, [0.05, 0.05]), (1, 0.05))
    ]
    one, again, other = map(held, runs)
    assert not differing(one, again)
    states = [key for key in one if key.endswith((".state", ".counts"))]
    assert set(differing(one, other)) >= set(states)
