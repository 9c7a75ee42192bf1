"""Presets and published devices hold the numbers of their sources."""

from __future__ import annotations

import numpy as np
import pytest

from mho.config import AnalogConfig, preset, presets
from mho.devices import ConstantStep, Spread, catalogue
from mho.devices.base import MeanDraw, law_arguments
from mho.errors import ConfigError
from mho.mapping import Mapping
from mho.periphery import Periphery
from mho.update import Update

DEVICE_2016 = ConstantStep(
    dw_min=Spread(0.001, d2d=0.3), up_down=Spread(1.0, d2d=0.02), w_max=Spread(0.6, d2d=0.3),
    w_min=Spread(-0.6, d2d=0.3), c2c=0.3,
)  # fmt: skip
CONVERTERS = {"dac_bits": 7, "adc_bits": 9, "output_noise": 0.06, "output_bound": 12.0}


def test_gokmen_vlasov_2016_has_no_management_at_all() -> None:
    bare = Periphery(noise_management="none", bound_management="none", **CONVERTERS)  # type: ignore[arg-type]
    assert preset("gokmen-vlasov-2016") == AnalogConfig(
        device=DEVICE_2016,
        forward=bare,
        backward=bare,
        update=Update(bl=10, bl_management=False, update_management=False),
        mapping=Mapping(max_rows=4096, max_columns=4096, bias="array"),
    )


def test_gokmen_2017_is_the_same_device_with_all_managements() -> None:
    managed = Periphery(noise_management="max-abs", bound_management="iterative", **CONVERTERS)  # type: ignore[arg-type]
    config = preset("gokmen-2017")
    assert config.device == DEVICE_2016
    assert config.forward == managed
    assert (config.backward.noise_management, config.backward.bound_management) == ("max-abs", "none")
    assert config.update == Update(bl=31, bl_management=True, update_management=True)


def test_the_kits_row_has_its_own_range_noise_bound_and_bias() -> None:
    config = preset("aihwkit-gokmen-vlasov")
    assert config.device.w_max == Spread(1.0, d2d=0.3)  # type: ignore[attr-defined]
    assert config.device.dw_min == Spread(0.0016, d2d=0.3)  # type: ignore[attr-defined]
    assert (config.forward.output_noise, config.forward.output_bound) == (0.1, 20.0)
    assert (config.mapping.bias, config.mapping.max_rows) == ("digital", 512)


def test_ideal_is_exact_both_ways() -> None:
    config = preset("ideal")
    assert config.forward.ideal
    assert config.backward.ideal
    assert config.update.trains == "ideal"
    assert not config.device.dw_min.varies  # type: ignore[attr-defined]


@pytest.mark.parametrize("row", [*presets(), *catalogue.devices()], ids=lambda row: row.name)
def test_rows_have_unique_names_and_sources_and_devices_that_move(row: object) -> None:
    names = [r.name for r in (presets() if hasattr(row, "config") else catalogue.devices())]
    assert names.count(row.name) == 1  # type: ignore[attr-defined]
    assert row.source  # type: ignore[attr-defined]
    device = getattr(row, "device", None) or row.config.device  # type: ignore[attr-defined]
    assert device.granularity().shape == (1,)


def test_a_published_device_is_found_by_name_or_the_nearest_are_named() -> None:
    assert catalogue.device("gokmen-vlasov-2016") == DEVICE_2016
    with pytest.raises(ConfigError, match=r"'ecrm'; did you mean 'ecram'"):
        catalogue.device("ecrm")


# w after up pulses from the lower bound, and after as many down pulses as up, all without spread or noise:
# IBM aihwkit 1.2.0, CPU, presets EcRam and Capacitor.
@pytest.mark.parametrize(
    ("name", "up", "down"),
    [
        ("ecram", {20: -0.784425139, 40: -0.741419792, 80: -0.655915022, 1000: 1.13594282}, -0.81947428),
        ("aihwkit-capacitor", {8: -0.9580369, 16: -0.916157484, 32: -0.832649529, 400: 0.998651624}, -0.999872029),
    ],
)
def test_published_linear_steps_follow_the_kits_mean_curves(name: str, up: dict[int, float], down: float) -> None:
    device = catalogue.device(name)
    cells = device.cells(MeanDraw(1))
    arguments = [np.float64(np.asarray(cells[n]).item()) for n in law_arguments(type(device))]
    w, last = arguments[law_arguments(type(device)).index("bottom")], max(up)
    for pulse in range(1, last + 1):
        w = type(device).pulse(w, True, 0.0, *arguments)
        if pulse in up:
            assert w == pytest.approx(up[pulse], abs=2e-5)
    for _ in range(last):
        w = type(device).pulse(w, False, 0.0, *arguments)
    assert w == pytest.approx(down, abs=2e-5)
