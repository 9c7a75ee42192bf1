"""`mho program`: what it writes and prints, and what it says when something is wrong."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import mho.train.run
from mho.cli.app import run as command
from mho.config import RunConfig
from mho.inference import Programming
from mho.inference import preset as programming_preset
from mho.inference.files import load_programming, save_programming
from mho.train import train
from train.runs import mho as in_a_shell

FEW = ("--times", "1s,1d", "--test-images", "60")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run of two chips, which learned something."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    config = RunConfig(data="digits", epochs=8, lr=0.1, chips=(0, 7), vary=("init",), threads=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mho.train.run, "_report", lambda folder: None)
        train(config.with_({"update.trains": "ideal", "analog.backward.ideal": True}), out=folder, progress=False)
    return folder


def results(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "programmed.json").read_text(encoding="utf-8"))
    return found


def programmed(run: Path, out: Path, *options: Any) -> dict[str, Any]:
    """Program in this process and return what programmed.json holds."""
    assert command(["program", str(run), *FEW, "--out", str(out), "--plain", *map(str, options)]) == 0
    return results(out)


def accuracies(found: dict[str, Any]) -> list[list[float]]:
    return [found["written"]["test_accuracy"], *(moment["test_accuracy"] for moment in found["times"])]


def test_from_a_shell(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = in_a_shell("program", run, "--programming", "pcm", "--chips", 5, *FEW, "--report", "--out", out)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert re.fullmatch(
        r"accuracy 1d after programming: \d+\.\d\d % ± \d+\.\d\d over 5 chips, worst \d+\.\d\d % \(chip [0-4]\)",
        lines[-1],
    )
    assert f"page: {out / 'program.html'}" in lines
    assert {path.name for path in out.iterdir()} == {
        "programmed.json", "programming.toml", "program.html", "accuracy.png",
    }  # fmt: skip
    assert (out / "accuracy.png").read_bytes().startswith(b"\x89PNG")
    assert load_programming(out / "programming.toml") == programming_preset("pcm")
    found = results(out)
    assert found["finished"] is True
    assert [(m["time"], m["seconds"]) for m in found["times"]] == [("1s", 1.0), ("1d", 86400.0)]
    for moment in (found["written"], *found["times"]):
        each = moment["test_accuracy"]
        assert moment["mean"] == pytest.approx(sum(each) / 5)
        assert (moment["worst"], each[moment["worst_chip"]]) == (min(each), min(each))
        assert f"{moment['mean']:.2f}" in done.stdout
    assert found["digital"] > 60
    page = (out / "program.html").read_text(encoding="utf-8")
    assert "accuracy-over-time" in page
    assert lines[-1][1:] in page


def test_a_page_only_when_asked_for_and_one_chip_has_no_worst(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    programmed(run, tmp_path / "out", "--chips", 1)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"programmed.json", "programming.toml"}
    last = capsys.readouterr().out.splitlines()[-1]
    assert re.fullmatch(r"accuracy 1d after programming: \d+\.\d\d %", last)


def test_a_checkpoint_is_as_good_as_its_run(run: Path, tmp_path: Path) -> None:
    whole = programmed(run, tmp_path / "a", "--chips", 2)
    for n, path in enumerate(("checkpoint", "checkpoint/model.safetensors")):
        assert accuracies(programmed(run / path, tmp_path / str(n), "--chips", 2)) == accuracies(whole)


def test_ideal_programming_keeps_what_was_learned(run: Path, tmp_path: Path) -> None:
    found = programmed(run, tmp_path / "out", "--chips", 3, "--set", "forward.ideal=true")
    assert all(a == found["digital"] for each in accuracies(found) for a in each)


def test_the_chip_of_the_run(run: Path, tmp_path: Path) -> None:
    ideal = ("--chips", 1, "--set", "forward.ideal=true")
    first, other = (programmed(run, tmp_path / c, *ideal, "--chip", c)["digital"] for c in ("0", "7"))
    assert first != other
    assert programmed(run, tmp_path / "none", *ideal)["digital"] == first


def test_chip_k_alone_equals_it_among_many(run: Path, tmp_path: Path) -> None:
    options = ("--programming", "pcm", "--set", "faults.low=0.1", "--set", "forward.output_noise=0.5")
    many = programmed(run, tmp_path / "many", *options, "--chips", 4)
    alone = programmed(run, tmp_path / "alone", *options, "--chips", "[2]")
    assert alone["chips"] == [2]
    assert [each[2] for each in accuracies(many)] == [each[0] for each in accuracies(alone)]
    assert len(set(accuracies(many)[0])) > 1


def test_settings_change_a_file(run: Path, tmp_path: Path) -> None:
    save_programming(Programming().with_({"ageing.drift.nu": 0.3, "faults.high": 0.2}), tmp_path / "mine.toml")
    out = tmp_path / "out"
    options = ("--programming", tmp_path / "mine.toml", "--set", "faults.high=0.01", "--set", "compensation=tile")
    programmed(run, out, *options, "--chips", 2)
    wanted = Programming().with_({"ageing.drift.nu": 0.3, "faults.high": 0.01, "compensation": "tile"})
    assert load_programming(out / "programming.toml") == wanted


def test_the_command_in_the_results_repeats_them(run: Path, tmp_path: Path) -> None:
    options = ("--programming", "charan-2020", "--chips", "[1,4]", "--seed", 3, "--set", "forward.adc_bits=6")
    found = programmed(run, tmp_path / "one", *options, "--chip", 7)
    words = shlex.split(found["command"].replace("--out NEW", f"--plain --out {tmp_path / 'two'}"))
    assert command(words[1:]) == 0
    assert accuracies(results(tmp_path / "two")) == accuracies(found)


def test_a_run_of_a_gpu_is_programmed_on_the_cpu(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "gpu")
    config = tmp_path / "gpu" / "config.toml"
    text = config.read_text().replace('compute_device = "cpu"', 'compute_device = "cuda:3"')
    config.write_text(text.replace('precision = "float32"', 'precision = "bf16"'))
    there = programmed(tmp_path / "gpu", tmp_path / "one", "--chips", 2)
    assert accuracies(there) == accuracies(programmed(run, tmp_path / "two", "--chips", 2))


@pytest.mark.skipif(torch.version.cuda is not None, reason="this torch has CUDA")
def test_without_cuda_nothing_is_begun(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, run, "--device", "cuda", "--out", tmp_path / "out")
    assert "is built without CUDA" in said
    assert not (tmp_path / "out").exists()


def test_a_map_of_faults(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With all devices of the last layer stuck low, every chip gives the same answer to all images."""
    np.savez(tmp_path / "map.npz", fc3=-np.ones((2, 10, 129)))
    found = programmed(run, tmp_path / "out", "--chips", 2, "--fault-map", tmp_path / "map.npz")
    assert found["layers"][2]["stuck_low"] == [1.0, 1.0]
    assert found["layers"][1]["stuck_low"] == [0.0, 0.0]
    assert "--fault-map" in found["command"]
    np.savez(tmp_path / "wrong.npz", fc3=-np.ones((2, 10, 128)))
    assert "fc3" in refused(capsys, run, *FEW, "--fault-map", tmp_path / "wrong.npz", "--out", tmp_path / "no")


