"""MSP/LSP: equal to SGD with ideal devices, transfers when they are due, polarity inversion, counters, refusals."""

from __future__ import annotations

import pytest
import torch

import mho
from mho.devices import Capacitor, ConstantStep, Faults, SoftBounds, Spread, UnipolarSoftBounds
from mho.errors import ConfigError, NotFiniteError
from mho.optim import AnalogSGD
from mho.tiles.cell import ArraySettings, Cell
from mho.update.msp_lsp import MspLsp
from mho.update.program_settings import Program
from mho.update.settings import Update
from update.program_cases import PAIR, SIZE, assert_same, chip_of, held, ideal, learner, rising, samples, step_, targets

EXACT = Update(trains="ideal")
WIDE = ArraySettings(ideal())
TUNED = Program(iterations=40, pulses=2000)


def rule(**settings):
    return MspLsp(**{"every": 10**9, "lsp": WIDE, "program": TUNED} | settings)


def start(one, share=0.15):
    weights = targets(one, share)
    assert one.write_(weights).max() == 0
    return weights


def sgd(weights, x, d, lr):
    return weights - lr * torch.einsum("scvr,scvk->crk", d, x)


def run_(one, x, d, lr):
    for k in range(len(x)):
        step_(one, x[k], d[k], lr)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("select", ["all", "half-rows", "half-columns"])
@pytest.mark.parametrize("polarity_inversion", [False, True])
def test_exact_updates_and_exact_residuals_are_sgd(polarity_inversion, select, bias):
    """What tuning leaves is put back, so that no transfer changes a weight."""
    settings = {"every": 3, "select": select, "polarity_inversion": polarity_inversion, "residual": "lsp"}
    one = learner(rule(**settings), ideal(), update=EXACT, bias=bias)
    weights = start(one)
    x, d = samples(22, bias=bias)
    full = torch.cat((x, torch.ones(*x.shape[:3], 1)), dim=3) if bias else x
    for k in range(22):
        step_(one, x[k], d[k], 0.002, bias=bias)
        torch.testing.assert_close(one.visible, sgd(weights, full[: k + 1], d[: k + 1], 0.002), atol=1e-5, rtol=0)
    assert one.tally()["transfers"] == 7
    assert (one.visible - weights).abs().max() > 0.01
    assert (one.sign != 1).any() == polarity_inversion


@pytest.mark.parametrize(("residual", "update"), [("drop", EXACT), ("lsp", Update())])
def test_a_transfer_costs_at_most_half_a_step_of_the_array_that_holds_its_residual(residual, update):
    one = learner(rule(every=5, residual=residual), ideal(), update=update)
    start(one)
    x, d = samples(20)
    most = (3.0 if residual == "drop" else 1.0) * 0.0005 + 1e-5
    for k in range(20):
        one.apply_(one.prepare(x[k], d[k], 0.002, bias=False, first=0, positions=1))
        one._combine()
        before = one.visible.clone()
        one.rest_()
        change = (one.visible - before).abs().max()
        assert change <= most if k % 5 == 4 else change == 0
        assert change > 0 or k % 5 != 4
    assert one.tally()["transfers"] == 4


def test_a_transfer_moves_the_weight_into_the_msp_and_empties_the_lsp():
    one = learner(rule(every=1), ideal(), update=EXACT)
    weights = start(one)
    x, d = samples(1)
    step_(one, x[0], d[0], 0.02)
    assert one.lsp.visible.abs().max() == 0
    assert (3.0 * one.msp.visible - sgd(weights, x, d, 0.02)).abs().max() <= 0.00151
    assert torch.equal(one.visible, 3.0 * one.msp.visible)
    assert one.sign.item() == -1
    told = one.tally()
    assert told["last_residual_std"][0] == pytest.approx(3 * 0.001 / 12**0.5, rel=0.1)  # uniform within a step
    assert told["lsp"]["resets"] == [one.visible.numel()]


