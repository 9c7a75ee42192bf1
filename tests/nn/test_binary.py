"""Binarised layers, the bit errors they learn with, and models whose chips have weights of their own.

The statistical test is two-sided with a false-alarm rate of 1e-4, at a fixed seed.
"""

from __future__ import annotations

import copy

import pytest
import torch
from scipy.stats import binom
from torch import nn

from mho.errors import ConfigError, ShapeError
from mho.nn import spread
from mho.nn.binary import BinaryConv2d, BinaryLinear, Sign, flipped, signs, stored_signs, train_with_errors_
from mho.nn.stored import with_weights
from mho.tiles.draw import TileDraw


def network() -> nn.Sequential:
    """Return a small binarised network with a convolution."""
    torch.manual_seed(0)
    return nn.Sequential(
        BinaryConv2d(1, 3, 3), nn.BatchNorm2d(3), Sign(), nn.Flatten(), BinaryLinear(3 * 4 * 4, 5, bias=True)
    )  # fmt: skip


def test_products_are_those_of_signs() -> None:
    x, linear, conv = torch.randn(4, 6), BinaryLinear(6, 3, bias=True), BinaryConv2d(2, 3, 3, padding=1)
    assert torch.equal(linear(x), nn.functional.linear(x, signs(linear.weight), linear.bias))
    images = torch.randn(2, 2, 5, 5)
    assert torch.equal(conv(images), nn.functional.conv2d(images, signs(conv.weight), padding=1))
    assert linear.bias is not None
    assert conv.bias is None


def test_the_sign_is_never_zero_and_its_gradient_stops_outside_of_one() -> None:
    x = torch.tensor([-2.0, -1.0, -0.0, 0.0, 0.5, 1.0, 1.5], requires_grad=True)
    y = Sign()(x)
    assert y.tolist() == [-1, -1, 1, 1, 1, 1, 1]
    (y * torch.arange(1.0, 8.0)).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0, 2, 3, 4, 5, 6, 0]


def test_latent_weights_get_the_gradient_of_the_signs_and_stay_within_one() -> None:
    layer = BinaryLinear(2, 1)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[3.0, -0.2]]))
    layer(torch.tensor([[2.0, 5.0]])).sum().backward()
    assert layer.weight.tolist() == [[1.0, pytest.approx(-0.2)]]
    assert layer.weight.grad is not None
    assert layer.weight.grad.tolist() == [[2.0, 5.0]]
    layer.eval()
    with torch.no_grad():
        layer.weight.fill_(3.0)
    layer(torch.ones(1, 2))
    assert layer.weight.tolist() == [[3.0, 3.0]], "evaluating must not move weights"


def test_a_binarised_network_learns() -> None:
    torch.manual_seed(1)
    x = torch.randn(256, 20)
    y = (x @ torch.randn(20) > 0).long()
    net = nn.Sequential(BinaryLinear(20, 64), nn.BatchNorm1d(64), Sign(), BinaryLinear(64, 2), nn.BatchNorm1d(2))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(100):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()
    assert (net.eval()(x).argmax(1) == y).float().mean() > 0.95


def test_bits_flip_in_training_only_and_otherwise_each_time() -> None:
    layer = BinaryLinear(200, 300)
    net = train_with_errors_(nn.Sequential(layer), 0.05, seed=3)
    eye = torch.eye(200)
    clean = signs(layer.weight).T
    first, second = net(eye), net(eye)
    low, high = binom.ppf([5e-5, 1 - 5e-5], clean.numel(), 0.05)
    assert low <= int((first != clean).sum()) <= high
    assert not torch.equal(first, second)
    assert torch.equal(net.eval()(eye), clean)
    other = train_with_errors_(copy.deepcopy(net), 0.05, seed=3).train()
    assert torch.equal(other(eye), first), "the draws follow from seed, layer and call"
    net.load_state_dict(other.state_dict())
    assert torch.equal(net.train()(eye), second), "a resumed training goes on with the next draws"


def test_gradients_pass_flipped_bits_as_they_were_read() -> None:
    layer = BinaryLinear(50, 40)
    train_with_errors_(nn.Sequential(layer), 0.3)
    x = torch.randn(1, 50)
    layer(x).sum().backward()
    assert layer.weight.grad is not None
    assert torch.equal(layer.weight.grad, x.expand(40, 50))


def test_every_chip_computes_with_what_it_read() -> None:
    net, x = network(), torch.randn(4, 1, 6, 6)
    net(x)  # batch statistics
    draws = {name: TileDraw(0, (0, 7), name, (1, 1, 1)).keys("flip") for name in ("0", "4")}
    read = stored_signs(net, lambda name, bits: flipped(bits, 0.2, draws[name]))
    made = with_weights(net, read)
    out = made(spread(x, 2)).view(2, 4, 5)
    for chip in range(2):
        one = copy.deepcopy(net).eval()
        with torch.no_grad():
            for name in ("0", "4"):
                one.get_submodule(name).weight.copy_(read[name][chip].float())  # type: ignore[operator, union-attr]
        torch.testing.assert_close(out[chip], one(x))
    assert not torch.equal(out[0], out[1])
    alone = flipped(signs(net[4].weight.detach()), 0.2, draws["4"][1:])
    assert torch.equal(alone[0], read["4"][1])


def test_weights_that_do_not_fit_are_refused() -> None:
    net = network()
    with pytest.raises(ShapeError, match=r"layer '4': weights of shape \(2, 5, 47\)"):
        with_weights(net, {"4": torch.ones(2, 5, 47)})
    with pytest.raises(ShapeError, match="does not have"):
        with_weights(net, {"fc": torch.ones(2, 5, 48)})
    with pytest.raises(ShapeError, match="different numbers of chips"):
        with_weights(net, {"0": torch.ones(1, 3, 1, 3, 3), "4": torch.ones(2, 5, 48)})
    with pytest.raises(ConfigError, match=r"below 0\.5"):
        train_with_errors_(net, 0.5)
