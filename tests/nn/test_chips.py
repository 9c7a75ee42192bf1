"""Chips: what a chip does among others it does alone; differences are roundings at a threshold, counted."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import mho
from mho import AnalogConfig, Cell, Mapping, Periphery, Update
from mho.devices import ConstantStep, Faults, SoftBounds, Spread
from mho.errors import ConfigError, ShapeError
from mho.kernels import cpu
from mho.kernels.cells import Scheme
from mho.kernels.reference import draws, key_of, thresholds, trains
from mho.nn import AnalogConv2d, AnalogLinear
from mho.optim import AnalogSGD
from nn.networks import close

DW = (0.001, 0.002, 0.0015)
RATES = (0.02, 0.01, 0.03)
BOUNDS = (4.0, 6.0, 12.0)
FINE = 16
"""ADC bits with which some codes do flip: at 9 bits a rounding crosses an edge once in millions of codes."""


def config(chip=None, adc_bits=9, **changes):
    """Return settings with lists over three chips, or those of one of them."""

    def pick(values):
        return list(values) if chip is None else values[chip]

    device = SoftBounds(dw_min=Spread(pick(DW), d2d=0.3), c2c=pick((0.1, 0.3, 0.2)), write_noise=pick((0.0, 1.0, 2.0)))
    forward = Periphery(output_noise=pick((0.02, 0.06, 0.04)), output_bound=pick(BOUNDS), adc_bits=adc_bits)
    return AnalogConfig(**{"device": device, "forward": forward} | changes)


def layers(columns=24, **options):
    """Return a layer on chips 0, 1, 2 and the three layers that hold one of them each."""
    with torch.random.fork_rng():
        torch.manual_seed(4)
        net = nn.Linear(columns, 10)
    together = mho.convert_to_analog(nn.Sequential(net), config(**options), chips=3)[0]
    alone = [mho.convert_to_analog(nn.Sequential(net), config(k, **options), chips=[k])[0] for k in range(3)]
    return together, alone


def test_a_chip_draws_the_same_parameters_and_starts_with_the_same_weights():
    together, alone = layers(mapping=Mapping(max_columns=9), cell=Cell(devices=2))
    for k, layer in enumerate(alone):
        for one, many in zip(layer.analog_tiles(), together.analog_tiles(), strict=True):
            for name in (
                "state",
                "cell_rate_up",
                "cell_rate_down",
                "cell_top",
                "cell_bottom",
                "cell_c2c",
                "combined",
            ):
                assert torch.equal(one.get_buffer(name)[0], many.get_buffer(name)[k]), name


@pytest.mark.parametrize("pulsed", ["all", "random", "turn"])
@pytest.mark.parametrize("trains", ["stochastic", "deterministic"])
def test_equal_x_and_d_give_equal_updates_bit_for_bit(pulsed, trains):
    options = {"mapping": Mapping(max_rows=6), "cell": Cell(devices=2, pulsed=pulsed), "update": Update(trains=trains)}
    together, alone = layers(**options)
    x, d = torch.randn(3, 7, 24), torch.randn(1, 3, 7, 10) * 0.1
    together.keep(x, d)
    together.apply_(together.check(list(RATES)), list(RATES))
    for k, layer in enumerate(alone):
        layer.keep(x[k : k + 1].contiguous(), d[:, k : k + 1].contiguous())
        layer.apply_(layer.check(RATES[k]), RATES[k])
        for one, many in zip(layer.analog_tiles(), together.analog_tiles(), strict=True):
            assert one.totals[0] == many.totals[k]
            assert one.totals[0] > 0
            assert torch.equal(one.visible[0], many.visible[k])
            for name in ("counts", "state"):
                assert torch.equal(one.get_buffer(name)[0], many.get_buffer(name)[k]), name


def other_sums(x, weights, out=None, **precision):
    """Return products summed in another order, for machines where one chip's sums are those of many."""
    half = x.shape[2] // 2
    last = torch.bmm(x[:, :, half:], weights[:, :, half:].transpose(1, 2))
    sums = torch.bmm(x[:, :, :half], weights[:, :, :half].transpose(1, 2)) + last
    return sums if out is None else out.copy_(sums)


