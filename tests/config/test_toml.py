"""Configurations go to TOML and back unchanged; any text is a configuration or refused."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from config.strategies import CHIPS, analogs, runs
from mho.config import AnalogConfig, RunConfig, SettingsError, dump, load, loads, preset, presets, save
from mho.devices import LinearStep, SoftBounds, Spread
from mho.errors import ConfigError

KEYS = tuple(
    """preset network data epochs batch_size lr lr_schedule chips seed vary threads backend analog device
    forward backward update mapping layers law dw_min mean d2d std log_normal leak lifetime faults dead c2c
    bl trains dac_bits scale output_bound factor w_max w_min bogus""".split()  # noqa: SIM905
)
VALUES = tuple(
    """0 1 -1 2 7 0.5 -0.5 1e308 1e999 nan -inf true "none" "constant" "soft-bounds" "linear-step" "mnist" ""
    [] [1,2] [0.1,"a"] {} {mean=1} {d2d=0.1} {mean=[1,2],d2d=-1} {law="soft-bounds"} {law=3}
    {law="nowhere:No"} 1979-05-27 {bl=1} {"*"={bl=2}} {"*"={law=1}} {"*"=1} [[1]] "a.py:B" "~x/y"
    99999999999999999999999""".split()  # noqa: SIM905
)


@given(runs)
@settings(max_examples=200)
def test_runs_round_trip(config: RunConfig) -> None:
    assert loads(dump(config)) == config


@given(analogs)
@settings(max_examples=100)
def test_analog_configs_round_trip_alone_and_as_part_of_a_run(config: AnalogConfig) -> None:
    text = dump(config)
    assert loads(text, AnalogConfig) == config
    assert loads(f"chips = {CHIPS}\n{text}").analog == config


@pytest.mark.parametrize("row", presets(), ids=lambda row: row.name)
def test_presets_round_trip(row: object) -> None:
    config = RunConfig(preset=row.name)  # type: ignore[attr-defined]
    assert loads(dump(config)) == config
    assert config.analog == row.config  # type: ignore[attr-defined]


@given(st.text())
@example("x = " + "[" * 20_000)
@example("x = " + "9" * 5_000)
@example("\ud800")
def test_any_text_is_a_configuration_or_refused(text: str) -> None:
    for kind in (RunConfig, AnalogConfig):
        with suppress(ConfigError):
            assert isinstance(loads(text, kind), kind)


lines = st.tuples(st.lists(st.sampled_from(KEYS), min_size=1, max_size=4).map(".".join), st.sampled_from(VALUES))


@given(st.lists(lines, max_size=6, unique_by=lambda line: line[0]))
@settings(max_examples=500)
def test_any_settings_are_a_configuration_or_refused(found: list[tuple[str, str]]) -> None:
    text = "\n".join(f"{key} = {value}" for key, value in found)
    for kind in (RunConfig, AnalogConfig):
        try:
            config = loads(text, kind)
        except ConfigError:
            continue
        assert loads(dump(config), kind) == config


def test_everything_wrong_is_reported_at_once_with_the_nearest_names() -> None:
    text = """
        preset = "gokmen-2071"
        epochs = 2.5
        bach_size = 10
        network = "fnc"
        [analog.device]
        law = "soft-bounds"
        dw_mim = 0.1
        w_max = { mean = 0.6, d2d = -0.3 }
        [analog.update]
        bl = 0
        [analog.backward]
        noise_management = "max_abs"
        dac_bits = true
        [analog.forwrd]
    """
    with pytest.raises(SettingsError) as caught:
        loads(text, name="run.toml")
    message = str(caught.value)
    assert message.startswith("run.toml: 10 settings are wrong\n")
    assert [path for path, _ in caught.value.problems] == [
        "preset", "epochs", "bach_size", "analog.device.dw_mim", "analog.device.w_max", "analog.update",
        "analog.backward.noise_management", "analog.backward.dac_bits", "analog.forwrd", "network",
    ]  # fmt: skip
    for part in (
        "did you mean 'gokmen-2017'", "expected a whole number, found 2.5", "did you mean 'batch_size'",
        "did you mean 'fcn'", "did you mean 'dw_min'", "d2d is a standard deviation and cannot be negative",
        "from 1 to 64, found 0", "did you mean 'max-abs'",
        'expected a whole number or "none" or a list, each a whole number or "none", found True',
        "no such setting of AnalogConfig; did you mean 'forward'",
    ):  # fmt: skip
        assert part in message


def test_broken_toml_names_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "broken.toml"
    path.write_text("epochs = 3\nchips = = 2\n")
    with pytest.raises(ConfigError, match=r"broken\.toml is not valid TOML: .*line 2"):
        load(path)


def test_missing_and_unreadable_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.toml cannot be read: No such file"):
        load(tmp_path / "absent.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load(tmp_path / "binary.toml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path)


def test_a_file_states_changes_of_its_preset() -> None:
    config = loads('preset = "gokmen-vlasov-2016"\nchips = 2\n[device]\ndw_min = [0.001, 0.002]\n[update]\nbl = 5')
    base = preset("gokmen-vlasov-2016")
    assert config.analog.device.dw_min == Spread((0.001, 0.002), d2d=0.3)  # type: ignore[attr-defined]
    assert config.analog == base.with_({"dw_min": (0.001, 0.002), "bl": 5})
    assert loads('preset = "none"').analog == AnalogConfig()


def test_a_table_with_a_law_is_a_new_device() -> None:
    config = loads('[device]\nlaw = "soft-bounds"\ndw_min = 0.01\nw_max = { mean = 0.5, d2d = 0.1 }', AnalogConfig)
    assert config.device == SoftBounds(dw_min=Spread(0.01), w_max=Spread(0.5, d2d=0.1))
    assert loads('device = "ecram"', AnalogConfig).device == LinearStep(
        dw_min=Spread(0.002, d2d=0.1), up_down=Spread(1.0, d2d=0.02), w_max=Spread(1.1724, d2d=0.05),
        w_min=Spread(-0.8276, d2d=0.05), gamma_up=Spread(0.1153, std=0.05),
        gamma_down=Spread(0.5085, std=0.05), mean_bounds=True, shifted=True,
    )  # fmt: skip
    with pytest.raises(ConfigError, match="a spread needs its mean"):
        loads('[device]\nlaw = "soft-bounds"\ndw_min = { d2d = 0.3 }', AnalogConfig)


def test_none_is_a_word() -> None:
    config = loads('[forward]\nadc_bits = "none"\n[device.leak]\nlifetime = 100.0', AnalogConfig)
    assert config.forward.adc_bits is None
    assert config.backward.adc_bits == 9
    assert config.device.leak is not None
    assert loads(dump(config).replace("leak = {", 'leak = "none" # {'), AnalogConfig).device.leak is None


def test_a_setting_given_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"device: is given twice, here and as analog\.device"):
        loads('device = "ecram"\n[analog.device]\nlaw = "soft-bounds"')


def test_save_and_load_a_file(tmp_path: Path) -> None:
    config = RunConfig(preset="gokmen-vlasov-2016", epochs=7, chips=(3, 9), lr=(0.1, 0.2))
    save(config, tmp_path / "config.toml")
    assert load(tmp_path / "config.toml") == config


def test_importing_the_configuration_loads_no_torch() -> None:
    code = "import mho.config, sys; print([m for m in ('torch', 'numba', 'scipy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_paths_are_read_from_the_folder_of_the_file_and_saved_absolute(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text('data = "images/flowers"\nnetwork = "nets.py:mlp"\n')
    run = load(tmp_path / "run.toml")
    assert run.data == (tmp_path / "images" / "flowers").as_posix()
    assert run.network == (tmp_path / "nets.py").as_posix() + ":mlp"
    assert loads(dump(run), folder=tmp_path / "elsewhere") == run
    assert RunConfig(data="./images").data == (Path.cwd() / "images").as_posix()
