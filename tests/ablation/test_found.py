"""Which properties are found in presets, in every law and in a user's own, and that turning off does what it says."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mho.ablation import plan
from mho.ablation.balance import imbalance
from mho.ablation.bounds import mean_bounds
from mho.ablation.found import find
from mho.characterize import Sample
from mho.characterize.subject import config_of
from mho.config import AnalogConfig, RunConfig, preset
from mho.config.laws import laws
from mho.devices import Device, LinearStep, SoftBounds, Spread, catalogue, law
from mho.devices.base import Array, Draw, Faults, Leak
from mho.devices.ops import maximum, minimum, where
from mho.errors import ConfigError
from mho.mapping.settings import Mapping
from mho.periphery.settings import Periphery
from mho.update.settings import Update

BASE = preset("gokmen-2017")
PERIPHERY = {"output noise", "DAC", "ADC", "output bound"}
DEVICES: dict[str, Device] = {row.name: row.device for row in catalogue.devices()}
DEVICES |= {name: kind() for name, kind in laws().items()}


def names(analog: AnalogConfig, **options: Any) -> set[str]:
    return {p.name for p in find(analog, **options).properties}


def of_device(device: Device) -> set[str]:
    return names(replace(BASE, device=device)) - PERIPHERY - {"granularity"}


class Gap(Device):
    """A user's law whose fields have names of their own."""

    rise: Spread = Spread(0.002, d2d=0.1)
    fall: Spread = Spread(0.001)
    largest: Spread = Spread(0.5, d2d=0.2)
    smallest: Spread = Spread(-0.4)
    shake: float = 0.2

    def cells(self, draw: Draw) -> dict[str, Array]:
        return {
            "rise": draw(self.rise), "fall": draw(self.fall), "top": draw(self.largest), "bottom": draw(self.smallest),
            "shake": self.shake,
        }  # fmt: skip

    @law
    def pulse(w: Any, up: Any, xi: Any, rise: Any, fall: Any, top: Any, bottom: Any, shake: Any) -> Any:
        return minimum(maximum(w + where(up, rise, -fall) * (1.0 + shake * xi), bottom), top)


class Tilted(Gap):
    """The same with names that say what they are."""

    step_up: Spread = Spread(0.002)
    step_down: Spread = Spread(0.001)
    pulse_noise: float = 0.3

    def cells(self, draw: Draw) -> dict[str, Array]:
        cells = super().cells(draw)
        return cells | {"rise": draw(self.step_up), "fall": draw(self.step_down), "shake": self.pulse_noise}

    pulse = law(Gap.pulse)


def test_the_default_preset_has_these() -> None:
    spreads = {f"d2d of {name}" for name in ("dw_min", "up_down", "w_max", "w_min")}
    assert names(BASE) == {"granularity", "bounds", "c2c noise"} | spreads | PERIPHERY


def test_without_noise_management_inputs_may_leave_their_range() -> None:
    assert "input range" in names(preset("gokmen-vlasov-2016"))


def test_products_one_by_one() -> None:
    analog = replace(BASE, backward=Periphery(ideal=True))
    found = names(analog, apart=True)
    assert {"ADC, forward", "output noise, forward"} <= found
    assert not any(name.endswith("backward") for name in found)
    assert {"ADC, forward", "ADC, backward"} <= names(BASE, apart=True)


@pytest.mark.parametrize("name", sorted(DEVICES))
def test_every_device_can_be_turned_off_completely(name: str) -> None:
    device = DEVICES[name]
    analog = replace(BASE, device=device, cell=config_of(device).cell)
    found = find(analog)
    none = found.without(analog, [p.name for p in found.properties])
    quiet = none.device
    assert "c2c noise" in {p.name for p in found.properties}
    wide = "bounds" in {p.name for p in found.properties}
    jumps = name in ("jump-step", "unipolar-jump")  # the jump is a share of the range
    assert wide or (jumps and "bounds" in dict(found.inseparable))
    assert not quiet.noisy().any()
    assert not any(s.varies for f in dataclasses.fields(quiet) if isinstance(s := getattr(quiet, f.name), Spread))
    low, high = mean_bounds(quiet) or (0.0, 0.0)
    assert (low < -40 and high > 40) or not wide
    assert none.update.trains == "mean"
    with pytest.raises(ConfigError, match="nothing to ablate"):
        find(none)
    skewed = {n for n, _ in found.inseparable}
    up, down = imbalance(quiet)
    assert ("asymmetry" in skewed) or up == pytest.approx(down, rel=3e-3)
    np.testing.assert_allclose(sum(imbalance(quiet)), sum(imbalance(device)), rtol=0.15)


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        (SoftBounds(up_down=1.5), "asymmetry"),
        (LinearStep(up_down=0.7, gamma_up=0.2), "asymmetry"),
        (DEVICES["reram-es"], "asymmetry"),
        (DEVICES["tabular-step"].__class__(up_mean=(0.003, 0.003), down_mean=(0.001, 0.001), up_std=(0.0, 0.0), down_std=(0.0, 0.0)), "asymmetry"),  # noqa: E501
        (SoftBounds(write_noise=2.0), "write noise"),
        (SoftBounds(leak=Leak(lifetime=Spread(100.0, d2d=0.2))), "d2d of leak.lifetime"),
        (SoftBounds(diffusion=0.01), "diffusion"),
        (SoftBounds(faults=Faults(dead=0.1)), "faults"),
        (SoftBounds(correlations=(("dw_min", "w_max", 0.5),)), "correlations"),
    ],
)  # fmt: skip
def test_what_else_a_device_may_have(device: Device, expected: str) -> None:
    assert expected in of_device(device)
    assert expected not in of_device(SoftBounds())
    without = find(replace(BASE, device=device)).without(replace(BASE, device=device), [expected]).device
    assert expected not in of_device(without)


