"""The mean of a pulsed update is SGD's step of the weight, whatever stands between devices and weights."""

import numpy as np
import pytest
import torch
from scipy import stats

from mho import AnalogConfig, Periphery, Update
from mho.nn import AnalogConv2d, AnalogLinear, spread
from mho.optim import AnalogSGD
from nn.networks import quiet, wide

CHIPS = 400
RATE = 0.006  # at most 24 pulses a vector: trains of 31 slots hold them all
MAPPINGS = [
    {},
    {"scaling": "fixed", "scale": 0.25},
    {"scaling": "output", "fill": 0.01},
    {"scaling": "tile", "fill": 0.01, "max_rows": 2, "max_columns": 3},
    {"devices": 3, "combine": "average"},
    {"devices": 2, "combine": "sum"},
    {"devices": 3, "combine": "average", "pulsed": "random"},
    {"devices": 2, "combine": "sum", "pulsed": "turn"},
    {"bias": "digital", "max_columns": 2},
]


def check_mean(changes, expected, alarm=1e-3):
    """Fail unless the mean over chips is as expected, two-sided, `alarm` the false-alarm rate for all."""
    changes, expected = changes.double().numpy(), expected.double().numpy()
    chips = changes.shape[0]
    error = changes.std(axis=0, ddof=1) / chips**0.5
    limit = stats.norm.isf(alarm / 2 / expected.size)
    slack = 1e-6 * (1 + np.abs(expected))  # a weight whose trains are always full does not vary at all
    assert (np.abs(changes.mean(axis=0) - expected) <= limit * error + slack).all()
    assert np.abs(expected).max() > 3 * (limit * error).max()  # the test sees a change of a third


@pytest.mark.parametrize("mapping", MAPPINGS, ids=str)
def test_linear_moves_as_sgd_on_average(mapping):
    x, d = torch.rand(4, 5) * 2 - 1, torch.rand(4, 3) * 2 - 1
    layer = AnalogLinear(5, 3, config=quiet(**mapping), name="layer", chips=CHIPS)
    before, bias = layer.get_weights()
    opt = AnalogSGD(layer.parameters(), lr=RATE)
    layer(spread(x, CHIPS)).backward(spread(d, CHIPS))
    opt.step()
    after, bias_after = layer.get_weights()
    check_mean(after - before, -RATE * d.T @ x)
    check_mean((bias_after - bias).unsqueeze(1), -RATE * d.sum(0).unsqueeze(0))


def test_convolution_moves_as_sgd_on_average():
    layer = AnalogConv2d(2, 3, 2, config=quiet(scaling="fixed", scale=0.5), name="conv", chips=CHIPS, groups=1)
    x, d = torch.rand(2, 2, 3, 3), torch.rand(2, 3, 2, 2) * 0.5 - 0.25
    plain = torch.nn.Conv2d(2, 3, 2)
    plain(x).backward(d)
    before = layer.get_weights()[0]
    layer(spread(x, CHIPS)).backward(spread(d, CHIPS))
    AnalogSGD(layer.parameters(), lr=0.02).step()
    check_mean(layer.get_weights()[0] - before, -0.02 * plain.weight.grad.flatten(1))


def test_learning_rate_per_chip_and_device_list_move_each_chip_by_its_own():
    """Chips 0 to 199 have twice the rate and another step size; each moves as its own rate says."""
    n = CHIPS // 2
    config = AnalogConfig(
        device=wide(dw_min=[0.001] * n + [0.002] * n), forward=Periphery(ideal=True), update=Update(bl=31)
    )
    layer = AnalogLinear(5, 3, config=config, name="layer", chips=CHIPS)
    x, d = torch.rand(4, 5) * 2 - 1, torch.rand(4, 3) * 2 - 1
    before = layer.get_weights()[0]
    layer(spread(x, CHIPS)).backward(spread(d, CHIPS))
    AnalogSGD(layer.parameters(), lr=[0.02] * n + [0.01] * n).step()
    moved = layer.get_weights()[0] - before
    check_mean(moved[:n], -0.02 * d.T @ x)
    check_mean(moved[n:], -0.01 * d.T @ x)
    pulses = torch.stack([t.totals for t in layer.analog_tiles()]).sum(0).double()
    assert pulses[:n].mean() / pulses[n:].mean() == pytest.approx(4, rel=0.02)


def test_expected_change_is_not_what_another_rate_gives():
    """The z-test itself notices a learning rate that is 10 % off."""
    layer = AnalogLinear(5, 3, config=quiet(), name="layer", chips=CHIPS)
    x, d = torch.rand(4, 5) * 2 - 1, torch.rand(4, 3) * 2 - 1
    before = layer.get_weights()[0]
    layer(spread(x, CHIPS)).backward(spread(d, CHIPS))
    AnalogSGD(layer.parameters(), lr=0.022).step()
    with pytest.raises(AssertionError):
        check_mean(layer.get_weights()[0] - before, -0.02 * d.T @ x)
