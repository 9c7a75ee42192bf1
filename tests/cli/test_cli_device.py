"""`mho device list` and `mho device show`: every way to name a device, and what is said when there is none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mho.cli import showing
from mho.cli.app import run
from mho.config import RunConfig, save
from mho.config.device_named import device_named
from mho.config.laws import laws
from mho.devices import SoftBounds, catalogue
from mho.errors import ConfigError

OWN = '''
from mho.devices import Device, Spread, law, where, maximum, minimum

class {name}(Device):
    """Steps by a fixed size."""

    size: Spread = Spread(0.05, d2d=0.1)

    def cells(self, draw):
        return {{"size": draw(self.size)}}

    @law
    def pulse(w, up, xi, size):
        return minimum(maximum(w + where(up, size, -size), -1.0), {top})
'''


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Return what a command that succeeds prints."""
    assert run(["device", *arguments]) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Return the reason of a command that is refused: one line, and no traceback."""
    assert run(["device", *arguments]) != 0
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("mho: ")
    assert "Traceback" not in err
    return err


def test_list_has_devices_and_laws(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [line.split("\t") for line in said(["list"], capsys).splitlines()]
    names = [row[0] for row in rows]
    assert names == [row.name for row in catalogue.devices()] + sorted(laws())
    assert all(row[1].startswith("Law: ") for row in rows[len(catalogue.devices()) :])
    assert all(len(row) == 3 and all(row) for row in rows)


def test_list_is_grouped_on_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    text = said(["list"], capsys)
    assert text.index("Published devices") < text.index("ecram") < text.index("Laws") < text.index("soft-bounds")


def test_show_writes_page_and_picture_and_prints_numbers(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = said(["show", "soft-bounds", "--set", "up_down=1.5", "--set", "dw_min.mean=0.01", "--devices", "20"], capsys)
    rows = dict(line.split("\t")[:2] for line in out.splitlines() if "\t" in line)
    assert float(rows["symmetry point"]) == pytest.approx(0.12)
    assert float(rows["states (range / step)"]) == pytest.approx(120, rel=0.02)
    assert sorted(p.name for p in (here / "devices" / "soft-bounds").iterdir()) == ["device.html", "device.png"]
    assert out.splitlines()[-2:] == [
        str(Path("devices/soft-bounds/device.html")), str(Path("devices/soft-bounds/device.png")),
    ]  # fmt: skip
    title = (here / "devices/soft-bounds/device.html").read_text(encoding="utf-8")
    assert "<h1>soft-bounds, up_down=1.5, dw_min.mean=0.01</h1>" in title


def test_the_same_command_gives_the_same_files(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b", "c"):
        seed = ["--seed", "1"] if name == "c" else []
        said(["show", "constant-step", "--set", "dw_min.mean=0.01", "--devices", "10", "--out", name, *seed], capsys)
    pages = [(here / name / "device.html").read_bytes() for name in "abc"]
    pictures = [(here / name / "device.png").read_bytes() for name in "abc"]
    assert pages[0] == pages[1] != pages[2]
    assert pictures[0] == pictures[1] != pictures[2]


def test_an_own_file_needs_no_class_name(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "own.py").write_text(OWN.format(name="Mine", top=1.0))
    for name in ("own.py", "own.py:Mine"):
        out = said(["show", name, "--devices", "5", "--out", "o"], capsys)
        assert "step at w = 0\t0.05\t" in out
    assert said(["show", "own.py:Mine", "--devices", "5", "--set", "size=0.1"], capsys)
    assert (here / "devices" / "mine" / "device.png").exists()


def test_the_device_of_a_run(here: Path) -> None:
    save(RunConfig(preset="gokmen-2017").with_(device="ecram"), here / "config.toml")
    assert device_named("config.toml") == catalogue.device("ecram")


def test_a_device_file(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "fit").mkdir()
    (here / "fit" / "own.py").write_text(OWN.format(name="Mine", top=1.0))
    (here / "fit" / "mine.toml").write_text('law = "own.py:Mine"\nsize = 0.02\nwindow = {low = 1e-6, high = 3e-6}\n')
    out = said(["show", "fit/mine.toml", "--devices", "5", "--set", "size=0.05"], capsys)
    assert "step at w = 0\t0.05\t0.05 to 0.05\t50 nS" in out
    assert (here / "devices" / "mine" / "device.html").exists()


def test_names_of_python() -> None:
    assert device_named("soft-bounds") == SoftBounds()
    assert device_named("mho.devices:SoftBounds") == SoftBounds()


def test_several_classes_in_a_file_are_named(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "two.py").write_text(OWN.format(name="One", top=1.0) + OWN.format(name="Two", top=1.0))
    assert "2 devices; say which: two.py:One, two.py:Two" in refused(["show", "two.py"], capsys)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("ecrm", r"'ecrm' is no device; did you mean 'ecram'"),
        ("zzzz", r"valid names: .*soft-bounds"),
        ("gokmen-2017", r"is a preset, not a device; its device is gokmen-vlasov-2016"),
        ("none.py", r"defines no class that derives from mho.devices.Device"),
        ("none.py:X", r"has no class X"),
        ("missing.py", r"missing.py cannot be read"),
        ("missing.toml", r"the device missing.toml cannot be read: No such file"),
        ("unknown.toml", r"unknown.toml: 'soft-bonds' is no law.*'soft-bounds'"),
        ("broken.toml", r"broken.toml is not valid TOML: .*line 1"),
        ("raises.py", r"raised RuntimeError: no luck"),
        ("runs", r"runs is a directory; for the device of its run give"),
        ("fails.py", r"Fails.pulse raised NameError"),
        ("", r"'' is no device"),
        ("zzzz", r"unipolar-soft-bounds\. A device is a published device"),
        ("empty.toml", r"empty.toml states no law, but nothing; a device file begins with law = "),
    ],
)
def test_what_is_no_device(name: str, reason: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "none.py").write_text("x = 1\n")
    (here / "raises.py").write_text("raise RuntimeError('no luck')\n")
    (here / "broken.toml").write_text("law = \n")
    (here / "unknown.toml").write_text('law = "soft-bonds"\n')
    (here / "empty.toml").touch()
    (here / "runs").mkdir()
    (here / "runs" / "config.toml").touch()
    (here / "fails.py").write_text(OWN.format(name="Fails", top="nothing_known"))
    assert re.search(reason, refused(["show", name, "--out", "o"], capsys))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--set", "dw_mn=1"], r"device.dw_mn: no such setting in device; did you mean 'dw_min'"),
        (["--set", "dw_min=-1"], r"device.*above 0, found -1"),
        (["--set", "dw_min"], r"expected path.to.field=value"),
        (["--pulses", "0"], r"at least 1 pulse"),
        (["--devices", "-3"], r"at least one device"),
        (["--devices", "0"], r"at least one device"),
        (["--devices", "1000000000"], r"1000000000 devices were asked for; .* at most 100000\. A few hundred show"),
        (["--pulses", "2000000"], r"2000000 pulses in each direction of 200 devices .* at most 1000000 pulses"),
        (["--pulses", "900000", "--devices", "5000"], r"pulses times devices may be 1000000000"),
        (["--out", "file"], r"nothing can be written to file: a file is in the way; give another directory"),
        (["--out", "file/below"], r"nothing can be written to file.below: a file is in the way"),
    ],
)
def test_impossible_requests(
    options: list[str], reason: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    (here / "file").touch()
    assert re.search(reason, refused(["show", "soft-bounds", *options], capsys))


def test_an_unwritable_place_is_found_before_the_work(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def work(*_: object, **__: object) -> None:
        raise AssertionError("the work has begun")

    monkeypatch.setattr("mho.report.show_device", work)
    (here / "file").touch()
    with pytest.raises(ConfigError, match="nothing can be written"):
        showing.show("soft-bounds", out=here / "file")


@pytest.mark.parametrize(
    ("name", "folder"),
    [("a/b/own.py:Relaxor", "relaxor"), ("x.toml", "x"), ("own.py", "own"), ("ecram", "ecram"), ("../..", "device")],
)
def test_folders_have_short_names(name: str, folder: str) -> None:
    assert showing.folder_name(name) == folder


def test_open_shows_the_page(here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    said(["show", "soft-bounds", "--set", "dw_min=0.05", "--devices", "5", "--out", "o", "--open"], capsys)
    assert opened == [(here / "o" / "device.html").as_uri()]


def test_long_work_is_told_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import time

    monkeypatch.setattr(showing, "PATIENCE", 0.01)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    with showing.telling("pulsing"):
        time.sleep(0.3)
    assert "pulsing" in capsys.readouterr().err


def test_a_file_with_one_device_needs_no_class_wherever_a_device_is_named(tmp_path: Path) -> None:
    from mho.config import RunConfig
    from mho.config.toml import override
    from mho.errors import ConfigError

    law = "from mho.devices import SoftBounds\n\n\nclass Mine(SoftBounds):\n    pass\n"
    (tmp_path / "own.py").write_text(law)
    found = override(RunConfig(), [f"device={tmp_path / 'own.py'}"]).analog.device
    assert type(found).__name__ == "Mine"
    (tmp_path / "two.py").write_text(law + "\n\nclass Other(Mine):\n    pass\n")
    with pytest.raises(ConfigError, match=r"two\.py defines 2 devices; say which: .*two\.py:Mine, .*two\.py:Other"):
        override(RunConfig(), [f"device={tmp_path / 'two.py'}"])