def test_balanced_laws_have_no_asymmetry() -> None:
    assert "asymmetry" not in of_device(DEVICES["exp-step"])  # its A and gamma differ, its steps at w = 0 do not
    assert "asymmetry" not in of_device(DEVICES["reram-sb"])


def test_the_spread_of_bounds_needs_bounds() -> None:
    needs = {p.name: p.needs for p in find(BASE).properties}
    assert needs["d2d of w_max"] == "bounds"
    assert needs["d2d of dw_min"] == ""


def test_a_law_of_ones_own() -> None:
    found = find(replace(BASE, device=Gap()))
    assert {"bounds", "d2d of rise", "d2d of largest"} <= {p.name for p in found.properties}
    assert {p.needs for p in found.properties if p.name == "d2d of largest"} == {"bounds"}
    assert {name for name, _ in found.inseparable} == {"asymmetry", "c2c noise"}  # no field speaks of them
    assert all("Gap" in why for _, why in found.inseparable)
    assert {"asymmetry", "c2c noise"} <= of_device(Tilted())


def test_a_wider_adc_keeps_its_step() -> None:
    found = find(BASE)
    wide = found.without(BASE, ["output bound"]).forward
    step, before = (2 * p.output_bound / (2**p.adc_bits - 2) for p in (wide, BASE.forward))
    assert step == pytest.approx(before, rel=1e-12)
    assert wide.output_bound > 1000 * BASE.forward.output_bound
    assert found.without(BASE, ["ADC", "output bound"]).forward.adc_bits is None


def test_turning_one_off_changes_that_alone() -> None:
    device = DEVICES["reram-es"]
    found = find(replace(BASE, device=device))
    one = found.without(replace(BASE, device=device), ["c2c noise"])
    assert one == replace(BASE, device=replace(device, c2c=0.0))  # type: ignore[call-arg]


def test_soft_bounds_lose_their_slope() -> None:
    wide = find(replace(BASE, device=SoftBounds())).without(replace(BASE, device=SoftBounds()), ["bounds"]).device
    sample = Sample(wide, mean=True)
    at = [float(sample.moved(np.full((1, 1), w), True)[0, 0]) - w for w in (0.0, 0.5)]
    assert at[1] == pytest.approx(at[0], rel=0.02)


def test_an_exact_update_has_what_acts_without_pulses() -> None:
    found = names(replace(BASE, update=Update(trains="ideal")))
    assert found == PERIPHERY | {"bounds", "d2d of w_max", "d2d of w_min"}


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (RunConfig(preset="ideal"), ("nothing to ablate", "'ideal'", "pulsed")),
        (RunConfig(chips=2, lr=(0.1, 0.2)), ("lr: a list over chips", "one value")),
        (RunConfig(chips=2).with_({"device.dw_min": [0.1, 0.2]}), ("device.dw_min.mean", "--set")),
        (RunConfig(chips=2).with_({"forward.adc_bits": [7, 9]}), ("forward.adc_bits",)),
        (
            RunConfig(analog=replace(BASE, layers={"fc3": {"device.dw_min": 0.1}})),
            ('layers."fc3".device.dw_min', "stay"),
        ),
    ],
)
def test_what_cannot_be_ablated_is_told(config: RunConfig, words: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError) as caught:
        plan(config)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_layers_may_be_mapped_differently() -> None:
    plan(RunConfig(analog=replace(BASE, layers={"fc3": {"mapping.max_rows": 5}}, mapping=Mapping())))


def test_an_unknown_property_is_told_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"'granularty' \(did you mean 'granularity'\?\)"):
        find(BASE, only=["granularty"])
