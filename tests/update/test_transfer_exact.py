"""A step at once equals its vectors one by one; a resumed run and a chip alone repeat the whole run bit for bit."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from mho.devices import SoftBounds, Spread
from mho.tiles.cell import Cell
from mho.update.agad import Agad
from mho.update.chopped import ChoppedTTv2
from mho.update.residual import Residual
from mho.update.settings import Update
from mho.update.tiki_taka import TikiTaka
from mho.update.transfer import Buffer, Chopper, Schedule
from mho.update.ttv2 import TTv2
from update.transfers import EXACT, IDEAL, even, fast, learner, making, samples, step_

BUFFER = Buffer(0.2, 0.1)
NOISY = SoftBounds(dw_min=Spread(0.02, d2d=0.3), c2c=0.5, write_noise=0.5)
RULES = {
    "tiki-taka": lambda s, a: TikiTaka(gamma=0.2, schedule=s, fast=a, write=Update("deterministic")),
    "ttv2": lambda s, a: TTv2(0.05, False, auto_scale=True, schedule=s, fast=a, buffer=BUFFER),
    "c-ttv2": lambda s, a: ChoppedTTv2(
        0.05, False, auto_scale=True, schedule=s, fast=a, buffer=BUFFER, chopper=Chopper(0.3)
    ),
    "agad": lambda s, a: Agad(
        0.05, False, auto_scale=True, schedule=s, fast=a, buffer=BUFFER, chopper=Chopper(0.4, "regular")
    ),
    "residual": lambda s, a: Residual("v2", transfer_lr=3.0, schedule=s, fast=a),
}
SCHEDULES = [
    Schedule(1, "vector"), Schedule(2, "vector", 3), Schedule(1, "vector", 2, "rows"), Schedule(1, "sample", 2),
    Schedule(3, "vector", 1, order="random"), Schedule(1, "vector", "all"), Schedule(1, "batch", "all"),
]  # fmt: skip
CELLS = {"single": Cell(), "turn": Cell(devices=2, pulsed="turn"), "random": Cell(devices=2, pulsed="random")}


def state(one):
    """Return everything that a learner keeps."""
    return {k: v.numpy().copy() for k, v in one.state_dict().items()} | {"shown": one.visible.numpy().copy()}


def check_same(one, other, *, but=()):
    assert one.keys() == other.keys()
    for name, value in one.items():
        if not name.endswith(but):
            np.testing.assert_array_equal(value, other[name], err_msg=name)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("cell", CELLS)
def test_a_step_at_once_equals_vector_by_vector(name, schedule, cell):
    """The slow array's pulses are numbered by calls, so its devices are without cycle noise here."""
    ends = []
    for each in (False, True):
        rule = RULES[name](schedule, fast(NOISY, **vars(CELLS[cell])))
        rule = type(rule)(**vars(rule) | ({"auto_scale": False} if hasattr(rule, "auto_scale") else {}))
        one = learner(rule, making(even(0.01), chips=(0, 1), bias=True, update=Update()))
        for n in range(5):
            x, d = samples(12, chips=2, seed=n, bias=True)
            step_(one, x, d, 0.2, positions=2 if schedule.unit == "sample" else 1, bias=True, each=each)
        ends.append(state(one))
    assert ends[0]["arrays.weight.tiles.0.state"].any()
    check_same(*ends, but=("clock",))


def wild(name, schedule, chips=(0, 1, 2)):
    rule = RULES[name](schedule, None)
    return learner(rule, making(NOISY, chips=chips, bias=True, update=Update()))


@pytest.mark.parametrize("schedule", [SCHEDULES[1], SCHEDULES[4], SCHEDULES[6]], ids=repr)
@pytest.mark.parametrize("name", RULES)
def test_a_resumed_run_is_the_same_bit_for_bit(name, schedule):
    whole, first, second = (wild(name, schedule) for _ in range(3))
    for n in range(12):
        x, d = samples(6, chips=3, seed=n, bias=True)
        for one in (whole, first if n < 5 else second):
            step_(one, x, d, 0.2, bias=True)
        if n == 4:
            second.load_state_dict(copy.deepcopy(first.state_dict()))
    check_same(state(whole), state(second))
    assert state(whole)["arrays.weight.tiles.0.state"].any()


@pytest.mark.parametrize("schedule", [SCHEDULES[1], SCHEDULES[4], SCHEDULES[6]], ids=repr)
@pytest.mark.parametrize("name", RULES)
def test_a_chip_alone_is_the_same_as_among_others(name, schedule):
    many, alone = wild(name, schedule, (3, 5, 8)), wild(name, schedule, (5,))
    for n in range(10):
        x, d = samples(6, chips=3, seed=n, bias=True)
        step_(many, x, d, 0.2, bias=True)
        step_(alone, x[1:2], d[1:2], 0.2, bias=True)
    among, own = state(many), state(alone)
    for key, value in own.items():
        mine = among[key]
        if mine.shape[:1] == (3,):
            mine = mine[1:2]
        elif mine.shape[:2] == (2, 3):
            mine = mine[:, 1:2]
        np.testing.assert_array_equal(value, mine, err_msg=key)


def test_a_copy_goes_on_by_itself():
    one = wild("agad", SCHEDULES[1])
    x, d = samples(6, chips=3, bias=True)
    step_(one, x, d, 0.2, bias=True)
    other = copy.deepcopy(one)
    before = state(other)
    step_(one, x, d, 0.2, bias=True)
    check_same(before, state(other))
    step_(other, x, d, 0.2, bias=True)
    check_same(state(one), state(other))


def test_transfers_inside_a_step_see_only_what_came_before():
    """One line is transferred after the first of two vectors: the second must not be in what it read."""
    rule = TikiTaka(1.0, scale_transfer_lr=False, schedule=Schedule(1, "vector"), write=IDEAL, read=EXACT)
    one = learner(rule, making(even(1e-4), (1, 2), update=IDEAL))
    x, d = torch.ones(1, 2, 2), torch.tensor([[[-0.1], [-0.2]]])
    step_(one, x, d, 1.0)
    np.testing.assert_allclose(one.weight.visible[0, 0], [0.1, 0.3], rtol=1e-6)
