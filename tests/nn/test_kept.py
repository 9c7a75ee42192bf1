"""What a layer keeps between backward and step: refused when overwritten, and a warning when never used."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

import mho
from mho.errors import MhoError
from mho.optim import AnalogSGD
from nn.networks import ideal


def model() -> torch.nn.Module:
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.Flatten(), torch.nn.Linear(8, 3))
    return mho.convert_to_analog(net, mho.preset("gokmen-2017"), seed=3)


def test_input_overwritten_before_the_step_is_refused_and_moves_nothing() -> None:
    torch.manual_seed(0)
    net, x = model(), torch.rand(2, 1, 4, 4)
    optimizer = AnalogSGD(net.parameters(), lr=0.1)
    net(x).sum().backward()
    before = copy.deepcopy(net.state_dict())
    x.zero_()
    with pytest.raises(MhoError, match="layer '0': its input was changed in place"):
        optimizer.step()
    assert all(torch.equal(before[k], v) for k, v in net.state_dict().items())


def test_copy_between_backward_and_step_goes_on() -> None:
    net, x = model(), torch.rand(2, 1, 4, 4)
    x.mul_(2)
    net(x).sum().backward()
    twin = copy.deepcopy(net)
    for one in (net, twin):
        AnalogSGD(one.parameters(), lr=0.1).step()
    assert all(torch.equal(a, b) for a, b in zip(net.state_dict().values(), twin.state_dict().values(), strict=True))


def test_torch_optimizer_alone_is_noticed() -> None:
    net, x = model(), torch.rand(2, 1, 4, 4)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)

    def train() -> None:
        for _ in range(4):
            optimizer.zero_grad()
            net(x).sum().backward()
            optimizer.step()

    with pytest.warns(UserWarning, match="its devices never move; step with mho"):
        train()


@pytest.mark.parametrize("layer", [nn.Linear(4, 3), nn.Conv1d(2, 3, 2)])
def test_looking_at_gradients_keeps_nothing(layer: nn.Module) -> None:
    """As in torch, where `autograd.grad` leaves `.grad` alone: a saliency map must not train the network."""
    model = mho.convert_to_analog(layer, ideal())
    x = torch.rand(2, *((4,) if isinstance(layer, nn.Linear) else (2, 4)), requires_grad=True)
    (asked,) = torch.autograd.grad(model(x).sum(), x)
    assert asked.abs().sum() > 0
    model(x).sum().backward(inputs=[x])
    torch.autograd.grad(model(x).sum(), [x, model.pulses])
    assert model.pending == []
    model(x).sum().backward(inputs=[model.pulses])
    model(x).sum().backward()
    assert len(model.pending) == 2