@pytest.mark.parametrize("sums", ["own", "other"])
def test_codes_of_a_chip_differ_only_within_rounding_of_an_edge(sums, monkeypatch):
    """Over 60,000 outputs of chips together and alone, codes that differ are counted: each is at an edge."""
    together, alone = layers(400, adc_bits=FINE)
    x = torch.randn(3 * 2000, 400) * 0.3
    out = together(x).view(3, 2000, 10).detach()
    if sums == "other":
        monkeypatch.setattr("mho.periphery.product.matmul", other_sums)
    differing = 0
    for k, layer in enumerate(alone):
        mine = x.view(3, 2000, 400)[k]
        one = layer(mine).detach()
        steps = 2 * BOUNDS[k] / (2**FINE - 2)
        scale = mine.abs().amax(1, keepdim=True).clamp_min(1.0)
        codes = (out[k] - one) / scale / steps
        jumps = codes.round()
        assert (codes - jumps).abs().max() < 0.05
        assert jumps.abs().max() <= 1
        differing += int((jumps != 0).sum())
        for v, r in (jumps != 0).nonzero().tolist():
            value = _before_adc(layer, mine[v], r, v, 0)
            assert abs(value / steps - np.floor(value / steps) - 0.5) * steps < 2e-6
    print(f"{differing} of 60000 codes differ")
    assert (sums == "other") <= differing < 600


def _before_adc(layer, x, row, vector, call):
    """Return the value of one output before the ADC, by the reference."""
    from mho.periphery import reference

    tile = layer.analog_tiles()[0]
    stream = reference.Stream(tile.role_keys["forward"][0].numpy().view(np.uint32), call, vector)
    numbers = reference.constants(layer.config.forward, 1, 0)
    outcome = reference.product_of_vector(
        layer.config.forward, tile.visible[0].numpy(), x.numpy(), stream, numbers=numbers, bias=True
    )
    return outcome.before[row]


def network():
    """Return a network with batch norm, dropout and a digital head (to be excluded)."""
    with torch.random.fork_rng():
        torch.manual_seed(8)
        return nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Tanh(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.25),
            nn.Linear(36, 12), nn.Sigmoid(), nn.Linear(12, 3),
        )  # fmt: skip


def step(model, opt, x, y):
    n = len(model.chips)
    opt.zero_grad()
    out = model(mho.spread(x, n))
    mho.chip_loss(lambda o, t: F.cross_entropy(o, t, reduction="sum"), out, y).backward()
    opt.step()
    return out.detach()


def run(chips, settings, rate, steps, exclude=("8",)):
    model = mho.convert_to_analog(network(), settings, chips=chips, exclude=exclude)
    opt = AnalogSGD(model.parameters(), lr=rate)
    generator = torch.Generator().manual_seed(2)
    for _ in range(steps):
        x = torch.rand(6, 1, 8, 8, generator=generator)
        step(model, opt, x, torch.randint(3, (6,), generator=generator))
    return model


def test_three_chips_together_train_as_three_runs_apart_ideal():
    """Without thresholds only the order of sums differs: 20 steps agree to 1e-4 (roundings grow)."""
    ideal = {"forward": Periphery(ideal=True), "update": Update(trains="ideal")}
    device = ConstantStep(w_max=Spread((0.8, 0.6, 1.0), d2d=0.3))
    alone_device = [ConstantStep(w_max=Spread(w, d2d=0.3)) for w in (0.8, 0.6, 1.0)]
    together = run(3, AnalogConfig(device=device, **ideal), list(RATES), 20)
    for k in range(3):
        alone = run([k], AnalogConfig(device=alone_device[k], **ideal), RATES[k], 20)
        one = mho.convert_to_digital(alone).state_dict()
        many = mho.convert_to_digital(together, chip=k).state_dict()
        for name, value in one.items():
            close(value, many[name], 1e-4)
        start = network().state_dict()
        assert (one["0.weight"] - start["0.weight"]).abs().max() > 0.003
        assert (one["1.running_mean"] - start["1.running_mean"]).abs().max() > 0.01
        assert (one["8.weight"] - start["8.weight"]).abs().max() > 0.01


