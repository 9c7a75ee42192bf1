"""Killed, stopped or out of space at any moment, and resumed: the same bytes as a run that never stopped."""

from __future__ import annotations

import random
import resource
import signal
import time
from pathlib import Path

import pytest

from train.runs import bytes_of, lines, mho, start, wait_for_epoch, without_times

# Batch 1, so that an epoch is long enough to be killed in its middle.
RUN = (
    "train",
    "--data",
    "digits",
    "--epochs",
    3,
    "--batch-size",
    1,
    "--set",
    "train_images=500",
    "--threads",
    1,
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of a run that never stopped."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    done = mho(*RUN, "--out", folder)
    assert done.returncode == 0, done.stderr
    assert (folder / "report.html").read_text().startswith("<!DOCTYPE html>")
    return folder


def same(folder: Path, whole: Path) -> None:
    assert sorted(bytes_of(folder)) == ["model.safetensors", "state.json"]
    assert bytes_of(folder) == bytes_of(whole)
    assert without_times(folder) == without_times(whole)
    assert not list(folder.glob(".*"))


def test_the_same_command_gives_the_same_bytes(tmp_path: Path, whole: Path) -> None:
    done = mho("train", whole / "config.toml", "--out", tmp_path / "again")
    assert done.returncode == 0, done.stderr
    same(tmp_path / "again", whole)


def test_another_seed_gives_another_run(tmp_path: Path, whole: Path) -> None:
    mho("train", whole / "config.toml", "--seed", 1, "--out", tmp_path / "other")
    assert bytes_of(tmp_path / "other") != bytes_of(whole)


def test_killed_in_the_second_epoch_and_resumed(tmp_path: Path, whole: Path) -> None:
    process = start(*RUN, "--out", tmp_path / "run")
    wait_for_epoch(tmp_path / "run", 1, process)
    time.sleep(0.1)
    process.kill()
    process.communicate()
    assert len(lines(tmp_path / "run")) == 1
    done = mho("train", "--resume", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    same(tmp_path / "run", whole)


@pytest.mark.slow
def test_killed_again_and_again_at_any_moment(tmp_path: Path, whole: Path) -> None:
    folder, moments = tmp_path / "run", random.Random(0)
    for attempt in range(12):
        arguments = ("train", "--resume", folder) if (folder / "config.toml").exists() else (*RUN, "--out", folder)
        process = start(*arguments)
        before = len(lines(folder))
        if attempt % 2 and before < 3:
            wait_for_epoch(folder, before + 1, process)
        time.sleep(moments.uniform(0.0, 4.0) if attempt % 2 == 0 else moments.uniform(0.0, 0.02))
        process.kill()
        process.communicate()
    done = mho("train", "--resume", folder)
    assert done.returncode == 0, done.stderr
    same(folder, whole)


def test_ctrl_c_keeps_the_last_epoch_and_says_how_to_go_on(tmp_path: Path, whole: Path) -> None:
    process = start(*RUN, "--out", tmp_path / "run")
    wait_for_epoch(tmp_path / "run", 1, process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.splitlines() == [
        f"mho: stopped by Ctrl-C; 1 of 3 epochs are kept; go on with: mho train --resume {tmp_path / 'run'}"
    ]
    assert mho("train", "--resume", tmp_path / "run").returncode == 0
    same(tmp_path / "run", whole)


def test_a_full_disk_leaves_the_old_checkpoint_whole(tmp_path: Path, whole: Path) -> None:
    folder = tmp_path / "run"
    assert mho("train", whole / "config.toml", "--epochs", 1, "--out", folder).returncode == 0
    before = bytes_of(folder)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    full = mho("train", "--resume", folder, "--epochs", 3, preexec_fn=limit)
    assert full.returncode == 1
    assert len(full.stderr.splitlines()) == 1
    assert "File too large" in full.stderr
    assert "1 of 3 epochs are kept" in full.stderr
    assert bytes_of(folder) == before
    assert mho("train", "--resume", folder).returncode == 0
    same(folder, whole)
