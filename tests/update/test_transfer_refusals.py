"""Settings of the transfer family that cannot be are refused when they are stated, with the nearest that works."""

from __future__ import annotations

import pytest

import mho
from mho.config.laws import LEARNING
from mho.devices import SoftBounds
from mho.errors import ConfigError
from mho.periphery.settings import Periphery
from mho.tiles.cell import ArraySettings, Cell
from mho.update.agad import Agad
from mho.update.residual import Residual
from mho.update.tiki_taka import TikiTaka
from mho.update.transfer import Average, Buffer, Chopper, LastPeriod, Schedule
from mho.update.ttv2 import TTv2
from update.transfers import making

NAMES = ("tiki-taka", "ttv2", "c-ttv2", "agad", "residual")

IMPOSSIBLE = {
    "every": (lambda: Schedule(0), "give 1"),
    "every a half": (lambda: Schedule(0.5), "give 1"),
    "reads": (lambda: Schedule(reads=0), "give 1"),
    "unit": (lambda: Schedule(unit="step"), "batch, sample, vector"),
    "by": (lambda: Schedule(by="diagonals"), "columns, rows"),
    "order": (lambda: Schedule(order="best"), "turn, random"),
    "gamma": (lambda: TikiTaka(gamma=-0.1), "give 0"),
    "gamma of a chip": (lambda: Residual(gamma=(0.1, float("nan"))), "give 0"),
    "fast_lr": (lambda: TTv2(0.0), "0.01"),
    "transfer_lr": (lambda: TikiTaka(transfer_lr=-1.0), "0.01"),
    "threshold": (lambda: Buffer(threshold=0.0), "give 1"),
    "momentum": (lambda: Buffer(momentum=1.0), "give 0.1"),
    "granularity": (lambda: Buffer(granularity=-1.0), "0 to switch it off"),
    "most": (lambda: Buffer(most=0), "give 1"),
    "average": (lambda: Average(momentum=-0.1), "from 0 to below 1"),
    "average most": (lambda: Average(most=1.5), "give 1"),
    "probability": (lambda: Chopper(1.0), "give 0.1"),
    "switching": (lambda: Chopper(0.1, "often"), "random, regular"),
    "no period": (lambda: Agad(chopper=Chopper(0.0)), "give 0.1"),
    "tail": (lambda: LastPeriod(0.0), "give 5"),
    "version": (lambda: Residual("v3"), "v1 or v2"),
    "running-max": (lambda: TikiTaka(read=Periphery(noise_management="running-max")), 'give "none"'),
    "fast device": (lambda: ArraySettings(mho.devices.UnipolarSoftBounds(), Cell()), "one-sided"),
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_impossible_settings_are_refused_with_a_way_out(name):
    make, cure = IMPOSSIBLE[name]
    with pytest.raises(ConfigError, match=cure):
        make()


def test_everything_wrong_is_told_at_once():
    with pytest.raises(ConfigError) as caught:
        TTv2(fast_lr=-1.0, transfer_lr=0.0, gamma=-2.0)
    assert all(word in str(caught.value) for word in ("fast_lr", "transfer_lr", "gamma"))


@pytest.mark.parametrize("by", ["columns", "rows"])
def test_more_reads_than_lines_name_the_array_and_its_number(by):
    with pytest.raises(
        ConfigError, match=rf"block/fast: schedule.reads = 8 {by}.* = {7 if by == 'columns' else 5}, or"
    ):
        TikiTaka(schedule=Schedule(reads=8, by=by)).learner(making())


@pytest.mark.parametrize("name", NAMES)
def test_devices_that_only_rise_need_pairs(name):
    device = mho.devices.UnipolarSoftBounds()
    with pytest.raises(ConfigError, match="one-sided"):
        mho.AnalogConfig(device=device, rule=LEARNING.named(name)())
    mho.AnalogConfig(device=device, cell=Cell(pair="one-sided"), rule=LEARNING.named(name)())


@pytest.mark.parametrize("name", NAMES)
def test_rules_are_named_in_a_configuration(name):
    config = mho.preset("gokmen-2017").with_({
        "rule": {"name": name, "fast_lr": 0.2, "schedule": {"every": 3, "unit": "sample", "reads": "all"}},
        "rule.read.adc_bits": "none",
    })  # fmt: skip
    assert config.rule.fast_lr == 0.2
    assert config.rule.schedule == Schedule(3, "sample", "all")
    assert config.rule.read.adc_bits is None
    changed = config.with_({"rule.fast": {"device": {"law": "soft-bounds", "up_down": 2.0}}})
    assert isinstance(changed.rule.fast.device, SoftBounds)
    assert changed.rule.fast.device.up_down.mean == 2.0


def test_lists_over_chips_must_fit_the_chips():
    config = mho.AnalogConfig(rule=TTv2(fast_lr=(0.1, 0.2), buffer=Buffer(threshold=(1.0, 2.0))))
    config.check_chips(2)
    with pytest.raises(ConfigError, match=r"rule\.buffer\.threshold"):
        config.check_chips(3)
