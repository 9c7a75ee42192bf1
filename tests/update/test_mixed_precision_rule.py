"""Mixed precision: digital accumulation, whole steps as pulses; equal to SGD within a step, resumable, chips apart."""

from __future__ import annotations

import pytest
import torch

from mho.devices import ConstantStep, SoftBounds, UnipolarSoftBounds
from mho.errors import ConfigError, NotFiniteError
from mho.tiles.cell import Cell
from mho.update.mixed_precision import MixedPrecision
from update.program_cases import (
    PAIR,
    SINGLE,
    SIZE,
    assert_same,
    chip_of,
    held,
    ideal,
    learner,
    rising,
    samples,
    step_,
    targets,
)


def sgd(weights, x, d, lr):
    return weights - lr * torch.einsum("scvr,scvk->crk", d, x)


def start(one, share=0.2):
    weights = targets(one.weight, share)
    one.write_(weights)
    return weights


@pytest.mark.parametrize("cell", [Cell(), Cell(devices=3), Cell(pair="differential"), PAIR], ids=lambda c: c.pair)
def test_ideal_devices_follow_sgd_to_within_a_step(cell):
    device = rising(1e-6) if cell is PAIR else ideal()
    one = learner(MixedPrecision(pulses=10**6), device, cell)
    weights = start(one)
    x, d = samples(30)
    size = float(one.threshold.max())
    for k in range(30):
        step_(one, x[k], d[k], 0.002)
        exact = sgd(weights, x[: k + 1], d[: k + 1], 0.002)
        slack = 0.01 if cell is PAIR else 2e-5  # steps of saturating devices shrink: 1 - G/G_max of them
        if cell is not PAIR:
            assert (one.visible - exact).abs().max() < size + slack
            torch.testing.assert_close(one.visible + one.chi, exact, atol=slack, rtol=0)
    assert (one.visible - weights).abs().max() > 10 * size
    assert one.chi.abs().max() < size


def test_what_the_limit_holds_back_stays_in_the_accumulator():
    one = learner(MixedPrecision(pulses=2), ideal())
    weights = start(one)
    x, d = samples(1)
    step_(one, x[0], d[0], 0.05)
    assert one.weight.tile_list[0].counts.max() == 2
    torch.testing.assert_close(one.visible + one.chi, sgd(weights, x, d, 0.05), atol=1e-5, rtol=0)
    before = one.visible.clone()
    step_(one, x[0], torch.zeros_like(d[0]), 0.05)  # nothing new: more of what was left
    assert (one.visible - before).abs().max() > 0.001


def test_transfers_only_every_so_many_steps():
    one = learner(MixedPrecision(every=3, pulses=10**4), ideal())
    weights = start(one)
    x, d = samples(6)
    moved = []
    for k in range(6):
        before = one.visible.clone()
        step_(one, x[k], d[k], 0.01)
        moved.append(not torch.equal(before, one.visible))
    assert moved == [False, False, True, False, False, True]
    torch.testing.assert_close(one.visible + one.chi, sgd(weights, x, d, 0.01), atol=1e-5, rtol=0)
    assert one.tally()["transfers"] == 2


def test_its_own_step_is_what_a_pulse_stands_for():
    one = learner(MixedPrecision(step=0.002, pulses=10**4), ideal(0.001))
    weights = start(one)
    x, d = samples(1)
    step_(one, x[0], d[0], 0.1)
    wanted = torch.trunc((sgd(weights, x, d, 0.1) - weights) / 0.002) * 0.001
    torch.testing.assert_close(one.visible - weights, wanted, atol=1e-5, rtol=0)


def test_a_bias_and_vectors_of_one_step_add_up():
    one = learner(MixedPrecision(pulses=10**4), ideal(), bias=True)
    weights = start(one)
    x, d = samples(4, bias=True)
    together_x, together_d = (v.squeeze(2).transpose(0, 1).contiguous() for v in (x, d))
    step_(one, together_x, together_d, 0.01, bias=True)
    full = torch.cat((x, torch.ones(*x.shape[:3], 1)), dim=3)
    torch.testing.assert_close(one.visible + one.chi, sgd(weights, full, d, 0.01), atol=1e-5, rtol=0)


