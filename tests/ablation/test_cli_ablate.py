"""`mho ablate` from the command line: help, lists, limits, what is refused, and a run with its real report."""

from __future__ import annotations

from pathlib import Path

import pytest

from mho.cli.ablate import _asked
from mho.cli.app import run
from mho.config import RunConfig, save
from train.runs import mho

TINY = f"{Path(__file__).with_name('networks.py')}:tiny"


def test_help_names_every_option_and_shows_examples() -> None:
    said = mho("ablate", "--help").stdout
    for name in (
        "--network", "--data", "--epochs", "--train-images", "--seed", "--set", "--seeds", "--chips-per-arm", "--full",
        "--sides", "--only", "--list", "--out", "--resume", "--plain", "PRESET | CONFIG.toml",
        "mho ablate --resume DIR",
    ):  # fmt: skip
        assert name in said


def test_list_says_what_is_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ablate", "--list", "--set", "device=reram-sb", "--sides"]) == 0
    said = capsys.readouterr().out
    assert "write noise\t56 mean steps" in said
    assert "ADC, backward\tbackward 9 bits" in said
    assert said.splitlines()[-1] == "34 arms of 3 chips each: 102 chips"


def test_a_quick_ablation_keeps_to_its_limits(tmp_path: Path) -> None:
    quick = _asked(None, {}, [], full=False)
    assert (quick.train_images, quick.epochs) == (12_000, 5)
    full = _asked(None, {}, [], full=True)
    assert full.train_images is None
    assert _asked(None, {"epochs": 9}, ["train_images=100"], full=False).epochs == 9
    digits = _asked(None, {"data": "digits"}, [], full=False)
    assert (digits.train_images, digits.epochs) == (None, 40)
    save(RunConfig(train_images=500, epochs=2, chips=8), tmp_path / "run.toml")
    small = _asked(str(tmp_path / "run.toml"), {}, [], full=False)
    assert (small.train_images, small.epochs) == (500, 2)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["gokmen-2071"], ["gokmen-2071", "did you mean"]),
        (["ideal"], ["nothing to ablate"]),
        (
            ["--set", "update.trains=ideal", "--set", "forward.ideal=true", "--only", "granularity"],
            ["no such property"],
        ),
        (["--set", "trains=[mean, stochastic]"], ["trains"]),
        (["--only", "ACD"], ["'ACD'", "did you mean", "'ADC'"]),
        (["--seeds", "0"], ["from 1 to 1024 chips"]),
        (["--resume", "nowhere"], ["no ablation to resume"]),
        (["--resume", "nowhere", "--data", "digits", "--set", "lr=1"], ["--data", "lr=1", "leave these out"]),
    ],
)
def test_what_is_refused(
    arguments: list[str], words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert run(["ablate", *arguments]) == 1
    said = capsys.readouterr().err
    assert said.startswith("mho: ")
    assert all(word in said for word in words), said
    assert not list(tmp_path.iterdir())


def test_a_directory_in_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    done = mho("ablate", "--data", "digits", "--out", tmp_path)
    assert done.returncode == 1
    assert "not an empty directory" in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_a_small_ablation_ends_with_its_ranking(tmp_path: Path) -> None:
    out = tmp_path / "out"
    given = ["--data", "digits", "--network", TINY, "--train-images", 100, "--epochs", 1, "--seeds", 2, "--threads", 1]
    done = mho("ablate", *given, "--only", "ADC", "--only", "granularity", "--out", out)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "6 arms of 2 chips each, 12 chips in one run"
    assert lines[-2] == f"page: {out / 'ablation.html'}"
    assert "points of test accuracy" in lines[-1]
    assert "report.html" in [p.name for p in (out / "runs" / "arms").iterdir()]
    again = mho("ablate", "--resume", out)
    assert again.stdout.splitlines()[-1] == lines[-1]
