"""Help, lists and versions: quick, complete, and enough to work from."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from mho.cli.app import run
from mho.version import __version__
from train.runs import environment, mho

COMMANDS = [
    [], ["train"], ["presets"], ["report"],
    ["device"], ["device", "list"], ["device", "show"], ["study"], ["study", "list"], ["study", "run"],
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*command, "--help"]) == 0
    assert "Usage: mho " in capsys.readouterr().out


def test_help_of_train_names_every_option_and_shows_examples() -> None:
    said = mho("train", "--help").stdout
    for name in (
        "--network", "--data", "--epochs", "--batch-size", "--lr", "--chips", "--seed", "--vary", "--set",
        "--out", "--resume", "--threads", "--device", "--precision", "--plain", "--debug", "PRESET | CONFIG.toml",
        "device.dw_min=[0.001, 0.002]",
        "mho train --data digits", "mho train --resume runs/one",
    ):  # fmt: skip
        assert name in said


def test_help_loads_neither_torch_nor_numba() -> None:
    code = "import sys; from mho.cli.app import run; run(['--help']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment())
    assert not {"torch", "numba", "scipy", "plotly", "matplotlib"} & set(done.stdout.split())


def test_help_is_fast() -> None:
    times = []
    for _ in range(3):
        begin = time.perf_counter()
        mho("--help")
        times.append(time.perf_counter() - begin)
    assert min(times) < 0.8  # 0.3 s on a quiet machine


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"mho {__version__}\n"


def test_without_a_command_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 2
    said = capsys.readouterr()
    assert "mho COMMAND" in said.out + said.err


@pytest.mark.parametrize(
    ("command", "row"),
    [(["presets"], "gokmen-2017"), (["presets", "--programming"], "pcm"), (["device", "list"], "gokmen-vlasov-2016")],
)
def test_lists_are_one_line_a_row_with_a_source(
    command: list[str], row: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(command) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert row in [r[0] for r in rows]
    assert all(len(r) == 3 and all(r) for r in rows)
    assert "log_normal=False" not in "".join(r[1] for r in rows)  # what is off is left out


def test_the_package_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mho", "--version"], capture_output=True, text=True, check=True, env=environment()
    )
    assert done.stdout.startswith("mho ")
