"""`mho train`: options, the last line, and what it says when something is wrong."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mho.cli.choosing import begun, resumed
from mho.cli.working import accuracy_line
from mho.config import RunConfig, load, save
from mho.errors import ConfigError
from train.runs import mho

FEW = ("--data", "digits", "--epochs", 1, "--set", "train_images=40")


def test_a_run_from_a_shell(tmp_path: Path) -> None:
    done = mho("train", *FEW, "--chips", 2, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert re.fullmatch(r"test accuracy \d+\.\d\d % ± \d+\.\d\d over 2 chips", done.stdout.splitlines()[-1])
    assert re.search(r"^epoch 1/1  loss .* s$", done.stdout, flags=re.MULTILINE)
    (folder,) = (tmp_path / "runs").iterdir()
    assert re.fullmatch(r"fcn-digits-gokmen-2017-\d{8}-\d{6}", folder.name)
    assert f"report: runs/{folder.name}/report.html" in done.stdout
    assert (folder / "report.html").stat().st_size > 1000
    assert len(json.loads((folder / "summary.json").read_text())["test_accuracy"]) == 2


def test_one_chip_has_no_spread() -> None:
    assert accuracy_line([94.9]) == "test accuracy 94.90 %"
    assert accuracy_line([94.0, 95.0]) == "test accuracy 94.50 % ± 0.71 over 2 chips"


def test_options_become_settings() -> None:
    options = {
        "data": "digits",
        "epochs": 7,
        "lr": "0.1,0.2",
        "chips": "0,3",
        "vary": "init,order",
        "seed": 5,
    }
    config = begun("gokmen-vlasov-2016", options, ["device.dw_min=0.002", "bl=5"])
    assert (config.preset, config.data, config.epochs, config.seed) == ("gokmen-vlasov-2016", "digits", 7, 5)
    assert (config.lr, config.chips, config.vary) == ((0.1, 0.2), (0, 3), ("init", "order"))
    assert config.analog.device.dw_min.mean == 0.002  # type: ignore[attr-defined]
    assert config.analog.update.bl == 5
    assert begun(None, {"chips": "[7]", "vary": "order"}, []).chips == (7,)
    assert begun(None, {}, []) == RunConfig()


def test_small_data_is_seen_more_often_unless_told() -> None:
    assert begun(None, {"data": "digits"}, []).epochs == 40
    assert begun(None, {"data": "digits", "epochs": 2}, []).epochs == 2
    assert begun(None, {"data": "digits"}, ["epochs=3"]).epochs == 3
    assert begun(None, {"data": "mnist"}, []).epochs == RunConfig().epochs


def test_a_file_is_changed_by_options(tmp_path: Path) -> None:
    save(RunConfig(data="digits", epochs=4, lr=0.3), tmp_path / "a.toml")
    config = begun(str(tmp_path / "a.toml"), {"seed": 9, "data": "digits"}, [])
    assert (config.epochs, config.lr, config.seed) == (4, 0.3, 9)
    with pytest.raises(ConfigError, match=r"--resume"):
        begun(str(tmp_path), {}, [])
    with pytest.raises(ConfigError, match=r"absent\.toml"):
        begun("absent.toml", {}, [])


def test_resuming_takes_epochs_threads_and_places_only(tmp_path: Path) -> None:
    save(RunConfig(data="digits", epochs=4), tmp_path / "config.toml")
    assert resumed(tmp_path, {}, [None]) is None
    assert resumed(tmp_path, {"epochs": 9}, []) == load(tmp_path / "config.toml").with_(epochs=9)
    assert resumed(tmp_path, {"compute_device": "cuda"}, []) == load(tmp_path / "config.toml").with_(
        compute_device="cuda"
    )
    for changes, others in (({"batch_size": 3}, []), ({}, ["gokmen-2017"]), ({"epochs": 3}, [None, "bl=3"])):
        with pytest.raises(ConfigError, match="only --epochs, --threads, --device, --precision may"):
            resumed(tmp_path, changes, others)


WRONG = [
    (("train", "gokmen-2071"), 1, "there is no preset 'gokmen-2071'; did you mean 'gokmen-2017'"),
    (("train", "--set", "device.dw_mni=1"), 1, "dw_min"),
    (("train", "--set", "nonsense"), 1, "expected path.to.field=value"),
    (("train", "--data", "minst"), 1, "did you mean 'mnist'"),
    (("train", "--data", "digits", "--network", "lenet"), 1, "at least 16x16"),
    (("train", "--resume", "nowhere"), 1, "nowhere holds no run to resume"),
    (("train", "--epoch", "3"), 2, "--epochs"),
    (("train", "--epochs", "many"), 2, "--epochs"),
    (("train", "--lr", "fast"), 1, "lr"),
    (("train", "--device", "gpu"), 1, "did you mean 'cuda'"),
    (("train", "--device", "reram-sb"), 1, "--set device=NAME"),
    (("train", "--set", "device=cuda"), 1, "not a memory device"),
    (("train", "--precision", "fp16"), 1, "float32, tf32, bf16"),
    (("train", "--precision", "bf16"), 1, "is for products on a GPU"),
    (("ablate", "--device", "cude"), 1, "did you mean 'cuda'"),
    (("train", "--set", "update.bl=0"), 1, "bl"),
    (("report", "nowhere"), 1, "nowhere"),
    (("trian",), 2, "trian"),
]


@pytest.mark.parametrize(("arguments", "code", "says"), WRONG)
def test_a_mistake_is_told_in_one_line(
    arguments: tuple[str, ...], code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from mho.cli.app import run

    assert run(list(arguments)) == code
    said = capsys.readouterr()
    assert len(said.err.splitlines()) == 1
    assert says in said.err
    assert "Traceback" not in said.err


def test_all_wrong_settings_are_told_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    from mho.cli.app import run

    assert run(["train", "gokmen-2071", "--epochs", "-3", "--set", "nothing.of.it=1", "--seed", "-1"]) == 1
    said = capsys.readouterr().err
    for name in ("did you mean 'gokmen-2017'", "epochs", "nothing.of.it", "seed"):
        assert name in said


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    from mho.cli.app import run

    for arguments in (["train", "gokmen-2071", "--debug"], ["--debug", "train", "gokmen-2071"]):
        assert run(arguments) == 1
        said = capsys.readouterr().err
        assert "Traceback" in said
        assert said.splitlines()[-1].startswith("mho: there is no preset")


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (KeyError("odd"), 1, "unexpected KeyError: 'odd'; this is a fault of mho, --debug shows where"),
        (OSError(28, "No space left on device", "runs/x"), 1, "runs/x: No space left on device"),
        (MemoryError(), 1, "out of memory; use fewer chips, a smaller batch or a smaller network"),
        (KeyboardInterrupt(), 130, "stopped by Ctrl-C"),
    ],
)
def test_any_error_is_one_line(
    error: BaseException,
    code: int,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from mho.cli.app import run

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("mho.cli.choosing.begun", fail)
    assert run(["train"]) == code
    assert capsys.readouterr().err == f"mho: {says}\n"


def test_without_mnist_the_digits_are_offered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from mho.cli.app import run

    monkeypatch.setenv("MHO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MHO_DATA", raising=False)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("PATH", "")
    assert run(["train", "--out", str(tmp_path / "run")]) == 1
    said = capsys.readouterr().err
    assert "--data digits" in said
    assert "Traceback" not in said
    assert not (tmp_path / "run").exists()
