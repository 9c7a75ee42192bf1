"""Dropout draws from (seed, chip, layer, call): its share, its independence, and its repeatability."""

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

import mho
from mho.nn import ChipDropout
from nn.networks import ideal

ALARM = 1e-3  # two-sided false-alarm rate of each statistical test


def make(p=0.3, kind=nn.Dropout, *, name="drop", seed=0, chips=(0, 1)):
    return ChipDropout(p, kind, name=name, seed=seed, chips=chips)


def masks(layer, shape):
    return layer(torch.ones(shape)) != 0


def check_independent(one, other, p):
    """Fail unless two masks agree as often as independent ones do."""
    agree = int((one == other).sum())
    assert stats.binomtest(agree, one.numel(), p * p + (1 - p) ** 2).pvalue > ALARM


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_share_and_scale(p):
    layer = make(p)
    out = layer(torch.ones(200, 100))
    assert stats.binomtest(int((out == 0).sum()), out.numel(), p).pvalue > ALARM
    np.testing.assert_allclose(out[out != 0].numpy(), 1 / (1 - p), rtol=1e-6)


def test_chips_calls_names_and_seeds_drop_independently():
    layer = make()
    first, second = masks(layer, (200, 50)), masks(layer, (200, 50))
    others = [masks(make(name="other"), (200, 50)), masks(make(seed=1), (200, 50))]
    check_independent(first[:100], first[100:], 0.3)
    for mask in (second, *others):
        check_independent(first, mask, 0.3)
    assert torch.equal(masks(make(), (200, 50)), first)


def test_a_chip_drops_alone_what_it_drops_among_others():
    together = masks(make(chips=(4, 7, 2)), (30, 40)).view(3, 10, 40)
    for k, chip in enumerate((4, 7, 2)):
        assert torch.equal(masks(make(chips=(chip,)), (10, 40)), together[k])


@pytest.mark.parametrize(("kind", "shape"), [(nn.Dropout1d, (6, 50, 3)), (nn.Dropout2d, (6, 50, 3, 2))])
def test_whole_channels(kind, shape):
    mask = masks(make(0.5, kind), shape).flatten(2).float().mean(2)
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    assert stats.binomtest(int(mask.sum()), mask.numel(), 0.5).pvalue > ALARM


def test_gradient_passes_where_values_did():
    layer = make()
    x = torch.ones(20, 30, requires_grad=True)
    out = layer(x)
    out.sum().backward()
    assert torch.equal(x.grad, out.detach())


def test_evaluation_and_extreme_shares():
    x = torch.rand(4, 5)
    assert make().eval()(x) is x
    assert make(0.0)(x) is x
    assert not make(1.0)(x).any()


def test_excluded_dropout_stays_torchs():
    net = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5), nn.Dropout(0.5))
    model = mho.convert_to_analog(net, ideal(), chips=2, exclude=["2"])
    assert isinstance(model[1], ChipDropout)
    assert type(model[2]) is nn.Dropout