def test_compensation_removes_a_drift_that_all_devices_share(run: Path, tmp_path: Path) -> None:
    options = ("--set", "ageing.drift.nu=0.2", "--set", "forward.ideal=true", "--chips", 2)
    plain, removed = (
        programmed(run, tmp_path / kind, *options, "--set", f"compensation={kind}") for kind in ("none", "tile")
    )
    assert plain["times"][1]["mean"] < plain["digital"] - 20
    assert removed["times"][1]["mean"] == pytest.approx(removed["digital"])


def refused(capsys: pytest.CaptureFixture[str], *arguments: Any) -> str:
    capsys.readouterr()
    assert command(["program", *map(str, arguments)]) in (1, 2)
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return said


WRONG = [
    (("--times", "1h,1s"), "conductances cannot grow younger; give them in order: 1s, 1h"),
    (("--times", "1h,3weeks"), "has the unit 'weeks'; units are s, min, h, d, y"),
    (("--times", "1"), "the time '1' has no unit"),
    (("--times", ""), "a time is a number with a unit"),
    (("--times", "1s,1s"), "1s comes after 1s"),
    (("--chips", "0"), "chips is a number of at least 1, or a list of different chip numbers from 0, found 0"),
    (("--chips", "-3"), "found -3"),
    (("--chips", "many"), "expected how many chips, or a list of which, found 'many'; give 50, or [0,7]"),
    (("--chips", "[1,1]"), "a list of different chip numbers"),
    (("--chip", "3"), "the weights of chip 3 were asked for, but the run has chip 0, 7; give one of these"),
    (("--seed", "-1"), "seed is from 0 to 2^64 - 1, found -1"),
    (("--test-images", "0"), "at least 1 test image, found 0"),
    (("--test-images", "90000"), "asked for on the first 90000 test images, but digits has 359"),
    (("--set", "mapping.scaling=none"), "mapping"),
    (("--programming", "pmc"), "there is no programming preset 'pmc'; did you mean 'pcm'?"),
    (("--programming", "absent.toml"), "absent.toml cannot be read: No such file"),
    (("--set", "ageing.drift.mu=0.1"), "did you mean 'nu'"),
    (("--set", "conductances.g_min=1"), "wrong way round"),
    (("--set", "forward.adc_bist=3"), "adc_bits"),
    (("--device", "gpu"), "did you mean 'cuda'?"),
    (("--precision", "bf16"), 'give precision="float32", or compute_device="cuda"'),
    (("--precision", "half", "--device", "auto"), "precision: expected one of float32, tf32, bf16, found 'half'"),
    (("--set", "faults.low"), "expected path.to.field=value"),
    (
        ("--set", "ageing.drift.nu=[0.1,0.2,0.3]", "--chips", "2"),
        "ageing.drift.nu: lists 3 values for chips, but chips is 2",
    ),
]


