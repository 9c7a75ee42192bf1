"""`mho device fit` as a user runs it: files, the last line, a training run on the result, errors."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "examples" / "measured_rram.csv.gz"


def mho(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mho", *arguments], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("fit")
    done = mho(folder, "device", "fit", str(DATA), "--law", "soft-bounds", "--window", "5e-6:55e-6")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return folder, done.stdout


def test_what_is_printed(run: tuple[Path, str]) -> None:
    lines = run[1].splitlines()
    assert lines[0] == "Laws, the best first"
    assert lines[-1] == "mho train --set device=fits/measured_rram/device.toml"
    assert "soft-bounds: 39 of 40 devices, w = -1 and +1 at 5e-06 and 5.5e-05 S" in lines
    assert any(line.startswith("left out: r1c3: does not respond") for line in lines)
    rows = {line.split("\t")[0]: line.split("\t")[1:] for line in lines if "\t" in line}
    assert abs(float(rows["read noise"][0]) - 0.02) < 0.001
    assert abs(float(rows["c2c"][0]) - 0.4) < 0.05
    assert rows["w_max"]


def test_the_files(run: tuple[Path, str]) -> None:
    folder = run[0] / "fits" / "measured_rram"
    assert sorted(p.name for p in folder.iterdir()) == ["device.toml", "fit.html", "fit.json", "fit.png"]
    found = json.loads((folder / "fit.json").read_text(encoding="utf-8"))
    assert found["law"] == "soft-bounds"
    assert found["devices"] == {"measured": 40, "fitted": 39}
    assert len(found["fits"]) == 39
    assert np.shape(found["correlations"]["kept"]) == (4, 4)
    assert 0.99 < found["laws"][0]["r2"] < 1
    assert found["single_devices"]["symmetry point"]["share"] == 1
    page = (folder / "fit.html").read_text(encoding="utf-8")
    for anchor in ("fit", "device", "parameters", "correlations", "laws", "measurements", "left-out", "toml"):
        assert f'<section id="{anchor}">' in page
    assert "src=" not in page.partition("<body")[0].replace("data:", "")
    assert (folder / "fit.png").read_bytes()[:4] == b"\x89PNG"
    assert "Read noise of the measurement" in (folder / "device.toml").read_text(encoding="utf-8")


def test_a_network_trains_on_it(run: tuple[Path, str]) -> None:
    words = run[1].splitlines()[-1].split()[1:]
    done = mho(run[0], *words, "--data", "digits", "--epochs", "1", "--plain", "--out", "run")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("test accuracy")
    config = (run[0] / "run" / "config.toml").read_text(encoding="utf-8")
    assert 'correlations = [["dw_min", "w_max", ' in config
    assert "window = { low = 5e-06, high = 5.5e-05, from_zero = false }" in config


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.csv"], "the measurements none.csv cannot be read: No such file"),
        ([str(DATA), "--unit", "uF"], "the unit 'uF' is not known"),
        ([str(DATA), "--column", "device"], "expected NAME=YOURS"),
        ([str(DATA), "--column", "device=cell"], "no column 'cell' among"),
        ([str(DATA), "--window", "5"], "expected LOW:HIGH"),
        ([str(DATA), "--window", "5:1", "--unit", "uS"], "give 0 <= low < high"),
        ([str(DATA), "--law", "soft-bound"], "'soft-bound' is no device; did you mean 'soft-bounds'"),
    ],
)
def test_errors_take_one_line_and_leave_nothing(tmp_path: Path, arguments: list[str], message: str) -> None:
    done = mho(tmp_path, "device", "fit", *arguments)
    assert done.returncode != 0
    assert message in done.stderr
    assert done.stderr.startswith("mho: ")
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr


def test_help_says_what_is_read_and_written(tmp_path: Path) -> None:
    text = mho(tmp_path, "device", "fit", "--help").stdout
    for words in ("device,pulse,direction,conductance_S", "--column", "--unit", "--law", "device.toml", "--absent"):
        assert words in text
