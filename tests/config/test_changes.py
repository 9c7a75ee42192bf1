"""Changed copies: by object, by path, by the end of a path; layers by name; what is wrong with a name."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest

from config.strategies import Relaxor
from mho.config import AnalogConfig, RunConfig, SettingsError, preset
from mho.devices import ConstantStep, Faults, Leak, LinearStep, SoftBounds, Spread
from mho.errors import ConfigError
from mho.mapping import Mapping
from mho.periphery import Periphery
from mho.update import Update

BASE = AnalogConfig()


def problems(error: pytest.ExceptionInfo[SettingsError]) -> dict[str, str]:
    return dict(error.value.problems)


def test_an_object_a_table_a_path_and_the_end_of_a_path_change_the_same() -> None:
    expected = replace(BASE, update=replace(BASE.update, bl=1))
    assert BASE.with_(update=replace(BASE.update, bl=1)) == expected
    assert BASE.with_(update={"bl": 1}) == expected
    assert BASE.with_({"update.bl": 1}) == expected
    assert BASE.with_(update__bl=1) == expected
    assert BASE.with_(bl=1) == expected
    assert AnalogConfig() == BASE  # a copy was changed


def test_backward_follows_forward_when_made_and_stands_alone_when_changed() -> None:
    forward = Periphery(output_noise=0.2)
    assert AnalogConfig(forward=forward).backward == Periphery(output_noise=0.2, bound_management="none")
    assert BASE.with_({"forward.output_noise": 0.2}).backward == BASE.backward


def test_a_number_changes_the_mean_of_a_spread_and_keeps_the_rest() -> None:
    assert BASE.with_(dw_min=0.002).device.dw_min == Spread(0.002, d2d=0.3)
    assert BASE.with_(dw_min=[0.002, 0.003]).device.dw_min == Spread((0.002, 0.003), d2d=0.3)
    assert BASE.with_(dw_min=np.array([0.002, 0.003])).device.dw_min == Spread((0.002, 0.003), d2d=0.3)
    assert BASE.with_({"device.dw_min.d2d": 0.1}).device.dw_min == Spread(0.001, d2d=0.1)
    assert BASE.with_(dw_min={"d2d": 0, "log_normal": True}).device.dw_min == Spread(0.001, log_normal=True)
    assert BASE.with_(dw_min=Spread(0.5)).device.dw_min == Spread(0.5)
    assert BASE.with_({"dw_min": 0.5, "dw_min.d2d": 0.0}).device.dw_min == Spread(0.5)
    assert BASE.with_({"dw_min.d2d": 0.0, "dw_min": 0.5}).device.dw_min == Spread(0.5)


def test_a_new_device_and_its_settings_come_in_one_call_in_any_order() -> None:
    expected = SoftBounds(c2c=0.5, w_max=0.7)
    assert BASE.with_(device=SoftBounds(w_max=0.7), c2c=0.5).device == expected
    assert BASE.with_(c2c=0.5, device=SoftBounds(w_max=0.7)).device == expected
    assert BASE.with_(levels=7, device=Relaxor()).device == Relaxor(levels=7)
    assert BASE.with_({"device.law": "soft-bounds", "gamma_up": 0.5, "device": "ecram"}).device.gamma_up.mean == 0.5
    with pytest.raises(SettingsError, match="levels: no such setting"):
        BASE.with_(levels=7, device=SoftBounds())


def test_optional_parts_are_switched_on_by_naming_a_part_and_off_by_none() -> None:
    leaky = BASE.with_({"leak.lifetime": 50})
    assert leaky.device.leak == Leak(lifetime=50)
    assert leaky.with_(leak=None).device.leak is None
    assert leaky.with_(leak="none").device.leak is None
    assert BASE.with_(dead=0.1).device.faults == Faults(dead=0.1)


def test_unknown_ambiguous_and_impossible_changes_are_all_reported() -> None:
    with pytest.raises(SettingsError) as error:
        BASE.with_(
            {
                "dw_mim": 1,
                "scale": 2,
                "device.foo": 3,
                "update.bl": 0,
                "dac_bitz": 3,
                "bias": 1,
                "lifetime": True,
            }
        )
    found = problems(error)
    assert "'dw_min'" in found["dw_mim"]
    assert found["scale"].endswith("write one out: forward.scale, backward.scale, mapping.scale")
    assert "valid names: c2c, correlations" in found["device.foo"]
    assert "found 0" in found["update"]
    assert "'dac_bits'" in found["dac_bitz"]
    assert "one of array, digital, none, found 1" in found["mapping.bias"]
    assert "found True" in found["device.leak.lifetime"]
    assert len(found) == 7


def test_wrong_parts_are_refused_by_name() -> None:
    with pytest.raises(SettingsError, match=r"update: must be a Update, found 3"):
        AnalogConfig(update=3)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"there is no preset 'gokmen-2016'.*'gokmen-2017'"):
        preset("gokmen-2016")


def test_layers_differ_by_pattern_and_the_later_pattern_wins() -> None:
    config = BASE.with_(layers={"conv*": {"devices": 4, "device": SoftBounds()}, "conv2": {"cell.devices": 13}})
    assert config.for_layer("conv1").cell.devices == 4
    assert config.for_layer("conv2").cell.devices == 13
    assert config.for_layer("conv2").device == SoftBounds()
    assert config.for_layer("head.fc") == BASE
    assert config.for_layer("conv2").layers == ()


def test_layer_changes_apply_to_what_the_configuration_becomes() -> None:
    config = BASE.with_(layers={"a.b": {"dw_min": 0.5}}).with_({"dw_min.d2d": 0.0, 'layers."a.b".bl': 7})
    assert config.for_layer("a.b").device == ConstantStep(dw_min=Spread(0.5))
    assert config.for_layer("a.b").update.bl == 7
    assert config.for_layer("a").update.bl == 31
    assert config.with_(layers=()) == BASE.with_({"dw_min.d2d": 0.0})


def test_the_same_layer_changes_are_equal_however_they_are_spelled() -> None:
    one = BASE.with_(layers={"x": {"bl": 3, "forward": {"adc_bits": None}, "leak": Leak()}})
    two = BASE.with_(layers={"x": {"device.leak": Leak(1e6), "forward.adc_bits": "none", "update": {"bl": 3}}})
    assert one == two
    assert hash(one) == hash(two)


def test_wrong_layer_changes_are_all_reported_with_their_pattern() -> None:
    with pytest.raises(SettingsError) as error:
        AnalogConfig(layers={"conv*": {"bl": 0, "devces": 2}, "a.b": {"scale": 1}, "x": 3})  # type: ignore[arg-type]
    assert set(problems(error)) == {
        'layers."conv*".update',
        'layers."conv*".devces',
        'layers."a.b".scale',
        "layers.x",
    }
    with pytest.raises(SettingsError, match=r"layers\.x\.device\.gamma_up"):
        BASE.with_(device=LinearStep(), layers={"x": {"gamma_up": 1.0}}).with_(device=SoftBounds())


def test_lists_over_chips_fit_the_number_of_chips_in_layers_too() -> None:
    config = BASE.with_({"dw_min": [1e-3] * 3, "forward.output_noise": [0.1, 0.2], "layers": {"x": {"c2c": [0, 1]}}})
    with pytest.raises(SettingsError) as error:
        RunConfig(chips=3, lr=[0.1, 0.2], analog=config)  # type: ignore[arg-type]
    assert set(problems(error)) == {"lr", "analog.forward.output_noise", "analog.layers.x.device.c2c"}
    config.with_({"dw_min": 1e-3}).check_chips(2)


def test_a_run_is_changed_by_the_same_names() -> None:
    run = RunConfig().with_(bl=1, epochs=9, lr_schedule={"epochs": [3, 6]}, dw_min=[0.1, 0.2], chips=2)
    assert (run.analog.update.bl, run.epochs, run.lr_schedule.epochs) == (1, 9, (3, 6))
    assert [run.lr_schedule.at(e) for e in (0, 2, 3, 5, 6, 9)] == [1, 1, 0.5, 0.5, 0.25, 0.25]
    assert run.chip_ids == (0, 1)
    assert RunConfig(chips=[7]).chip_ids == (7,)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="a preset is the start"):
        run.with_(preset="gokmen-vlasov-2016")


def test_impossible_runs_are_refused_with_all_that_is_wrong() -> None:
    wrong = {
        "network": "fnc", "data": "mnst", "epochs": -1, "batch_size": 0, "lr": [0.1, -0.1], "chips": [1, 1],
        "seed": 2**64, "vary": ["init", "init"], "threads": 0,
    }  # fmt: skip
    with pytest.raises(SettingsError) as error:
        RunConfig(**wrong)  # type: ignore[arg-type]
    assert set(problems(error)) == set(wrong)
    with pytest.raises(SettingsError) as error:
        RunConfig(epochs=1.5, vary="init", backend="cuda", lr=float("nan"))  # type: ignore[arg-type]
    assert set(problems(error)) == {"epochs", "vary", "backend", "lr"}
    for epochs, factor in (([2, 1], 0.5), ([0], 0.5), ([1], 0.0)):
        with pytest.raises(SettingsError, match="lr_schedule"):
            RunConfig().with_(lr_schedule={"epochs": epochs, "factor": factor})


def test_representation_shows_what_is_not_default_and_evaluates() -> None:
    config = preset("gokmen-vlasov-2016").with_({"dw_min": [0.1, 0.2], "layers": {"x": {"bl": 2}}, "leak": Leak(9.0)})
    text = repr(config)
    assert "w_max" not in text
    assert len(text.splitlines()) > 3
    names = {k.__name__: k for k in (AnalogConfig, ConstantStep, Leak, Mapping, Periphery, Spread, Update)}
    assert eval(text, names) == config
    assert repr(BASE) == "AnalogConfig()"
    assert "epochs=9" in repr(RunConfig(epochs=9))


def test_configurations_can_be_copied_pickled_and_hashed() -> None:
    config = RunConfig(preset="gokmen-vlasov-2016").with_(layers={"x": {"bl": 2}})
    assert copy.deepcopy(config) == config
    assert pickle.loads(pickle.dumps(config)) == config
    assert len({config, copy.copy(config)}) == 1


@pytest.mark.parametrize("value", [[], None, [[1.0]], "1", [None], {}])
def test_what_is_no_number_over_chips_is_refused_by_the_parts(value: object) -> None:
    with pytest.raises(ConfigError, match="expected a number or a list"):
        Spread(value)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="expected a number or a list"):
        Periphery(input_noise=value)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_is_refused_by_the_parts(value: float) -> None:
    for name in ("scale", "input_range", "output_bound", "input_noise", "weight_noise", "output_noise"):
        with pytest.raises(ConfigError, match=name):
            Periphery(**{name: value})  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="write_noise"):
        ConstantStep(write_noise=value)


def test_a_name_means_the_outermost_setting_that_ends_so() -> None:
    config = BASE.with_(rule="msp-lsp", c2c=0.7, every=50)
    assert config.device.c2c == 0.7
    assert config.rule.lsp.device.c2c != 0.7
    assert config.rule.every == 50
    inner = config.with_({"lsp.device.c2c": 0.8, "rule.lsp.device": "capacitor", "lsp.device.dw_min": 0.004})
    assert (inner.rule.lsp.device.c2c, inner.rule.lsp.device.dw_min.mean) == (0.8, 0.004)
    with pytest.raises(SettingsError, match="scale: stands for several settings"):
        BASE.with_(scale=2.0)
