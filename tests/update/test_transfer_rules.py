"""Every rule of the transfer family against its equations, vector by vector."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mho.update.agad import Agad
from mho.update.chopped import ChoppedTTv2
from mho.update.residual import Residual
from mho.update.tiki_taka import TikiTaka
from mho.update.transfer import Average, Buffer, Chopper, LastPeriod, Schedule
from mho.update.ttv2 import TTv2
from update.transfers import (
    EXACT,
    IDEAL,
    Slow,
    SlowAgad,
    SlowAverage,
    SlowBuffer,
    fast,
    learner,
    making,
    samples,
    step_,
)  # fmt: skip

LR = 0.1
PLAIN = {"scale_transfer_lr": False, "read": EXACT}
SCHEDULES = [
    Schedule(1, "vector"), Schedule(3, "vector", 2), Schedule(1, "sample", 3), Schedule(2, "batch", 4),
    Schedule(1, "vector", "all"), Schedule(1, "vector", 2, "rows"), Schedule(1, "batch", 1, "rows"),
]  # fmt: skip


def run(rule, slow, *, steps=12, batch=12, positions=2, bias=False):
    """Run a rule and its equations on the same samples; check arrays, and return the learner."""
    schedule = rule.schedule
    one = learner(rule, making(bias=bias))
    for n in range(steps):
        x, d = samples(batch, seed=n, bias=bias)
        step_(one, x, d, LR, positions=positions, bias=bias)
        whole = torch.cat((x, torch.ones(1, batch, 1)), 2) if bias else x
        for v in range(batch):
            slow.vector(whole[0, v].double().numpy(), d[0, v].double().numpy())
            if schedule.unit == "vector" or (schedule.unit == "sample" and (v + 1) % positions == 0):
                slow.unit()
        if schedule.unit == "batch":
            slow.unit()
    np.testing.assert_allclose(one.fast.visible[0], slow.a, atol=2e-5)
    np.testing.assert_allclose(one.visible[0], slow.visible, atol=2e-5)
    assert slow.c.any()
    return one


def options(schedule):
    count = 7 if schedule.by == "columns" else 5
    reads = count if schedule.reads == "all" else schedule.reads
    return {"every": schedule.every, "reads": reads, "by": schedule.by}


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
@pytest.mark.parametrize("gamma", [0.0, 0.3])
def test_tiki_taka_follows_its_equations(schedule, gamma):
    rule = TikiTaka(0.5, transfer_lr=0.2, gamma=gamma, schedule=schedule, write=IDEAL, **PLAIN)
    run(rule, Slow(alpha=0.05, beta=0.2, gamma=gamma, **options(schedule)))


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
@pytest.mark.parametrize(("forget", "most"), [(True, 1), (False, 3)])
def test_ttv2_follows_its_equations(schedule, forget, most):
    buffer = Buffer(threshold=0.7, momentum=0.25, forget=forget, most=most)
    rule = TTv2(0.5, True, 0.2, auto_scale=False, schedule=schedule, buffer=buffer, **PLAIN)
    slow = SlowBuffer(alpha=0.05, beta=0.2, **options(schedule))
    slow.theta, slow.momentum, slow.forget, slow.most = 0.007, 0.25, forget, most
    run(rule, slow)


def test_granularity_makes_pulses_rarer_by_its_rule():
    rule = TTv2(
        0.5, True, 0.2, auto_scale=False, schedule=Schedule(2, "vector", 3), buffer=Buffer(0.5, 0.1, granularity=20.0),
        fast=fast(), **PLAIN,
    )  # fmt: skip
    slow = SlowBuffer(alpha=0.05, beta=0.2, every=2, reads=3)
    slow.theta = 0.5 * 0.01 * 20 / (7 * 2 / 3)
    run(rule, slow)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
@pytest.mark.parametrize("bias", [False, True])
def test_choppers_switch_regularly(schedule, bias):
    rule = ChoppedTTv2(
        0.5, True, 0.2, auto_scale=False, schedule=schedule, chopper=Chopper(0.4, "regular"),
        buffer=Buffer(0.8, 0.1), **PLAIN,
    )  # fmt: skip
    slow = SlowBuffer(alpha=0.05, beta=0.2, **options(schedule))
    slow.theta, slow.period = 0.008, 3
    one = run(rule, slow, bias=bias)
    np.testing.assert_array_equal(one.chopper.signs[0], slow.sign)
    assert {1.0, -1.0} >= set(slow.sign)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
def test_agad_transfers_against_the_last_period(schedule):
    rule = Agad(
        0.5, True, 0.2, auto_scale=False, schedule=schedule, chopper=Chopper(0.25, "regular"),
        reference=LastPeriod(2.0), buffer=Buffer(0.8, 0.1), **PLAIN,
    )  # fmt: skip
    slow = SlowAgad(alpha=0.05, beta=0.2, **options(schedule))
    slow.theta, slow.period, slow.weight = 0.008, 4, 0.5
    one = run(rule, slow, steps=60 if schedule.unit == "batch" else 20)
    assert bool(one.estimate.known.all())


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
def test_residual_follows_its_equations(schedule):
    version_1 = Residual("v1", 0.5, transfer_lr=0.2, gamma=0.4, schedule=schedule, write=IDEAL, **PLAIN)
    run(version_1, Slow(alpha=0.05, beta=0.2, gamma=0.4, **options(schedule)))
    average = Average(0.75, 0.5, 2)
    version_2 = Residual("v2", 0.5, transfer_lr=0.2, gamma=0.4, schedule=schedule, average=average, **PLAIN)
    slow = SlowAverage(alpha=0.05, beta=0.2, gamma=0.4, **options(schedule))
    slow.theta, slow.momentum, slow.most = 0.005, 0.75, 2
    run(version_2, slow)


def test_rates_follow_the_optimizers_where_they_are_told_to():
    kept = TikiTaka(0.05, False, 0.2, False, write=IDEAL, read=EXACT)
    run(kept, Slow(alpha=0.05, beta=0.2))
    scaled = TikiTaka(0.5, True, 2.0, True, write=IDEAL, read=EXACT)
    run(scaled, Slow(alpha=0.05, beta=0.2))


def test_every_chip_has_its_own_rates():
    rates, lr = (0.2, 0.5, 1.0), (0.1, 0.2, 0.05)
    rule = TikiTaka(rates, transfer_lr=rates, gamma=(0.0, 0.1, 0.3), write=IDEAL, read=EXACT)
    one = learner(rule, making(chips=(0, 1, 2)))
    slow = [Slow(alpha=f * r, beta=f * r, gamma=g) for f, r, g in zip(rates, lr, (0.0, 0.1, 0.3), strict=True)]
    x, d = samples(9, chips=3)
    step_(one, x, d, lr)
    for chip, own in enumerate(slow):
        for v in range(9):
            own.vector(x[chip, v].double().numpy(), d[chip, v].double().numpy())
            own.unit()
        np.testing.assert_allclose(one.visible[chip], own.visible, atol=1e-6)


def test_the_fast_rate_follows_the_size_of_the_errors():
    rule = TTv2(0.5, False, auto_scale=True, schedule=Schedule(1, "batch"), **PLAIN)
    one, means = learner(rule), None
    expected = np.zeros((5, 7))
    for n in range(5):
        x, d = samples(4, seed=n)
        step_(one, x, 3.0 * d)
        found = np.array([x.abs().amax(2).mean(), 3.0 * d.abs().amax(2).mean()], np.float64)
        means = found if means is None else 0.99 * means + 0.01 * found
        expected -= 0.5 * 31 * 0.01 / means.prod() * (3.0 * d[0].T @ x[0]).double().numpy()
    np.testing.assert_allclose(one.fast.visible[0], expected, rtol=1e-4, atol=1e-5)
