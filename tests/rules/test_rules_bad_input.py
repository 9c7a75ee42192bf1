"""Settings that cannot be are refused where they are stated: what was asked, why not, and the nearest that works."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch

import mho
from mho import AnalogConfig, Cell, RunConfig
from mho.config import override
from mho.devices import ConstantStep, SoftBounds, UnipolarSoftBounds
from mho.errors import ConfigError
from mho.nn import AnalogLinear
from mho.tiles.cell import ArraySettings
from mho.update.rules import rules
from mho.update.transfer import Average, Buffer, Chopper, LastPeriod, Schedule
from rules.cases import NAMES, case, config

TRANSFERS = ("tiki-taka", "ttv2", "c-ttv2", "agad", "residual")
BUFFERED = ("ttv2", "c-ttv2", "agad")
WRONG = [
    *[(n, "schedule.every", 0, r"a whole number from 1, found 0; give 1") for n in TRANSFERS],
    *[(n, "schedule.reads", 0, r'a whole number of lines from 1, or "all", found 0; give 1') for n in TRANSFERS],
    *[(n, "schedule.unit", "images", r"unit.*batch.*sample.*vector.*found 'images'") for n in TRANSFERS],
    *[(n, "fast_lr", 0.0, r"must be finite and above 0, found 0\.0.*the nearest that works is") for n in TRANSFERS],
    *[(n, "transfer_lr", -1.0, r"must be finite and above 0, found -1\.0.*nearest that works") for n in TRANSFERS],
    *[(n, "read.noise_management", "running-max", r'is always 1; give "none"') for n in TRANSFERS],
    *[(n, "buffer.threshold", 0.0, r"above 0, found 0\.0: it is a number of pulses; give 1") for n in BUFFERED],
    *[(n, "buffer.momentum", 1.0, r"is a share, from 0 to below 1, found 1\.0; give") for n in BUFFERED],
    *[(n, "buffer.granularity", -1.0, r"cannot be negative, found -1\.0; give 1000, or 0") for n in BUFFERED],
    *[(n, "buffer.most", 0, r"whole number of pulses from 1, found 0; give 1") for n in BUFFERED],
    *[(n, "gamma", -0.1, r"gamma.*found -0\.1; give") for n in ("tiki-taka", "ttv2", "residual")],
    ("c-ttv2", "chopper.probability", 1.0, r"from 0 to below 1, found 1\.0; give"),
    ("agad", "chopper.probability", 0.0, r"without switching there is no last period; give"),
    ("agad", "reference.tail", 0.0, r"finite and above 0, found 0\.0: it is a weight; give 5"),
    ("residual", "average.momentum", 1.0, r"is a share, from 0 to below 1, found 1\.0; give"),
    ("residual", "version", "v3", r"v1.*v2.*found 'v3'"),
    ("mixed-precision", "every", 0, r"at least 1, found 0; give every = 1"),
    ("mixed-precision", "pulses", 0, r"at least 1, found 0; give pulses = 1"),
    ("mixed-precision", "step", -1.0, r"cannot be negative.*give 0 for the device's own granularity"),
    ("msp-lsp", "every", 0, r"samples from 1, found 0; give 1"),
    ("msp-lsp", "gain", 0.0, r"F must be above 0.*no weight is held by the MSP, found 0\.0; give 3"),
    ("msp-lsp", "gain", -3.0, r"F must be above 0.*found -3\.0; give 3"),
    ("msp-lsp", "gain", float("inf"), r"a finite number or a list of numbers, one per chip, found inf"),
    ("msp-lsp", "select", "saturatd", r"found 'saturatd'; did you mean 'saturated'"),
    ("msp-lsp", "select", "saturated", r"polarity_inversion.*give polarity_inversion = false, or select = \"all\""),
    ("msp-lsp", "program.iterations", 0, r"at least 1, found 0"),
    ("msp-lsp", "program.strategy", "tun", r"found 'tun'; did you mean 'tune'"),
    ("msp-lsp", "reset_noise", -1.0, r"cannot be negative or infinite, found -1\.0"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "path", "value", "says"), WRONG, ids=lambda v: str(v)[:30])
def test_an_impossible_setting_is_refused_by_its_path(name: str, path: str, value: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        config(name, {path: value})
    assert "rule." in str(caught.value)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Schedule(0), "give 1"),
        (lambda: Buffer(threshold=float("nan")), "give 1"),
        (lambda: Average(momentum=-0.1), "give"),
        (lambda: Chopper(-0.1), "give"),
        (lambda: LastPeriod(-1.0), "give 5"),
    ],
)
def test_parts_refuse_alone(make: Callable[[], Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        make()


@pytest.mark.parametrize("name", NAMES)
def test_a_device_that_pulses_can_only_raise_needs_a_pair(name: str) -> None:
    """Refused with the cell that works, which then does work."""
    with pytest.raises(ConfigError, match=r'cell\.pair.*no weight could ever fall; give cell\.pair = "one-sided"'):
        config(name, device=UnipolarSoftBounds())
    works = config(name, device=UnipolarSoftBounds(), cell=Cell(pair="one-sided"))
    layer = AnalogLinear(4, 3, config=works, name="fc")
    assert layer.get_weights()[0].abs().max() > 0.1
    with pytest.raises(ConfigError, match=r'"one-sided".*give cell\.pair = "differential", or a device that'):
        config(name, device=SoftBounds(), cell=Cell(pair="one-sided"))


@pytest.mark.parametrize("name", [n for n in NAMES if "fast" in case(n).arrays or "lsp" in case(n).arrays])
def test_a_further_array_of_such_devices_needs_one_too(name: str) -> None:
    further = case(name).arrays[1]
    with pytest.raises(ConfigError, match=r"rule\.\w+\.cell\.pair.*give cell\.pair = .one-sided"):
        config(name, {f"{further}.device": "unipolar-soft-bounds"})
    with pytest.raises(ConfigError, match=r'give cell\.pair = "one-sided"'):
        ArraySettings(UnipolarSoftBounds())


@pytest.mark.parametrize("name", list(rules()))
def test_one_sided_devices_are_not_zero_shifted(name: str) -> None:
    """In a run's configuration, before anything is made; and for a model that holds them in any array."""
    settings = ['device="unipolar-soft-bounds"', 'cell.pair="one-sided"', "zero_shift.pulses=20", f'rule="{name}"']
    with pytest.raises(ConfigError, match=r"zero_shift.*pulses can only raise its devices.*leave zero_shift out"):
        override(RunConfig(), settings, "")


