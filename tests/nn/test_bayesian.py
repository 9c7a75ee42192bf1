"""Bayesian layers: what they draw in training, their divergence from the prior, and what they learn.

Statistical tests are two-sided with a false-alarm rate of 1e-4 each, at fixed seeds.
"""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import chi2, norm
from torch import nn

from mho.errors import ConfigError
from mho.nn.bayesian import (
    BayesianConv2d,
    BayesianLinear,
    bayesian_layers,
    divergence,
    posterior,
    variational_loss,
)  # fmt: skip

ALARM = 1e-4


def assert_normal(values: torch.Tensor, mean: float, std: float) -> None:
    """Fail where the mean or the variance of normal draws is not as stated."""
    n, z = values.numel(), (values.double() - mean) / std
    assert abs(float(z.mean())) < norm.ppf(1 - ALARM / 2) / math.sqrt(n), (
        f"the mean is off by {float(z.mean()):.4f} std"
    )
    low, high = chi2.ppf([ALARM / 2, 1 - ALARM / 2], n)
    assert low < float(z.square().sum()) < high, f"the variance is {float(z.square().mean()):.4f} of what it should be"


def test_comparing_with_a_normal_can_fail() -> None:
    z = torch.from_numpy(np.random.default_rng(0).standard_normal(20_000))
    assert_normal(z, 0.0, 1.0)
    with pytest.raises(AssertionError, match="mean is off"):
        assert_normal(z, 0.05, 1.0)
    with pytest.raises(AssertionError, match="variance is"):
        assert_normal(z, 0.0, 1.05)


@pytest.mark.parametrize("floor", [0.0, 0.5])
def test_outputs_scatter_as_if_every_weight_were_drawn(floor: float) -> None:
    torch.manual_seed(0)
    layer = BayesianLinear(7, 1, name="a", std=0.3, floor=floor)
    x = torch.randn(7)
    mean, std = posterior(layer)
    expected = float(layer.eval()(x).detach())
    spread = float((std[0] * x).square().sum().sqrt())
    assert std[0].tolist() == pytest.approx((0.09 + (floor * mean[0]) ** 2).sqrt().tolist(), rel=1e-5)
    assert_normal(layer.train()(x.expand(40_000, -1)).detach(), expected, spread)


def test_convolutions_draw_like_linear_layers() -> None:
    """A convolution whose kernel covers the image is a linear layer."""
    torch.manual_seed(1)
    conv, linear = BayesianConv2d(2, 4, 3, name="a", std=0.2), BayesianLinear(18, 4, name="a", std=0.2)
    linear.load_state_dict({k: v.view(linear.state_dict()[k].shape) for k, v in conv.state_dict().items()})
    x = torch.randn(5, 2, 3, 3)
    torch.testing.assert_close(conv(x).flatten(1), linear(x.flatten(1)))
    assert not torch.equal(conv(x), conv(x)), "every call draws anew"
    assert torch.equal(conv.eval()(x), conv(x))


def test_draws_follow_from_seed_name_and_call() -> None:
    torch.manual_seed(2)
    layer = BayesianLinear(4, 3, name="a", seed=5)
    other, x = copy.deepcopy(layer), torch.randn(2, 4)
    first, second = layer(x), layer(x)
    assert torch.equal(other(x), first)
    fresh = BayesianLinear(4, 3, name="a", seed=5)
    fresh.load_state_dict(other.state_dict())
    assert torch.equal(fresh(x), second), "a resumed training goes on with the next draws"
    named = BayesianLinear(4, 3, name="b", seed=5)
    named.load_state_dict(other.state_dict())
    assert not torch.equal(named(x), second)


def test_the_divergence_is_that_of_two_gaussians() -> None:
    layer = BayesianLinear(1, 1, name="a", std=0.4)
    with torch.no_grad():
        layer.weight.fill_(0.3)
    q, p = norm(0.3, 0.4), norm(0.0, 0.7)
    integral, _ = quad(lambda w: q.pdf(w) * (q.logpdf(w) - p.logpdf(w)), -4, 4)
    assert float(divergence(nn.Sequential(layer), 0.7).detach()) == pytest.approx(integral, rel=1e-5)
    loss = variational_loss(layer, samples=10, prior=0.7, weight=0.5)
    out, y = torch.tensor([[1.0, 0.0]]), torch.tensor([0])
    assert float(loss(out, y).detach()) == pytest.approx(math.log(1 + math.exp(-1)) + 0.05 * integral, rel=1e-5)


def test_the_posterior_of_a_linear_model_is_the_known_one() -> None:
    """Noise of variance 1 and orthogonal inputs: every weight's posterior is N(n y / (n + 1/p^2), 1 / (n + 1/p^2))."""
    layer = BayesianLinear(2, 1, name="a", std=0.1)
    with torch.no_grad():
        layer.bias.zero_()
    layer.bias.requires_grad_(False)
    n, prior = 50, 0.5
    x = torch.eye(2).repeat(n, 1)
    y = torch.tensor([0.8, -0.4]).repeat(n)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.01)
    for _ in range(1500):
        optimizer.zero_grad()
        (0.5 * (layer(x)[:, 0] - y).square().sum() + divergence(layer, prior)).backward()
        optimizer.step()
        for group in optimizer.param_groups:
            group["lr"] *= 0.998
    mean, std = posterior(layer)
    precision = n + 1 / prior**2
    assert mean[0].tolist() == pytest.approx([n * 0.8 / precision, -n * 0.4 / precision], abs=0.02)
    assert std[0].tolist() == pytest.approx([precision**-0.5] * 2, rel=0.05)


def test_impossible_spreads_are_refused() -> None:
    with pytest.raises(ConfigError, match="layer 'a' were to begin"):
        BayesianLinear(2, 2, name="a", std=0.0)
    with pytest.raises(ConfigError, match="over 0 Bayesian layers"):
        divergence(nn.Linear(2, 2), 1.0)
    with pytest.raises(ConfigError, match="a prior above 0"):
        divergence(BayesianLinear(2, 2, name="a"), 0.0)
    assert list(bayesian_layers(nn.Sequential(nn.ReLU(), BayesianLinear(2, 2, name="a")))) == ["1"]
