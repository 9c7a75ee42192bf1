"""Devices of one's own in configurations: named by file or module, found again in another process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from config.strategies import Relaxor
from mho.config import AnalogConfig, RunConfig, dump, load, loads, override, preset, save
from mho.config.laws import DEVICES, laws
from mho.devices import ConstantStep, Device, Spread, law
from mho.errors import ConfigError

SOURCE = '''
from mho.devices import Device, Spread, law

class Drifter(Device):
    """A device of a user."""

    dw_min: Spread = Spread({mean}, d2d=0.2)
    c2c: float = 0.2

    def cells(self, draw):
        return {{"dw": draw(self.dw_min), "c2c": self.c2c}}

    @law
    def pulse(w, up, xi, dw, c2c):
        return w + dw * (1.0 + c2c * xi)
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "drifter.py").write_text(SOURCE.format(mean=0.002))
    (tmp_path / "config.toml").write_text('[device]\nlaw = "drifter.py:Drifter"\nc2c = [0.1, 0.2]\n[update]\nbl = 3\n')
    return tmp_path


def test_a_file_beside_the_configuration_is_found_from_anywhere(folder: Path) -> None:
    config = load(folder / "config.toml", AnalogConfig)
    assert type(config.device).__name__ == "Drifter"
    assert config.device.dw_min == Spread(0.002, d2d=0.2)  # type: ignore[attr-defined]
    assert config.device.c2c == (0.1, 0.2)  # type: ignore[attr-defined]
    assert load(folder / "config.toml", AnalogConfig) == config
    assert loads(dump(config), AnalogConfig) == config


def test_a_saved_configuration_runs_again_in_another_process_and_folder(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    save(load(folder / "config.toml", AnalogConfig), tmp_path / "elsewhere" / "copy.toml")
    code = "import mho; d = mho.config.load('copy.toml', mho.AnalogConfig).device; print(d.dw_min, d.c2c)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path / "elsewhere", capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "Spread(mean=0.002, d2d=0.2, std=0.0, log_normal=False) (0.1, 0.2)"


def test_a_device_of_the_running_script_is_not_run_twice(folder: Path) -> None:
    script = folder / "script.py"
    script.write_text(
        SOURCE.format(mean=0.5) + "import mho\nprint('once')\nconfig = mho.AnalogConfig(device=Drifter())\n"
        "text = mho.config.dump(config)\nprint(mho.config.loads(text, mho.AnalogConfig) == config, text)\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("once\nTrue")
    assert done.stdout.count("once") == 1
    assert f"{script.resolve().as_posix()}:Drifter" in done.stdout


def test_an_edited_file_is_read_again(folder: Path) -> None:
    assert load(folder / "config.toml", AnalogConfig).device.dw_min.mean == 0.002  # type: ignore[attr-defined]
    (folder / "drifter.py").write_text(SOURCE.format(mean=0.004))
    assert load(folder / "config.toml", AnalogConfig).device.dw_min.mean == 0.004  # type: ignore[attr-defined]


def test_on_the_command_line_a_path_is_relative_to_where_one_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    run = override(RunConfig(), ["device=drifter.py:Drifter", 'layers={"x"={device="drifter.py:Drifter"}}', "c2c=0"])
    assert type(run.analog.device).__name__ == "Drifter"
    assert run.analog.for_layer("x").device.c2c == 0.2  # type: ignore[attr-defined]
    assert loads(dump(run)) == run


def test_a_device_of_a_module_is_named_by_import_when_it_lies_in_a_package() -> None:
    assert DEVICES.named(DEVICES.name_of(Relaxor)) is Relaxor
    assert DEVICES.named("mho.devices.soft_bounds:SoftBounds") is laws()["soft-bounds"]
    assert DEVICES.name_of(ConstantStep) == "constant-step"


def test_a_device_that_no_file_can_name_is_not_saved() -> None:
    class Local(Device):
        """Defined in a function."""

        def cells(self, draw: Any) -> dict[str, Any]:
            return {}

        @law
        def pulse(w: Any, up: Any, xi: Any) -> Any:
            return w

    config = preset("gokmen-2017").with_(device=Local())
    with pytest.raises(ConfigError, match="Local is defined in a function"):
        dump(config)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "has no class Drifter"),
        ("class Drifter: pass", "has no class Drifter that derives"),
        ("import nothing_of_this_name", "raised ModuleNotFoundError"),
        ("def f(:", "raised SyntaxError"),
        ("raise SystemExit(3)", "raised SystemExit"),
    ],
)
def test_files_that_hold_no_such_device_are_refused(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "drifter.py").write_text(text)
    (tmp_path / "config.toml").write_text('[device]\nlaw = "drifter.py:Drifter"')
    with pytest.raises(ConfigError, match=says):
        load(tmp_path / "config.toml")


@pytest.mark.parametrize(
    "name", ["absent.py:X", "no_such_module:X", ":X", "mho:", "mho.devices:Spread", "a b:c", "..:x"]
)
def test_names_that_lead_nowhere_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"cannot be read|cannot be imported|has no class"):
        DEVICES.named(name)