@pytest.mark.parametrize(("options", "says"), WRONG, ids=[" ".join(options) for options, _ in WRONG])
def test_a_mistake_is_told(
    options: tuple[str, ...], says: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(capsys, run, "--chips", "2", "--test-images", "20", *options, "--out", tmp_path / "out")
    assert says in said
    assert len(said.splitlines()) == 1


def test_all_that_is_wrong_is_told_at_once(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, run, "--times", "1h,1s", "--chips", "0", "--programming", "pmc", "--set", "faults.lwo=1")
    for part in ("give them in order", "found 0", "did you mean 'pcm'", "did you mean 'low'"):
        assert part in said


def test_a_directory_with_something_in_it_is_not_written_over(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "kept.txt").write_text("mine")
    assert "is not an empty directory" in refused(capsys, run, *FEW, "--out", tmp_path)


@pytest.mark.parametrize("what", ["nowhere", "file", "empty"])
def test_what_is_no_run(what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    said = refused(capsys, tmp_path / what, *FEW)
    assert f"{what} holds no trained run" in said
    assert "give the directory that mho train wrote" in said


def test_a_run_without_a_checkpoint(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "begun").mkdir()
    shutil.copy(run / "config.toml", tmp_path / "begun")
    said = refused(capsys, tmp_path / "begun", *FEW, "--out", tmp_path / "out")
    assert "no trained weights to program" in said
    assert f"mho train --resume {tmp_path / 'begun'}" in said


def test_a_damaged_checkpoint(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(run, tmp_path / "cut")
    file = tmp_path / "cut" / "checkpoint" / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    assert "model.safetensors is damaged" in refused(capsys, tmp_path / "cut", *FEW, "--out", tmp_path / "out")


def test_layers_that_do_not_fit_are_named(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(run, tmp_path / "other")
    config = tmp_path / "other" / "config.toml"
    config.write_text(config.read_text().replace('network = "fcn"', 'network = "fcn-250-125"'))
    said = refused(capsys, tmp_path / "other", *FEW, "--out", tmp_path / "out")
    assert "does not fit the configuration in the layers fc1, fc2, fc3" in said
    assert "has shape (2, 1, 256, 65), expected (2, 1, 250, 65)" in said
    assert not (tmp_path / "out").exists()
