"""Batch normalisation by L1 and TopK deviations: statistics against NumPy, copies per chip, what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import mho
from mho.errors import ConfigError, ShapeError
from mho.nn import L1BatchNorm1d, L1BatchNorm2d, TopKBatchNorm1d, TopKBatchNorm2d

KINDS = [(L1BatchNorm1d, (9, 5)), (L1BatchNorm1d, (9, 5, 4)), (L1BatchNorm2d, (6, 5, 4, 3)),
         (TopKBatchNorm1d, (19, 5)), (TopKBatchNorm2d, (6, 5, 4, 3))]  # fmt: skip


def by_hand(layer: Any, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return output, mean and deviation of a training batch, channel by channel."""
    out, means, deviations = np.empty_like(x), [], []
    for c in range(x.shape[1]):
        values = x[:, c].ravel()
        distance = np.abs(values - values.mean())
        if isinstance(layer, (L1BatchNorm1d, L1BatchNorm2d)):
            d = np.sqrt(np.pi / 2) * distance.mean()
        else:
            n = values.size
            constant = 0.5 * (1 + np.sqrt(np.pi * np.log(4))) / np.sqrt(2 * np.log(n))
            d = constant * np.sort(distance)[-10:].mean()
        out[:, c] = (x[:, c] - values.mean()) / (d + 1e-5)
        means.append(values.mean())
        deviations.append(d)
    return out, np.array(means), np.array(deviations)


@pytest.mark.parametrize(("kind", "shape"), KINDS)
def test_statistics_are_those_of_the_formulas(kind: Any, shape: tuple[int, ...]) -> None:
    layer = kind(5).double()
    with torch.no_grad():
        layer.weight.copy_(torch.linspace(0.5, 2, 5))
        layer.bias.copy_(torch.linspace(-1, 1, 5))
    x = np.random.default_rng(0).normal(1.5, 2.0, shape)
    out, mean, deviation = by_hand(layer, x)
    channels = (1, 5, *[1] * (len(shape) - 2))
    gain, bias = (p.detach().numpy().reshape(channels) for p in (layer.weight, layer.bias))
    np.testing.assert_allclose(layer(torch.tensor(x)).detach(), out * gain + bias, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(layer.running_mean, 0.1 * mean, rtol=1e-12)
    np.testing.assert_allclose(layer.running_deviation, 0.9 + 0.1 * deviation, rtol=1e-12)
    layer.eval()
    running = (x - 0.1 * mean.reshape(channels)) / (0.9 + 0.1 * deviation.reshape(channels) + 1e-5)
    np.testing.assert_allclose(layer(torch.tensor(x)).detach(), running * gain + bias, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("kind", "ratio"), [(L1BatchNorm1d, 1.0), (TopKBatchNorm1d, 1.27)])
def test_the_deviations_of_normal_values_are_near_the_standard_deviation(kind: Any, ratio: float) -> None:
    x, layer = torch.randn(10_000, 8) * torch.logspace(-2, 2, 8), kind(8, momentum=1.0)
    layer(x)
    torch.testing.assert_close(layer.running_deviation, ratio * x.std(0), rtol=0.06, atol=0)


@pytest.mark.parametrize(("kind", "shape"), KINDS)
def test_gradients_pass_through_the_statistics(kind: Any, shape: tuple[int, ...]) -> None:
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(kind(5).double(), (x,), eps=1e-7, atol=1e-5)


@pytest.mark.parametrize("kind", [L1BatchNorm2d, TopKBatchNorm2d])
def test_every_chip_has_its_own_copy_and_statistics(kind: Any) -> None:
    """Two chips together learn the statistics that each learns alone, and the way back leads to the layer."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 3, 3), kind(3), nn.Flatten(), nn.Linear(48, 2))
    x = torch.rand(2, 4, 1, 6, 6)
    config = mho.AnalogConfig()
    both = mho.convert_to_analog(net, config, chips=2)
    together = both(x.flatten(0, 1))
    for chip in range(2):
        alone = mho.convert_to_analog(net, config, chips=[chip])
        torch.testing.assert_close(together[4 * chip : 4 * chip + 4], alone(x[chip]), rtol=1e-5, atol=1e-5)
        back = mho.convert_to_digital(both, chip=chip)
        assert type(back[1]) is kind
        torch.testing.assert_close(back[1].running_deviation, alone[1].running_deviation, rtol=1e-5, atol=1e-6)
    assert not torch.equal(both[1].copies[0].running_mean, both[1].copies[1].running_mean)
    assert "2 copies" in str(mho.summary(both))


def test_it_is_an_ordinary_module() -> None:
    layer, other = TopKBatchNorm2d(3, k=4), TopKBatchNorm2d(3, k=4)
    layer(torch.rand(4, 3, 2, 2))
    other.load_state_dict(layer.state_dict())
    assert torch.equal(other.running_deviation, layer.running_deviation)
    assert sorted(layer.state_dict()) == ["bias", "running_deviation", "running_mean", "weight"]
    other.reset_parameters()
    assert torch.equal(other.running_deviation, torch.ones(3))
    assert repr(layer) == "TopKBatchNorm2d(3, k=4, eps=1e-05, momentum=0.1)"


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"L1BatchNorm2d\(3\) takes inputs of 4 dimensions with 3 channels"):
        L1BatchNorm2d(3)(torch.rand(4, 2, 5, 5))
    with pytest.raises(ShapeError, match="2 or 3 dimensions"):
        L1BatchNorm1d(3)(torch.rand(4, 3, 5, 5))
    with pytest.raises(ShapeError, match="one value per channel has no deviation"):
        L1BatchNorm1d(3)(torch.rand(1, 3))
    L1BatchNorm1d(3).eval()(torch.rand(1, 3))
    with pytest.raises(ConfigError, match="k at least 1, found 0"):
        TopKBatchNorm1d(3, k=0)
    with pytest.raises(ConfigError, match="at least 1 feature"):
        L1BatchNorm1d(0)
