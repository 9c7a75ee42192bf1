"""Zero-shifting whole models: weights kept, training after it, what is refused, what is reported."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn

import mho
from mho.devices import ConstantStep, SoftBounds, Spread, UnipolarSoftBounds
from mho.errors import ConfigError
from mho.optim import AnalogSGD
from mho.update.residual import Residual
from nn.networks import quiet


def soft(ratio=2.0, **fields):
    return SoftBounds(up_down=Spread(ratio, d2d=0.02), **fields)


def network():
    torch.manual_seed(5)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(64, 12), nn.Tanh(), nn.Linear(12, 3))


def model(chips=2, device=None, **changes):
    config = mho.preset("gokmen-2017").with_(device=device or soft()).with_(changes)
    return mho.convert_to_analog(network(), config, chips=chips)


def layers(m):
    return [layer for layer in m.modules() if isinstance(layer, mho.AnalogLayer)]


def train(m, chips=1, steps=60, lr=0.05):
    """Train to tell which third of an image is bright; return the loss of every step."""
    generator = torch.Generator().manual_seed(0)
    optimizer, losses = AnalogSGD(m.parameters(), lr=lr), []
    for _ in range(steps):
        y = torch.randint(3, (16,), generator=generator)
        x = 0.1 * torch.randn(16, 1, 6, 6, generator=generator)
        for k in range(16):
            x[k, 0, 2 * y[k] : 2 * y[k] + 2] += 1.0
        loss = mho.chip_loss(
            lambda o, t: nn.functional.cross_entropy(o, t, reduction="sum"), m(mho.spread(x, chips)), y, chips
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item() / 16 / chips)
    return losses


@pytest.mark.parametrize(
    "mapping", [{}, {"bias": "digital"}, {"scaling": "output"}, {"max_rows": 5, "max_columns": 20}, {"devices": 2}]
)
def test_weights_and_biases_stay_within_the_range_left(mapping):
    m = model(**mapping)
    before = [layer.get_weights() for layer in layers(m)]
    report = mho.zero_shift(m, method="exact")
    for layer, (weight, bias), told in zip(layers(m), before, report.layers, strict=True):
        now, now_bias = layer.get_weights()
        clipped = ~torch.isclose(now, weight, atol=1e-6)
        assert (now.abs() < weight.abs())[clipped].all()
        assert clipped.float().mean() < 0.4  # these small layers have weights of up to 1/3
        if layer.bias is not None:
            assert torch.equal(now_bias, bias)
            if not mapping.get("devices"):
                torch.testing.assert_close(100 * clipped.float().mean((1, 2)), torch.tensor(told.clipped))
        assert layer.clipped == pytest.approx([share / 100 for share in told.clipped])


@pytest.mark.parametrize("shifted", [False, True])
def test_weights_drift_to_the_symmetry_point_unless_it_is_their_zero(shifted):
    """A regression whose noise never ends: the pulses that it causes pull every weight to the symmetry point."""
    config = quiet(bias="none").with_(device=soft(3.0, dw_min=Spread(0.005, d2d=0.1), w_max=0.6, w_min=-0.6))
    layer = mho.AnalogLinear(20, 10, bias=False, config=config, name="regression")
    target = 0.05 * torch.randn(10, 20, generator=torch.Generator().manual_seed(1))
    layer.set_weights(target)
    if shifted:
        mho.zero_shift(layer, method="exact")
    optimizer, generator = AnalogSGD(layer.parameters(), lr=0.01), torch.Generator().manual_seed(2)
    for _ in range(300):
        x, noise = torch.randn(10, 20, generator=generator), torch.randn(10, 10, generator=generator)
        optimizer.zero_grad()
        (0.5 * (layer(x) - x @ target.T - noise).square()).sum().backward()
        optimizer.step()
    pulled = float((layer.weight - target).mean())
    assert abs(pulled) < 0.01 if shifted else 0.05 < pulled < 0.3  # the symmetry point is at 0.3


def test_a_shifted_network_trains():
    m = model(1, soft(3.0, dw_min=Spread(0.01, d2d=0.3)))
    mho.zero_shift(m, pulses=400, write="pulses")
    assert sum(train(m)[-10:]) / 10 < 0.3


def test_all_zero_weights_cannot_learn_so_weights_are_written_back():
    """Without biases and with tanh, no signal passes zero weights in either direction: no device gets a pulse."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(36, 12, bias=False), nn.Tanh(), nn.Linear(12, 3, bias=False))
    m = mho.convert_to_analog(net, quiet().with_(device=soft(c2c=0.0)))
    weights = [layer.get_weights()[0].clone() for layer in layers(m)]
    mho.zero_shift(m, method="exact")
    for layer, weight in zip(layers(m), weights, strict=True):
        assert torch.isclose(layer.get_weights()[0], weight, atol=1e-6).float().mean() > 0.97
        layer.set_weights(torch.zeros_like(weight))
    losses = train(m, steps=5)
    assert all(tile.totals.tolist() == [0] for layer in layers(m) for tile in layer.analog_tiles())
    assert losses[-1] == pytest.approx(losses[0])


