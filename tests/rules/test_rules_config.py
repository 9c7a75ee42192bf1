"""Rules in configurations: by layer, by list over chips, by path, and through TOML and back."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
from torch import nn

import mho
from mho import AnalogConfig, Cell, RunConfig
from mho.config import dump, load, loads, override, save
from mho.devices import Capacitor, Device, SoftBounds, Spread
from mho.errors import ConfigError
from mho.tiles.cell import ArraySettings
from mho.update.rule import Rule
from rules.cases import NAMES, PATHS, case, config, rule
from rules.training import analog, network

OTHER = SoftBounds(dw_min=Spread((0.002, 0.003), d2d=0.1), up_down=1.3)
TOLD: dict[str, Any] = {
    "version": "v2", "select": "half-rows", "residual": "lsp", "schedule.unit": "batch", "unit": "batch",
    "order": "random", "by": "rows", "chopper.switching": "random", "strategy": "rewrite", "every": 5, "reads": 2,
    "most": 3, "iterations": 7, "pulses": 30, "total": 9, "lsp": ArraySettings(OTHER, Cell(devices=2)),
    "fast": ArraySettings(Capacitor(), Cell(devices=2, pulsed="turn")),
}  # fmt: skip
"""By path, or by name alone, of a setting: another value than its default."""


def unusual(settings: Any, path: str = "") -> dict[str, Any]:
    """Return for every setting of a rule, by path, a value that is not its default; for numbers a list of two."""
    found: dict[str, Any] = {}
    for field in fields(settings):
        value, here = getattr(settings, field.name), f"{path}{field.name}"
        if here in TOLD or field.name in TOLD:
            found[here] = TOLD.get(here, TOLD.get(field.name))
        elif isinstance(value, bool):
            found[here] = not value
        elif isinstance(value, float):
            found[here] = (0.5 * value, 0.75 * value) if value else (0.01, 0.02)
        elif is_dataclass(value) and not isinstance(value, Device) and field.name not in ("read", "write"):
            found |= unusual(value, f"{here}.")
    return found


@pytest.mark.parametrize("name", NAMES)
def test_every_rule_goes_to_toml_and_back(name: str, tmp_path: Path) -> None:
    """With other settings than its defaults, alone, in a run, and for one layer; lists over chips where they may be."""
    plain = {"eta": 0.2, "chopper.probability": 0.2, "fast": TOLD["fast"]}
    changed = config(name, plain if name in PATHS else unusual(rule(name)))
    assert changed.rule != rule(name) or name == "pulsed"
    assert loads(dump(changed), AnalogConfig) == changed
    run = RunConfig(chips=2, analog=AnalogConfig(rule=changed.rule, layers={"fc1": {"rule": rule(name)}}))
    save(run, tmp_path / "run.toml")
    again = load(tmp_path / "run.toml")
    assert again == run
    assert again.analog.for_layer("fc1").rule == rule(name)
    assert again.analog.for_layer("fc2").rule == changed.rule


@pytest.mark.parametrize("name", NAMES)
def test_busy_settings_go_to_toml_and_back(name: str) -> None:
    changed = config(name, case(name).busy)
    assert loads(dump(changed), AnalogConfig) == changed


@pytest.mark.parametrize("name", NAMES)
def test_one_layer_learns_by_the_rule_and_the_others_by_pulses(name: str) -> None:
    """By `layers` in Python, in a table of TOML, and by --set: the same configuration, which then makes one model."""
    told = PATHS.get(name, name)
    ways = [
        AnalogConfig(layers={"fc1": {"rule": told}}),
        AnalogConfig(layers={"fc1": {"rule": rule(name)}}),
        loads(f'[analog.layers.fc1.rule]\nname = "{told}"\n').analog,
        override(RunConfig(), [f'analog.layers.fc1.rule="{told}"'], "").analog,
    ]
    assert all(one.for_layer("fc1").rule == rule(name) for one in ways)
    assert all(one.for_layer("fc2").rule == AnalogConfig().rule for one in ways)
    model: nn.Module = network(ways[0])
    arrays = [list(layer.grid_list[0].block_list[0].arrays) for layer in analog(model)]
    assert arrays == [["weight"], list(case(name).arrays), ["weight"]]


def test_a_layers_rule_has_settings_of_its_own_by_path() -> None:
    one = AnalogConfig(layers={"fc1": {"rule": "ttv2", "rule.fast_lr": 0.2, "rule.schedule.every": 3}})
    found: Any = one.for_layer("fc1").rule
    assert (found.fast_lr, found.schedule.every) == (0.2, 3)
    assert loads(dump(one), AnalogConfig) == one


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        (['rule="ttv2"', "rule.fast_lr=0.1", "rule.schedule.every=3"], {"fast_lr": 0.1, "schedule.every": 3}),
        (['rule="msp-lsp"', 'rule.lsp.device="soft-bounds"', "rule.lsp.device.dw_min=0.002"],
         {"lsp.device.dw_min.mean": 0.002, "lsp.device.up_down.mean": 1.0}),
        (['rule="tiki-taka"', 'rule.fast.device="soft-bounds"', "rule.fast.device.up_down=1.5",
          'rule.fast.cell.reference="device"'],
         {"fast.device.up_down.mean": 1.5, "fast.cell.reference": "device"}),
        (['rule={name="residual", version="v2", gamma=[0.1, 0.2]}', "chips=2"], {"version": "v2", "gamma": (0.1, 0.2)}),
    ],
    ids=str,
)  # fmt: skip
def test_rules_and_their_arrays_are_set_by_path(settings: list[str], found: dict[str, Any]) -> None:
    made = override(RunConfig(), settings, "")
    for path, value in found.items():
        here: Any = made.analog.rule
        for part in path.split("."):
            here = getattr(here, part)
        assert here == value, path
    assert loads(dump(made)) == made


@pytest.mark.parametrize("name", NAMES)
def test_lists_over_chips_inside_rules_are_checked_for_their_length(name: str) -> None:
    """Every number of a rule that may be a list, and the parameters of its further arrays' devices."""
    if name in PATHS:
        pytest.skip("its settings are plain numbers")
    lists = {path: value for path, value in unusual(rule(name)).items() if isinstance(value, tuple)}
    for path, (one, two) in lists.items():
        made = config(name, {path: (one, two, one)})
        made.check_chips(3)
        with pytest.raises(ConfigError, match=rf"rule\.{path}: lists 3 values for chips, but chips is 2"):
            made.check_chips(2)
        with pytest.raises(ConfigError, match=rf"rule\.{path}: lists 3 values for chips, but chips is 2"):
            RunConfig(chips=2, analog=made)
    for array in [a for a in case(name).arrays if a in ("fast", "lsp")]:
        made = config(name, {array: ArraySettings(OTHER)})
        made.check_chips(2)
        with pytest.raises(ConfigError, match=rf"rule\.{array}\.device\.dw_min\.mean: lists 2 values for chips"):
            made.check_chips(3)
    by_layer = AnalogConfig(layers={"fc1": {"rule": config(name, lists).rule}})
    if lists:
        with pytest.raises(ConfigError, match=r"layers\.fc1\.rule\..*lists 2 values for chips, but chips is 5"):
            by_layer.check_chips(5)


def test_every_rule_is_registered_with_a_description_and_a_source() -> None:
    from mho.config.describe import first_line, reference

    for name in NAMES:
        kind = type(rule(name))
        assert issubclass(kind, Rule)
        assert first_line(kind).endswith(".")
        assert name in PATHS or reference(kind)
    assert mho.AnalogConfig().rule == rule("pulsed")