def drift(lr=0.02, steps=160, **settings):
    """Return the mean weight after errors of mean 0, with an LSP whose steps up are twice as large as those down."""
    unfair = ConstantStep(dw_min=0.001, up_down=Spread(2.0), w_max=1.0, w_min=-1.0, c2c=0.0)
    one = learner(rule(every=20, lsp=ArraySettings(unfair), **settings), ideal(dw=0.0002))
    one.write_(torch.zeros_like(one.visible))
    x, d = samples(steps // 2, seed=1)
    x, d = (torch.stack((v, w), dim=1).flatten(0, 1) for v, w in ((x, x), (d, -d)))  # each sample and its opposite
    run_(one, x, d, lr)
    assert one.tally()["transfers"] == 8
    return float(one.visible.mean())


def test_polarity_inversion_cancels_what_lsp_devices_always_do_wrong():
    without, with_ = drift(polarity_inversion=False), drift()
    assert without > 0.1
    assert abs(with_) < 0.05 * without
    assert abs(drift(select="half-rows", steps=160)) < 0.2 * without


def test_transfers_fall_due_by_samples_and_take_place_at_the_end_of_the_step():
    one = learner(rule(every=10), ideal())
    x, d = samples(1)
    x, d = x[0].expand(1, 7, -1).contiguous(), d[0].expand(1, 7, -1).contiguous()
    counts = []
    for _ in range(6):
        step_(one, x, d, 0.001)
        counts.append((one.tally()["transfers"], int(one.clock[0])))
    assert counts == [(0, 7), (1, 4), (2, 1), (2, 8), (3, 5), (4, 2)]
    large = learner(rule(every=3), ideal())
    step_(large, x, d, 0.001)
    assert large.clock.tolist() == [1, 1]  # one transfer, though two fell due


def test_transfers_may_fall_due_by_steps():
    one = learner(rule(every=2, unit="batch"), ideal())
    x, d = samples(5)
    run_(one, x, d, 0.001)
    assert one.clock.tolist() == [1, 2]


@pytest.mark.parametrize("groups", [1, 2])
def test_a_sample_of_a_convolution_is_an_image(groups):
    config = mho.preset("gokmen-2017").with_(rule=rule(every=12))
    layer = mho.AnalogConv2d(2, 4, 3, config=config, groups=groups, name="conv")
    optimizer = AnalogSGD(layer.parameters(), lr=0.01)
    learners = [block for grid in layer.grid_list for block in grid.block_list]
    for total in (5, 10, 15):
        optimizer.zero_grad()
        layer(torch.rand(5, 2, 8, 8)).sum().backward()
        optimizer.step()
        assert all(one.clock.tolist() == [total % 12, total // 12] for one in learners)


def test_weights_beyond_the_msp_are_held_by_both():
    one = learner(rule(gain=2.0), ideal(top=0.3))
    assert one.reach.tolist() == pytest.approx([0.6])  # what a transfer keeps
    weights = torch.zeros_like(one.visible)
    weights[0, 0, :4] = torch.tensor([0.5, 1.5, 2.0, -1.5])
    assert one.write_(weights).tolist() == pytest.approx([3 / weights.numel()])
    assert one.visible[0, 0, :4].tolist() == pytest.approx([0.5, 1.5, 1.6, -1.5])
    assert one.lsp.visible[0, 0, :4].tolist() == pytest.approx([0.0, 0.9, 1.0, -0.9], abs=1e-6)


def test_every_chip_may_have_its_own_gain():
    one = learner(rule(gain=(2.0, 4.0), every=1), ideal(), chips=(0, 1))
    weights = start(one)
    for factor, chip in ((2.0, 0), (4.0, 1)):
        torch.testing.assert_close(factor * one.msp.visible[chip], weights[chip])
    x, d = samples(1, chips=2)
    step_(one, x[0], d[0], 0.01)
    told = one.tally()["last_residual_std"]
    assert told[1] / told[0] == pytest.approx(2.0, rel=0.2)


def test_frozen_msp_devices_are_made_up_for_and_not_counted():
    one = learner(rule(every=1), ideal(faults=Faults(dead=0.2)))
    weights = targets(one, 0.1)
    assert one.write_(weights).max() == 0
    torch.testing.assert_close(one.visible, weights, atol=1e-6, rtol=0)
    x, d = samples(1)
    step_(one, x[0], d[0], 0.0)
    assert one.tally()["last_residual_std"][0] < 0.001


def test_the_noise_of_readings_is_programmed():
    """W as read carries noise of both arrays: F and 1 times it, and tuning stops at readings within the noise."""
    noise = 0.004
    one = learner(rule(every=1, program=Program(read_noise=noise, iterations=30)), ideal(dw=0.0001))
    start(one)
    before = one.visible.clone()
    x, d = samples(1)
    step_(one, x[0], d[0], 0.0)
    change = (one.visible - before).std()
    assert 0.8 * noise * 10**0.5 < change < 1.5 * noise * 10**0.5


def small_values(one, values):
    one.lsp.write_(values)
    one.show_()
    return one.visible.clone()


def test_only_where_the_lsp_saturates():
    settings = {"every": 1, "select": "saturated", "above": 0.8, "polarity_inversion": False}
    one = learner(rule(lsp=ArraySettings(ideal(top=0.5)), **settings), ideal())
    start(one, 0.05)
    small = torch.linspace(-0.5, 0.5, one.visible.numel()).view_as(one.visible)
    before, msp = small_values(one, small), one.msp.visible.clone()
    x, d = samples(1)
    step_(one, x[0], d[0], 0.0)
    full = small.abs() > 0.4
    assert torch.equal(one.lsp.visible == 0, full)
    assert torch.equal(one.msp.visible[~full], msp[~full])
    assert (one.visible - before).abs().max() < 0.00151
    assert one.tally()["lsp"]["resets"] == [int(full.sum())]


def test_only_above_a_threshold_of_the_change():
    settings = {"every": 1, "select": "threshold", "above": (0.1, 0.3), "polarity_inversion": False}
    one = learner(rule(**settings), ideal(), chips=(0, 1))
    small = torch.linspace(-0.5, 0.5, one.visible[0].numel()).view(1, *SIZE).expand(2, -1, -1)
    small_values(one, small.contiguous())
    x, d = samples(1, chips=2)
    step_(one, x[0], d[0], 0.0)
    assert torch.equal(one.lsp.visible == 0, small.abs() > torch.tensor([0.1, 0.3]).view(2, 1, 1))


@pytest.mark.parametrize("select", ["half-rows", "half-columns"])
def test_halves_take_turns(select):
    one = learner(rule(every=1, select=select), ideal(), size=(5, 7))
    x, d = samples(3, size=(5, 7))
    lines = 5 if select == "half-rows" else 7
    first = torch.arange(lines) < (lines + 1) // 2
    for turn in range(3):
        small = torch.full((1, 5, 7), 0.25)
        before = small_values(one, small)
        step_(one, x[turn], d[turn], 0.0)
        emptied = (one.lsp.visible == 0)[0].all(1 if select == "half-rows" else 0)
        assert torch.equal(emptied, first if turn % 2 == 0 else ~first)
        assert (one.visible - before).abs().max() < 0.00151
    assert torch.equal(one.sign.flatten(), torch.where(first, 1.0, -1.0))


@pytest.mark.parametrize("cell", [Cell(reference="column", reference_value=Spread(0.2, d2d=0.3)), Cell(devices=2)])
def test_a_reset_lsp_shows_nothing_but_its_noise(cell):
    leaky = Capacitor(write_noise=0.5)
    one = learner(rule(every=1, lsp=ArraySettings(leaky, cell), reset_noise=(0.0, 0.01)), ideal(), chips=(0, 1))
    x, d = samples(1, chips=2)
    one.apply_(one.prepare(x[0], d[0], 0.5, bias=False, first=0, positions=1))
    assert one.lsp.visible.abs().min() < 0.1 < one.lsp.visible.abs().max()
    one.transfer_()
    assert one.lsp.visible[0].abs().max() < 1e-6
    assert one.lsp.visible[1].std() == pytest.approx(0.01 / cell.devices**0.5, rel=0.2)


def test_counters_add_up():
    lsp = ArraySettings(UnipolarSoftBounds(dw_min=0.01), PAIR)
    one = learner(rule(every=4, lsp=lsp, program=Program(strategy="rewrite")), UnipolarSoftBounds(), PAIR)
    start(one)
    x, d = samples(12)
    run_(one, x, d, 0.02)
    told = one.tally()
    assert told["transfers"] == 3
    for name, array in (("msp", one.msp), ("lsp", one.lsp)):
        counts = array.tile_list[0].counts.double()
        assert told[name]["pulses"] == [int(counts.sum())] == [int(array.totals())]
        assert told[name]["mean_per_device"] == pytest.approx([float(counts.mean())])
        assert told[name]["most_per_device"] == [int(counts.max())]
        assert told[name]["resets"] == [3 * 2 * one.visible.numel()]
    assert min(told["msp"]["pulses"] + told["lsp"]["pulses"]) > 0


def test_residuals_are_told_of_the_last_transfer_and_of_all():
    one = learner(rule(every=1), ideal(), chips=(0, 1))
    start(one)
    last = []
    x, d = samples(4, chips=2)
    for k in range(4):
        step_(one, x[k], d[k], (0.01, 0.02))
        told = one.tally()
        last.append([told["last_residual_mean"], told["last_residual_std"]])
    mean, std = torch.tensor(last, dtype=torch.float64).mean(0).tolist()
    assert told["residual_mean"] == pytest.approx(mean, abs=1e-12)
    assert told["residual_std"] == pytest.approx(std)
    assert std[0] != std[1]


def converge(rule_, device, cell, lr=0.1, steps=600):
    """Train a block on a regression with a known answer; return the root mean square error of its weights."""
    one = learner(rule_, device, cell)
    answer = targets(one, 0.1)
    x, _ = samples(steps, seed=8)
    for k in range(steps):
        d = x[k] @ (one.visible - answer).transpose(1, 2)
        step_(one, x[k], d, lr)
    return float((one.visible - answer).square().mean().sqrt()), float(answer.square().mean().sqrt())


def test_a_regression_finds_its_answer_with_bad_msp_devices():
    rough = UnipolarSoftBounds(dw_min=Spread(0.02, d2d=0.5), w_max=Spread(1.0, d2d=0.3), c2c=1.0)
    error, size = converge(MspLsp(every=50, residual="lsp"), rough, PAIR)
    assert error < 0.2 * size


def test_it_beats_plain_pulses_on_asymmetric_devices():
    from mho.update.pulsed import Pulsed

    unfair = SoftBounds(dw_min=0.02, up_down=Spread(2.0), w_max=1.0, w_min=-1.0, c2c=0.3)
    plain, _ = converge(Pulsed(), unfair, Cell())
    error, _ = converge(MspLsp(every=50, residual="lsp"), unfair, Cell())
    assert error < 0.7 * plain


NOISY = {"every": 3, "residual": "lsp", "reset_noise": 0.01, "program": Program(read_noise=0.002)}


@pytest.mark.parametrize("select", ["all", "half-rows"])
def test_a_run_that_is_resumed_is_the_same_bit_for_bit(select):
    make = lambda: learner(MspLsp(select=select, **NOISY), UnipolarSoftBounds(), PAIR)  # noqa: E731
    whole, first, resumed = make(), make(), make()
    x, d = samples(10)
    run_(whole, x, d, 0.02)
    run_(first, x[:5], d[:5], 0.02)
    resumed.load_state_dict(held(first))
    assert torch.equal(resumed.visible, first.visible)
    run_(resumed, x[5:], d[5:], 0.02)
    assert_same(whole, resumed)
    assert whole.tally() == resumed.tally()


@pytest.mark.parametrize("device", [UnipolarSoftBounds(), SoftBounds()])
def test_a_chip_alone_is_as_among_others(device):
    cell = PAIR if device.unipolar else Cell()
    many, alone = (learner(MspLsp(**NOISY), device, cell, chips=c) for c in ((0, 1, 2), (1,)))
    x, d = samples(7, chips=3)
    for k in range(7):
        step_(many, x[k], d[k], (0.01, 0.03, 0.05))
        step_(alone, x[k, 1:2], d[k, 1:2], 0.03)
    here, there = chip_of(many, 1), chip_of(alone, 0)
    assert all(torch.equal(value, there[key]) for key, value in here.items())
    for name in ("residual_mean", "residual_std", "last_residual_std"):
        assert many.tally()[name][1] == alone.tally()[name][0]


def test_nan_is_refused_before_anything_moves():
    one = learner(rule(), ideal())
    before = held(one)
    x, d = samples(1)
    d[0, 0, 0, 3] = float("inf")
    with pytest.raises(NotFiniteError, match="error d"):
        one.prepare(x[0], d[0], 0.01, bias=False, first=0, positions=1)
    assert all(torch.equal(value, before[key]) for key, value in one.state_dict().items())


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"gain": 0.0}, "F must be above 0"),
        ({"gain": -3.0}, "give 3"),
        ({"every": 0}, "give 1 to transfer at every step"),
        ({"unit": "images"}, "one of sample, batch"),
        ({"select": "half-row"}, "did you mean 'half-rows'"),
        ({"select": "saturated"}, 'give polarity_inversion = false, or select = "all"'),
        ({"residual": "keep"}, "one of drop, lsp"),
        ({"reset_noise": -1.0}, "cannot be negative"),
    ],
)
def test_impossible_settings_are_refused(settings, words):
    with pytest.raises(ConfigError, match=words):
        MspLsp(**settings)


def test_an_lsp_that_only_rises_needs_pairs():
    with pytest.raises(ConfigError, match='give cell\\.pair = "one-sided"'):
        MspLsp(lsp=ArraySettings(UnipolarSoftBounds()))


def test_a_gain_that_leaves_gaps_between_weights_is_refused():
    with pytest.raises(ConfigError, match="give F of at most 2,"):
        learner(rule(gain=3.0, lsp=ArraySettings(ideal(top=0.1))), ideal(dw=0.1))
    learner(rule(gain=2.0, lsp=ArraySettings(ideal(top=0.1))), ideal(dw=0.1))


def test_rising_pairs_take_both_parts():
    one = learner(
        rule(every=5, lsp=ArraySettings(rising(), PAIR)), rising(0.0005), PAIR, update=Update(trains="deterministic")
    )
    weights = start(one)
    x, d = samples(10)
    run_(one, x, d, 0.01)
    exact = sgd(weights, x, d, 0.01)
    assert (one.visible - exact).abs().mean() < 0.15 * (exact - weights).abs().mean()
