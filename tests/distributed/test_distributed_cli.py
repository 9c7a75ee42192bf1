"""`torchrun -m mho train`: the files of one process, whatever the number of processes, also when it is resumed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from statistics import fmean, stdev

import pytest

from distributed import exact_cli
from distributed.launching import env, torchrun
from train.runs import bytes_of, wait_for_epoch, without_times

EXACT = Path(exact_cli.__file__)
NET = """
from torch import nn

def net(shape, classes):
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, 16), nn.Dropout(0.2), nn.Sigmoid(), nn.Linear(16, classes),
    )
"""


def settings(folder: Path, **changes: object) -> list[object]:
    """Return arguments of a small run; the last batch of an epoch is one sample, so that some ranks have none."""
    (folder / "net.py").write_text(NET)
    given = {"epochs": 2, "batch-size": 6, "chips": 2, "network": f"{folder / 'net.py'}:net", "threads": 1, **changes}
    options = [part for name, value in given.items() for part in (f"--{name}", value)]
    return ["train", "--data", "digits", "--set", "train_images=31", "--plain", *options]


def alone(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the exact command line in one process."""
    command = [sys.executable, EXACT, *arguments]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300, check=False, env=env())


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of a run in one process."""
    folder = tmp_path_factory.mktemp("one")
    done = alone(*settings(folder), "--out", folder / "run")
    assert done.returncode == 0, done.stderr
    return folder / "run"


def same(folder: Path, one: Path) -> None:
    assert bytes_of(folder) == bytes_of(one)
    assert without_times(folder) == without_times(one)
    assert not list(folder.glob(".*"))


def test_two_processes_write_the_bytes_of_one(tmp_path: Path, one: Path) -> None:
    done = torchrun(2, EXACT, *settings(one.parent), "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    same(tmp_path / "run", one)
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["processes"] == 2
    assert done.stdout.splitlines()[-1].startswith("test accuracy ")
    assert done.stdout.count("test accuracy") == 3, "the first process alone speaks: an epoch each and the last line"


@pytest.mark.slow
def test_a_run_goes_on_in_another_number_of_processes(tmp_path: Path, one: Path) -> None:
    run = tmp_path / "run"
    begun = torchrun(2, EXACT, *settings(one.parent, epochs=1), "--out", run)
    assert begun.returncode == 0, begun.stderr
    done = torchrun(3, EXACT, "train", "--resume", run, "--epochs", 2, "--plain")
    assert done.returncode == 0, done.stderr
    same(run, one)


@pytest.mark.slow
def test_a_run_of_several_processes_goes_on_in_one(tmp_path: Path, one: Path) -> None:
    run = tmp_path / "run"
    assert torchrun(3, EXACT, *settings(one.parent, epochs=1), "--out", run).returncode == 0
    done = alone("train", "--resume", run, "--epochs", 2, "--plain")
    assert done.returncode == 0, done.stderr
    same(run, one)


@pytest.mark.slow
def test_products_rounded_otherwise_change_no_statistics(tmp_path: Path) -> None:
    """A library may round otherwise for a smaller batch: pulses differ, runs drift apart, accuracies agree."""
    given = settings(tmp_path, epochs=4, chips=8, lr=0.05)
    given[given.index("train_images=31")] = "train_images=600"
    assert alone(*given, "--out", tmp_path / "1").returncode == 0
    done = torchrun(2, EXACT, *given, "--out", tmp_path / "2", MHO_TEST_ROUNDED="1")
    assert done.returncode == 0, done.stderr
    assert bytes_of(tmp_path / "1") != bytes_of(tmp_path / "2")
    found = [json.loads((tmp_path / name / "summary.json").read_text())["test_accuracy"] for name in "12"]
    (first, second), error = map(fmean, found), (sum(stdev(a) ** 2 for a in found) / 8) ** 0.5
    assert abs(first - second) < 3 * error
    assert min(first, second) > 50


def test_a_batch_that_cannot_be_shared_is_refused(tmp_path: Path) -> None:
    done = torchrun(2, "-m", "mho", *settings(tmp_path, **{"batch-size": 5}), "--out", tmp_path / "run")
    assert done.returncode != 0
    (said,) = [line for line in done.stderr.splitlines() if line.startswith("mho: ")]  # not by every process
    assert said == ("mho: 2 processes cannot share a batch of 5 evenly; give --batch-size 4 or 6, or start one process")
    assert not (tmp_path / "run").exists()


def members(*arguments: list[object], **variables: str) -> list[subprocess.Popen[str]]:
    """Start one process for each list of arguments, together, without torchrun, which would end the others itself."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = str(found.getsockname()[1])
    here = {"WORLD_SIZE": str(len(arguments)), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, **variables}
    return [
        subprocess.Popen(
            [sys.executable, "-m", "mho", *map(str, own)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=env(RANK=str(rank), LOCAL_RANK=str(rank), **here),
        )
        for rank, own in enumerate(arguments)
    ]  # fmt: skip


def test_ranks_with_other_settings_are_refused(tmp_path: Path) -> None:
    both = members(settings(tmp_path, seed=1), settings(tmp_path, seed=2))
    for process in both:
        _, said = process.communicate(timeout=300)
        assert process.returncode == 1, said
        assert said.count("\n") == 1
        assert "agree in the settings, but seed is 1 on rank 0 and 2 on rank 1" in said


@pytest.mark.parametrize("gone", [0, 1])
def test_a_rank_that_dies_is_told_by_the_other(gone: int, tmp_path: Path) -> None:
    run = [*settings(tmp_path, epochs=100_000), "--out", tmp_path / "run"]
    both = members(run, run)
    try:
        wait_for_epoch(tmp_path / "run", 2, both[0])
        both[gone].send_signal(signal.SIGKILL)
        _, said = both[1 - gone].communicate(timeout=300)
    finally:
        for process in both:
            process.kill()
    assert both[1 - gone].returncode == 1, said
    assert f"rank {1 - gone} of 2 waited for the others, but one of them is gone" in said
    assert "mho train --resume" in said
    assert "Traceback" not in said


@pytest.mark.slow
def test_a_rank_that_is_silent_is_told_by_the_other(tmp_path: Path) -> None:
    run = [*settings(tmp_path, epochs=100_000), "--out", tmp_path / "run"]
    both = members(run, run, MHO_RANK_TIMEOUT="8")
    try:
        wait_for_epoch(tmp_path / "run", 2, both[0])
        both[1].send_signal(signal.SIGSTOP)
        _, said = both[0].communicate(timeout=300)
    finally:
        for process in both:
            process.kill()
    assert both[0].returncode == 1, said
    assert "one of them did not answer in time" in said


def test_a_rank_that_fails_says_why_to_the_others(tmp_path: Path) -> None:
    """The second rank has no directory to go on with: the first is told its reason, not of a lost connection alone."""
    good = tmp_path / "run"
    assert alone(*settings(tmp_path, epochs=1), "--out", good).returncode == 0
    go_on = ["train", "--resume", good, "--epochs", 2, "--plain"]
    both = members(go_on, [*go_on[:2], tmp_path / "nothing", *go_on[3:]])
    said = [process.communicate(timeout=300)[1] for process in both]
    assert [process.returncode for process in both] == [1, 1]
    assert "nothing holds no run to resume" in said[1]
    assert "rank 0 of 2 stopped, because another one did. rank 1: " in said[0]
    assert "nothing holds no run to resume" in said[0]
    assert os.linesep.join(said).count("Traceback") == 0
