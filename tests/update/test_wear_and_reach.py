"""Wear is shared by the devices of a weight, and gains with which weights cannot be reached are refused."""

from __future__ import annotations

import pytest
import torch

import mho
from mho import ArraySettings, Cell
from mho.devices import ConstantStep, SoftBounds, Spread, UnipolarSoftBounds
from mho.errors import ConfigError
from mho.tiles.array import Array
from mho.tiles.place import Place
from mho.update import Making, Update
from mho.update.msp_lsp import MspLsp
from mho.update.program import program_
from mho.update.tiki_taka import TikiTaka
from mho.update.transfer.settings import Schedule
from mho.update.ttv2 import TTv2

STEADY = ConstantStep(
    dw_min=Spread(0.01), up_down=Spread(1.0), w_max=Spread(1.0), w_min=Spread(-1.0), c2c=0.0
)  # fmt: skip


def test_single_steps_of_program_and_verify_wear_both_sides_of_a_pair_alike():
    array = Array(ArraySettings(STEADY, Cell(pair="differential")), Place("a", (10, 10)))
    for k in range(40):
        program_(array, torch.full((1, 10, 10), 0.01 * (k % 2)))
    counts = array.tile_list[0].counts.sum(dim=(0, 2, 3)).double()
    assert counts.sum() > 3000
    assert abs(counts[0] - counts[1]) < 0.1 * counts.sum()


@pytest.mark.parametrize("rule", [TikiTaka, TTv2])
@pytest.mark.parametrize("columns", [4, 6])
@pytest.mark.parametrize("unit", ["vector", "batch"])
def test_transfers_pulse_every_device_of_a_weight_in_turn(rule, columns, unit):
    one = rule(schedule=Schedule(unit=unit)).learner(
        Making(STEADY, Place("a", (3, columns)), Cell(devices=2, pulsed="turn"))
    )
    for _ in range(8 * columns):
        one.fast.write_(torch.full((1, 3, columns), 0.5))
        x, d = torch.full((1, 2, columns), 1e-6), torch.full((1, 2, 3), -1e-6)
        one.apply_(one.prepare(x, d, 1.0, bias=False, first=0, positions=1))
        one.rest_()
    counts = one.weight.tile_list[0].counts[0].double().mean(1)  # (devices, columns)
    assert counts.min() > 0
    assert (counts[0] / counts.sum(0) - 0.5).abs().max() < 0.15


@pytest.mark.parametrize(
    ("gain", "message"),
    [
        (1e5, r"rule\.gain: F = 100000 makes weights unreachable: a step of the MSP.*give F of at most"),
        (0.01, r"rule\.gain: F = 0\.01 makes weights unreachable: the MSP holds up to 0\.0.*give F of at least 1\.67"),
        ([3.0, 0.01], r"rule\.gain: F = .*makes weights unreachable"),
    ],
)
def test_gains_that_make_weights_unreachable_are_refused_when_they_are_set(gain, message):
    with pytest.raises(ConfigError, match=message):
        mho.preset("gokmen-2017").with_({"rule": "msp-lsp", "rule.gain": gain})
    assert mho.preset("gokmen-2017").with_({"rule": "msp-lsp", "rule.gain": 2.0}).rule.gain == 2.0
    with pytest.raises(ConfigError, match=r"rule\.gain"):
        MspLsp(gain=gain).learner(Making(STEADY, Place("a", (2, 2), chips=(0, 1))))


def test_weights_that_only_the_lsp_could_hold_are_told_as_clipped():
    lsp = ArraySettings(SoftBounds(w_max=Spread(1.0), w_min=Spread(-1.0)))
    one = MspLsp(gain=1.0, lsp=lsp).learner(
        Making(SoftBounds(w_max=Spread(0.6), w_min=Spread(-0.6)), Place("a", (4, 4)))
    )
    assert one.reach.item() == pytest.approx(0.6)
    assert one.write_(torch.full((1, 4, 4), 0.5)).item() == 0
    assert one.write_(torch.full((1, 4, 4), 0.9)).item() == 1


def test_an_exact_residual_leaves_pairs_that_were_not_chosen_as_they_are():
    pair = ArraySettings(UnipolarSoftBounds(c2c=0.0), Cell(pair="one-sided"))
    rule = MspLsp(gain=3.0, select="half-rows", residual="lsp", lsp=pair)
    one = rule.learner(Making(SoftBounds(c2c=0.0), Place("a", (4, 3)), update=Update(trains="ideal")))
    (tile,) = one.lsp.tile_list
    tile.state.fill_(0.3)
    one.show_()
    one.transfer_()
    changed = (tile.state != 0.3).any(dim=1)[0].any(dim=1)
    assert changed.sum() == 2
    assert (tile.state[0, :, ~changed] == 0.3).all()


def test_setting_weights_empties_the_buffer():
    one = TTv2().learner(Making(STEADY, Place("a", (3, 4))))
    one.filter.held.fill_(0.9)
    one.write_(torch.zeros(1, 3, 4))
    assert not one.filter.held.any()


def test_zero_shifting_names_the_array_that_cannot_be_shifted():
    analog = mho.preset("gokmen-2017").with_({"layers": {"fc1": {"rule": "msp-lsp"}}})
    with pytest.raises(ConfigError, match=r"analog\.layers\.fc1\.rule\.lsp\.cell\.reference = \"column\""):
        mho.RunConfig(analog=analog, zero_shift=mho.ZeroShift())