def test_pulses_reach_the_symmetry_point_that_the_report_compares_with():
    report = mho.zero_shift(model(3), pulses=(200, 4000, 20_000))
    for layer in report.layers:
        first, second, third = layer.residual
        assert first < second < -1e-5  # references come from below the symmetry point
        assert abs(third) < 0.003
        assert layer.spread[0] > layer.spread[1] > layer.spread[2]
        assert layer.residual_steps[1] == pytest.approx(second / 0.001, rel=0.01)
        assert layer.pulses == (200, 4000, 20_000)
        assert -0.95 < layer.low[2] < -0.6 < 0.2 < layer.high[2] < 0.6


def test_a_report_prints_and_is_plain_values():
    report = mho.zero_shift(model(3), method=("exact", "none", "pulses"), pulses=100, write="pulses")
    text = str(report)
    for word in ("layer", "residual", "clipped %", "exact", "none", "pulses"):
        assert word in text
    assert len(text.splitlines()) == 1 + 3 * 3
    assert json.loads(json.dumps(report.as_dict(), allow_nan=False))["0"]["method"] == ["exact", "none", "pulses"]
    assert [layer.name for layer in report.layers] == ["0", "3", "5"]


def test_without_symmetry_points_nothing_is_compared():
    report = mho.zero_shift(model(device=ConstantStep(up_down=Spread(3.0))), pulses=100)
    assert report.layers[0].missing == (100, 100)
    row = str(report).splitlines()[1].split()
    assert row[:9] == ["0", "pulses", "2", "100", "-", "-", "-", "-", "100.000"]


def test_references_are_saved_with_the_model():
    m, other = model(), model()
    mho.zero_shift(m, pulses=200)
    other.load_state_dict(m.state_dict())
    assert train(m, 2, steps=3) == train(other, 2, steps=3)
    for a, b in zip(layers(m), layers(other), strict=True):
        assert torch.equal(a.get_weights()[0], b.get_weights()[0])


def test_what_cannot_be_shifted_is_refused_and_left_as_it_is():
    with pytest.raises(ConfigError, match="Sequential without analog layers"):
        mho.zero_shift(network())
    with pytest.raises(ConfigError, match="NoneType without analog layers"):
        mho.zero_shift(None)
    ideal = mho.convert_to_analog(network(), mho.preset("ideal"))
    with pytest.raises(ConfigError, match=r"layer '0' has update\.trains"):
        mho.zero_shift(ideal, method="exact")
    m = model(device=soft(shifted=True))
    with pytest.raises(ConfigError, match=r"layer '0' is made of SoftBounds with shifted = true.*force=True"):
        mho.zero_shift(m)
    with pytest.raises(ConfigError, match="pulses lists 3 values, but there are 2 chips"):
        mho.zero_shift(model(), pulses=(2, 4, 6))
    assert all(tile.reference is None for layer in layers(m) for tile in layer.analog_tiles())
    mho.zero_shift(m, force=True, pulses=20)
    assert all(tile.reference is not None for layer in layers(m) for tile in layer.analog_tiles())


def test_an_optimizer_that_holds_the_model_goes_on():
    m = model(1)
    optimizer = AnalogSGD(m.parameters(), lr=0.05)
    state = optimizer.state_dict()
    mho.zero_shift(m, pulses=100)
    assert optimizer.state_dict() == state
    assert {id(p) for p in m.parameters()} == {id(p) for g in optimizer.param_groups for p in g["params"]}


@pytest.mark.parametrize(
    "layout",
    [
        {"device": UnipolarSoftBounds(), "cell.pair": "one-sided"},
        {"cell.pair": "differential"},
        {"cell.reference": "column"},
    ],
)
def test_cells_with_a_reference_of_their_own_are_refused_by_name(layout):
    m = mho.convert_to_analog(network(), mho.preset("gokmen-2017").with_(layout))
    with pytest.raises(ConfigError, match=r"layer '0'.*array '0\[0,0\]' has cell\.(pair|reference)"):
        mho.zero_shift(m)
    with pytest.raises(ConfigError, match=r"zero_shift: was asked for, but the layout has analog\.cell\."):
        mho.RunConfig(analog=layers(m)[0].config, zero_shift=mho.ZeroShift())


def test_every_array_of_a_rule_is_shifted_and_the_weights_are_those_of_before():
    m = model(**{"rule": Residual(gamma=0.3), "device.up_down": 1.2})
    before = [layer.get_weights()[0].clone() for layer in layers(m)]
    mho.zero_shift(m, method="exact")
    for layer, weight in zip(layers(m), before, strict=True):
        now = layer.get_weights()[0]
        assert torch.isclose(now, weight, atol=1e-5).float().mean() > 0.6
        for array in layer.analog_arrays():
            assert array.tile_list[0].reference.abs().max() > 0.01
