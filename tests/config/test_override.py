"""Single settings from a command line: values as TOML or bare words, names as short as they are unique."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mho.config import RunConfig, SettingsError, override, preset
from mho.devices import SoftBounds, Spread
from mho.errors import ConfigError


def test_values_are_toml_or_bare_words() -> None:
    run = override(
        RunConfig(),
        [
            "device.dw_min=[0.001, 0.002]", "chips = 2", "update.bl=10", "forward.noise_management=none",
            "analog.forward.adc_bits=none", "vary=[init, order]", 'data="digits"', "data=fashion-mnist",
            "lr_schedule={epochs=[10, 20], factor=0.1}", "lr=1e-3", 'layers={"fc*"={devices=2}}',
            'layers."a.b".bl=3',
        ],
    )  # fmt: skip
    assert run.analog.device.dw_min == Spread((0.001, 0.002), d2d=0.3)  # type: ignore[attr-defined]
    assert run.analog.update.bl == 10
    assert (run.analog.forward.noise_management, run.analog.forward.adc_bits) == ("none", None)
    assert (run.chips, run.vary, run.data, run.lr) == (2, ("init", "order"), "fashion-mnist", 0.001)
    assert run.lr_schedule.epochs == (10, 20)
    assert run.analog.for_layer("fc1").cell.devices == 2
    assert run.analog.for_layer("a.b").update.bl == 3
    assert override(run, ["lr_schedule=constant"]).lr_schedule.epochs == ()


@pytest.mark.parametrize(
    "setting",
    ["device=soft-bounds", "device.law=soft-bounds", 'analog.device={law="soft-bounds"}'],
)
def test_a_device_is_named(setting: str) -> None:
    assert override(RunConfig(), [setting, "c2c=0.1"]).analog.device == SoftBounds(c2c=0.1)
    assert override(preset("gokmen-2017"), [setting]).device == SoftBounds()


def test_all_that_is_wrong_is_reported_at_once() -> None:
    settings = [
        "device.dw_mim=1",
        "epochs",
        "epohs=3",
        "bl=x",
        "=3",
        "device=soft-bound",
        "scale=2",
        "lr=[0.1,0.2]",
    ]
    with pytest.raises(SettingsError) as error:
        override(RunConfig(), settings)
    found = dict(error.value.problems)
    assert str(error.value).startswith("--set: 8 settings are wrong\n")
    assert "did you mean 'dw_min'" in found["device.dw_mim"]
    assert found["epochs"] == found["=3"] == "expected path.to.field=value"
    assert "did you mean 'epochs'" in found["epohs"]
    assert found["analog.update.bl"] == "expected a whole number, found 'x'"
    assert "did you mean 'soft-bounds'" in found["analog.device"]
    assert "analog.forward.scale, analog.backward.scale, analog.mapping.scale" in found["scale"]
    assert "chips is 1" in found["lr"]


def test_tables_over_chips_are_counted_and_named() -> None:
    rows = "device.nodes_up=[[1,1,1,1,1],[2,1,1,1,1]]"
    with pytest.raises(SettingsError, match=r"analog\.device\.nodes_up: lists 2 values for chips, but chips is 3"):
        override(RunConfig(chips=3), ["device=piecewise-step", rows])
    assert len(override(RunConfig(chips=2), ["device=piecewise-step", rows]).analog.device.nodes_up) == 2
    override(RunConfig(chips=3), ["device=piecewise-step", "device.nodes_up=[1,1,1,1,2]"])
    with pytest.raises(SettingsError, match=r"expected a list of finite numbers \(a table\), or a list of such lists"):
        override(RunConfig(), ["device=piecewise-step", "device.nodes_up=[1,nan,2,3,4]"])


settings = st.text() | st.builds("{}={}".format, st.sampled_from(["bl", "device", "layers", "lr"]), st.text())


@given(st.lists(settings))
def test_any_text_is_a_change_or_refused(found: list[str]) -> None:
    with suppress(ConfigError):
        assert isinstance(override(RunConfig(), found), RunConfig)
