"""A device in a TOML file of its own, named wherever a device is."""

from __future__ import annotations

from pathlib import Path

import pytest

from mho.config import RunConfig, device_named, dump, dump_device, load, load_device, loads, override, save_device
from mho.devices import Device, Leak, SoftBounds, Spread
from mho.errors import ConfigError
from mho.units import Window

FITTED = SoftBounds(
    dw_min=Spread(0.03, d2d=0.25, log_normal=True), up_down=Spread(1.1, std=0.1), leak=Leak(),
    window=Window(1e-6, 2e-5), correlations=(("dw_min", "w_max", 0.5), ("w_max", "w_min", -0.25)),
)  # fmt: skip
OWN = """
from mho.devices import Device, Spread, law, where
class Mine(Device):
    size: Spread = Spread(0.01, d2d=0.1)
    def cells(self, draw):
        return {"size": draw(self.size)}
    @law
    def pulse(w, up, xi, size):
        return w + where(up, size, -size)
"""


def test_a_file_gives_the_device_that_it_was_made_from(tmp_path: Path) -> None:
    path = tmp_path / "device.toml"
    save_device(FITTED, path, ["Fitted by hand.", ""])
    assert path.read_text(encoding="utf-8").startswith('# Fitted by hand.\n#\nlaw = "soft-bounds"\n')
    assert load_device(path) == FITTED


def test_it_is_named_wherever_a_device_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sub").mkdir()
    save_device(FITTED, tmp_path / "sub" / "device.toml")
    monkeypatch.chdir(tmp_path)
    assert device_named("sub/device.toml") == FITTED
    for setting in ("device=sub/device.toml", "analog.device=sub/device.toml"):
        assert override(RunConfig(), [setting]).analog.device == FITTED
    changed = override(RunConfig(), ["device=sub/device.toml", "device.c2c=0.1"])
    assert changed.analog.device.c2c == 0.1  # type: ignore[attr-defined]
    assert changed.analog.device.window == FITTED.window
    (tmp_path / "sub" / "run.toml").write_text('device = "device.toml"\n', encoding="utf-8")
    config = load("sub/run.toml")  # relative to the file that names it
    assert config.analog.device == FITTED
    assert loads(dump(config)) == config  # complete: the file is not needed again


def test_a_law_of_ones_own_is_named_from_the_folder_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(OWN, encoding="utf-8")
    (tmp_path / "device.toml").write_text('law = "mine.py:Mine"\nsize = 0.5\n', encoding="utf-8")
    device: Device = load_device(tmp_path / "device.toml")
    assert type(device).__name__ == "Mine"
    assert device.size == Spread(0.5)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("c2c = 0.1", "states no law, but c2c"),
        ("", "states no law, but nothing"),
        ('law = "soft-bounds"\nfoo = 1\nc2c = -1', r"(?s)foo: no such setting of SoftBounds.*"),
        ('law = "soft"', "'soft' is no law"),
        ("law = ", "is not valid TOML"),
        ('[device]\nlaw = "soft-bounds"', "states no law, but device"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "device.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        load_device(path)
    with pytest.raises(ConfigError, match=message):
        override(RunConfig(), [f"device={path}"])


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"the device .*none.toml cannot be read: No such file"):
        override(RunConfig(), [f"device={tmp_path}/none.toml"])
    assert dump_device(FITTED).count("law =") == 1