def test_pulses_are_counted_and_told():
    one = learner(MixedPrecision(), SoftBounds())
    x, d = samples(5)
    for k in range(5):
        step_(one, x[k], d[k], 0.02)
    told = one.tally()
    assert told["transfers"] == 5
    assert told["weight"]["pulses"] == [int(one.weight.tile_list[0].counts.sum())]


def test_devices_of_a_weight_take_turns():
    one = learner(MixedPrecision(), ideal(), Cell(devices=2))
    x, d = (torch.ones_like(v) for v in samples(4))
    for k in range(4):
        step_(one, x[k], d[k], 1.001 * float(one.threshold.max()))
    assert (one.weight.tile_list[0].counts == 2).all()


def converge(rule, device, cell=SINGLE, lr=0.02, steps=400):
    """Train a block on a regression with a known answer; return the root mean square error of its weights."""
    one = learner(rule, device, cell)
    answer = targets(one.weight, 0.3)
    x, _ = samples(steps, seed=8)
    for k in range(steps):
        d = x[k] @ (one.visible - answer).transpose(1, 2)
        step_(one, x[k], d, lr)
    return float((one.visible - answer).square().mean().sqrt())


def test_a_regression_finds_its_answer_where_plain_steps_are_too_coarse():
    device = ConstantStep(dw_min=0.02)
    assert converge(MixedPrecision(), device, lr=0.1) < 0.03
    assert converge(MixedPrecision(), UnipolarSoftBounds(dw_min=0.005), PAIR, lr=0.1) < 0.02


def test_a_run_that_is_resumed_is_the_same_bit_for_bit():
    whole, resumed = (learner(MixedPrecision(every=2), SoftBounds()) for _ in range(2))
    x, d = samples(7)
    for k in range(7):
        step_(whole, x[k], d[k], 0.02)
    first = learner(MixedPrecision(every=2), SoftBounds())
    for k in range(3):
        step_(first, x[k], d[k], 0.02)
    resumed.load_state_dict(held(first))
    for k in range(3, 7):
        step_(resumed, x[k], d[k], 0.02)
    assert_same(whole, resumed)


def test_a_chip_alone_is_as_among_others():
    many, alone = (learner(MixedPrecision(), SoftBounds(), Cell(devices=2), chips=c) for c in ((0, 1, 2), (1,)))
    x, d = samples(4, chips=3)
    for k in range(4):
        step_(many, x[k], d[k], (0.01, 0.02, 0.03))
        step_(alone, x[k, 1:2], d[k, 1:2], 0.02)
    here, there = chip_of(many, 1), chip_of(alone, 0)
    assert all(torch.equal(here[key], there[key]) for key in there)
    assert not torch.equal(many.visible[0], many.visible[1])


def test_nan_is_refused_before_anything_moves():
    one = learner(MixedPrecision(), ideal())
    before = held(one)
    x, d = samples(1)
    x[0, 0, 0, 3] = float("nan")
    with pytest.raises(NotFiniteError, match="input x"):
        one.prepare(x[0], d[0], 0.01, bias=False, first=0, positions=1)
    assert all(torch.equal(value, before[key]) for key, value in one.state_dict().items())


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"every": 0}, "give every = 1"),
        ({"pulses": 0}, "give pulses = 1"),
        ({"step": -1.0}, "give 0 for the device's own granularity"),
    ],
)
def test_impossible_settings_are_refused(settings, words):
    with pytest.raises(ConfigError, match=words):
        MixedPrecision(**settings)


def test_sizes():
    assert learner(MixedPrecision(), ideal()).visible.shape[1:] == SIZE