def test_three_chips_together_train_as_three_runs_apart():
    """With everything on, runs stay equal until a rounding crosses a threshold.

    After 8 steps pulses per chip agree to 2 %, and other chips are at least 5 times further apart.
    (A code that flips moves one weight by a pulse or two and spreads from there.)
    """
    steps = 8
    together = run(3, config(), list(RATES), steps)
    for k in range(3):
        alone = run([k], config(k), RATES[k], steps)
        for i in (0, 6):
            one, many = alone[i].get_weights()[0][0], together[i].get_weights()[0][k]
            apart = (one - many).abs().mean()
            other = (alone[i].get_weights()[0][0] - together[i].get_weights()[0][(k + 1) % 3]).abs().mean()
            assert apart < 0.2 * other
            mine, its = (sum(int(t.totals[c]) for t in m[i].analog_tiles()) for m, c in ((alone, 0), (together, k)))
            assert mine == pytest.approx(its, rel=0.02)
        drops = (together[5], alone[5])
        assert drops[0].calls == drops[1].calls == steps


@pytest.mark.parametrize("sums", ["own", "other"])
def test_one_step_differs_only_at_thresholds(sums, monkeypatch):
    """A whole step of a linear layer: x and d of chips together and alone, and the train bits that differ."""
    together, alone = layers(400, adc_bits=FINE)
    x = torch.randn(300, 400) * 0.3
    target = torch.randn(300, 10)
    held = []
    for layer, n in ((together, 3), *((one, 1) for one in alone)):
        out = layer(mho.spread(x, n))
        mho.chip_loss(lambda o, t: 0.05 * (o - t).square().sum(), out, target, n).backward()
        held.append(layer.pending[0])
        if sums == "other":
            monkeypatch.setattr("mho.periphery.product.matmul", other_sums)
    bits = differing = 0
    for k, layer in enumerate(alone):
        (many_x, many_d), (one_x, one_d) = held[0], held[1 + k]
        assert torch.equal(many_x[k], one_x[0])
        # d = 0.1 (y - t): an ADC code that flips moves it by one step, everything else by rounding.
        code = 0.1 * 2 * BOUNDS[k] / (2**FINE - 2) * x.abs().amax(1, keepdim=True).clamp_min(1)
        off = (many_d[0, k] - one_d[0, 0]).abs()
        assert ((off < 1e-6) | ((off - code).abs() < 1e-6)).all()
        found = compare_trains(together, layer, k, held[0], held[1 + k])
        bits, differing = bits + found[0], differing + found[1]
    print(f"{differing} of {bits} train bits differ")
    assert bits > 20_000
    assert differing < 2e-3 * bits


def compare_trains(together, layer, k, many, one):
    """Return (bits, bits that differ) of the d trains; each that differs lies between its two limits."""
    scheme = Scheme(31, True, True, False, "all")
    mine = layer.grids[0].prepare(*one, RATES[k])[0][0].moves[0].samples
    ours = together.grids[0].prepare(*many, list(RATES))[0][0].moves[0].samples
    assert torch.equal(mine.keys[0], ours.keys[k])
    a, b = cpu.rates(mine, scheme), cpu.rates(ours, scheme)
    bits = differing = 0
    batch = mine.x.shape[1]
    for v in range(batch):
        first, second = trains(mine, scheme, a, 0, v)[1], trains(ours, scheme, b, k, v)[1]
        limits = [
            thresholds(r.d_rate[at].numpy(), s.d[c, v].numpy())[:, None] / 2**30
            for r, at, s, c in ((a, v, mine, 0), (b, k * batch + v, ours, k))
        ]
        assert np.abs(limits[0] - limits[1]).max() < 1e-3
        if first.shape != second.shape:
            assert not torch.equal(mine.d[0, v], ours.d[k, v])  # another largest d made another train length
            continue
        bits += first.size
        wrong = first != second
        differing += int(wrong.sum())
        slots = np.arange(first.shape[1])[None, :]
        words = draws(key_of(mine, 0, "train d"), np.arange(first.shape[0])[:, None], v, slots, mine.step) / 2**32
        low, high = np.minimum(*limits), np.maximum(*limits)
        assert ((words >= low - 1e-9) & (words <= high + 1e-9))[wrong].all()
    return bits, differing


# ---- the chip axis at the door ----