@pytest.mark.parametrize("name", TRANSFERS)
def test_a_further_array_that_cannot_be_zero_shifted_is_named(name: str) -> None:
    fast = ArraySettings(UnipolarSoftBounds(), Cell(pair="one-sided"))
    layer = AnalogLinear(4, 3, config=config(name, {"fast": fast}, device=SoftBounds()), name="fc")
    before = {key: value.clone() for key, value in layer.state_dict().items()}
    with pytest.raises(
        ConfigError, match=r"'fc'.*array 'fc\[0,0\]/fast' has cell\.pair = .one-sided.*leave zero_shift"
    ):
        mho.zero_shift(layer)
    assert all(torch.equal(value, before[key]) for key, value in layer.state_dict().items())


@pytest.mark.parametrize("name", TRANSFERS)
def test_more_lines_than_there_are_name_the_most_that_there_are(name: str) -> None:
    with pytest.raises(ConfigError, match=r"schedule\.reads = 9 columns.*the array has 5; give schedule\.reads = 5"):
        AnalogLinear(4, 3, config=config(name, {"schedule.reads": 9}), name="fc")


def test_a_gain_at_which_weights_are_unreachable_names_one_that_works() -> None:
    """The gap between two weights that the MSP can hold, against the span of the LSP; the number told works."""

    def layer(gain: float) -> AnalogLinear:
        settings = config("msp-lsp", {"gain": gain}, device=ConstantStep(dw_min=0.02))
        return AnalogLinear(4, 3, config=settings, name="fc")

    with pytest.raises(ConfigError, match=r"F = 500 makes weights unreachable.*give F of at most") as caught:
        layer(500.0)
    found = re.search(r"at most ([\d.]+)", str(caught.value))
    assert found is not None
    layer(0.99 * float(found[1].rstrip(".")))


def test_what_is_no_rule_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"rule: must be a Rule, found 3; give"):
        AnalogConfig(rule=3)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"rule: 'ttv3' is no rule; did you mean 'ttv2'"):
        AnalogConfig().with_(rule="ttv3")
    with pytest.raises(ConfigError, match=r"rule\.fast_rate: no such setting.*did you mean 'fast_lr'"):
        config("ttv2", {"fast_rate": 0.1})
    with pytest.raises(ConfigError, match=r"nowhere\.py"):
        AnalogConfig().with_(rule="nowhere.py:Mine")
    with pytest.raises(ConfigError, match=r"write\.bl|bl is"):
        config("tiki-taka", {"write.bl": 0})