def test_chip_loss_sums_over_chips():
    out, y = torch.randn(6, 3, requires_grad=True), torch.randint(3, (2,))
    loss = mho.chip_loss(F.cross_entropy, out, y)
    assert loss.item() == pytest.approx(sum(F.cross_entropy(o, y).item() for o in out.view(3, 2, 3)))
    own = torch.randint(3, (6,))
    loss = mho.chip_loss(F.cross_entropy, out, own, chips=3)
    expected = sum(F.cross_entropy(o, t).item() for o, t in zip(out.view(3, 2, 3), own.view(3, 2), strict=True))
    assert loss.item() == pytest.approx(expected)
    assert mho.chip_loss(F.cross_entropy, out, own).item() == pytest.approx(F.cross_entropy(out, own).item())
    with pytest.raises(ShapeError, match="found 4"):
        mho.chip_loss(F.cross_entropy, out, torch.randint(3, (4,)))


def test_spread_and_per_chip_are_chip_major():
    x = torch.arange(6).view(3, 2)
    assert mho.per_chip(mho.spread(x, 4), 4).shape == (4, 3, 2)
    assert (mho.per_chip(mho.spread(x, 4), 4) == x).all()
    with pytest.raises(ShapeError, match="7 outputs cannot be split over 2 chips"):
        mho.per_chip(torch.zeros(7, 2), 2)


def test_a_batch_that_does_not_divide_is_refused_with_the_call_that_works():
    linear = AnalogLinear(4, 3, config=AnalogConfig(), name="fc1", chips=3)
    conv = AnalogConv2d(1, 2, 3, config=AnalogConfig(), name="conv1", chips=3)
    for layer, x in ((linear, torch.rand(4, 4)), (conv, torch.rand(4, 1, 5, 5))):
        with pytest.raises(ShapeError, match=rf"'{layer.name}' holds 3 chips.*4 samples.*mho.spread\(x, 3\)"):
            layer(x)


def test_wrong_shapes_name_the_layer():
    linear = AnalogLinear(4, 3, config=AnalogConfig(), name="fc1")
    conv = AnalogConv2d(2, 2, 3, config=AnalogConfig(), name="conv1")
    with pytest.raises(ShapeError, match=r"'fc1' takes inputs of 4 features, found shape \(2, 5\)"):
        linear(torch.rand(2, 5))
    with pytest.raises(ShapeError, match=r"'conv1' takes inputs of shape \(batch, 2, \*, \*\), found \(2, 3, 5, 5\)"):
        conv(torch.rand(2, 3, 5, 5))
    with pytest.raises(ShapeError, match=r"a kernel that reaches over 3 values"):
        conv(torch.rand(2, 2, 2, 2))
    with pytest.raises(ShapeError, match=r"'fc1': weight has shape \(3, 3\), expected \(3, 4\)"):
        linear.set_weights(torch.zeros(3, 3), torch.zeros(3))
    with pytest.raises(ShapeError, match=r"'fc1' has a bias"):
        linear.set_weights(torch.zeros(3, 4))


@pytest.mark.parametrize(
    "settings",
    [
        AnalogConfig(device=SoftBounds(dw_min=Spread([0.001, 0.002], d2d=0.3))),
        AnalogConfig(device=SoftBounds(c2c=[0.1, 0.2])),
        AnalogConfig(device=SoftBounds(write_noise=[1.0, 2.0])),
        AnalogConfig(device=SoftBounds(faults=Faults(dead=[0.1, 0.2]))),
        AnalogConfig(forward=Periphery(output_noise=[0.1, 0.2])),
        AnalogConfig(mapping=Mapping(scaling="fixed", scale=[1.0, 2.0])),
    ],
    ids=["spread", "device", "write noise", "faults", "periphery", "mapping"],
)
def test_lists_of_the_wrong_length_are_refused(settings):
    with pytest.raises(ConfigError, match="2 values over chips"):
        mho.convert_to_analog(nn.Linear(3, 2), settings, chips=3)


def test_one_chip_looks_like_plain_torch():
    model = mho.convert_to_analog(network(), AnalogConfig(), exclude=["8"])
    assert model[6].weight.shape == (12, 36)
    x = torch.rand(2, 1, 8, 8)
    assert model(x).shape == (2, 3)
    assert mho.spread(x, 1) is x
    assert type(model[1]) is nn.BatchNorm2d
    assert copy.deepcopy(model)[6].chips == (0,)
