"""TensorBoard's event files, read back with its own reader: whole, gone on with after a kill, absent unless asked."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from mho.errors import ConfigError
from mho.train import train
from mho.train.tensorboard import FOLDER
from train.runs import lines, mho, small, start, wait_for_epoch

pytest.importorskip("tensorboard", reason="TensorBoard is an extra")


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Return the curves of one run of TensorBoard: (step, value) by tag."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    return {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_the_curves_are_those_of_the_metrics(tmp_path: Path) -> None:
    train(small(chips=3), out=tmp_path / "run", progress=False, tensorboard=True)
    found, told = scalars(tmp_path / "run" / FOLDER), lines(tmp_path / "run")
    steps = [line["steps"] for line in told]
    assert [s for s, _ in found["accuracy/test"]] == steps == [6, 12]
    for tag, key in (("accuracy/test", "test_accuracy"), ("loss/training", "train_loss")):
        np.testing.assert_allclose([v for _, v in found[tag]], [np.mean(line[key]) for line in told], rtol=1e-6)
        for n in range(3):
            own = scalars(tmp_path / "run" / FOLDER / f"chip-{n}")[tag]
            np.testing.assert_allclose([v for _, v in own], [line[key][n] for line in told], rtol=1e-6)
    (layer, *_) = told[0]["pulses"]
    totals = [np.mean(line["pulses"][layer]) for line in told]
    np.testing.assert_allclose([v for _, v in found[f"pulses per epoch/{layer}"]], np.diff([0, *totals]), rtol=1e-6)
    assert found["running/loss"][-1][0] == 12
    assert [v for _, v in found["epoch"]] == [1, 2]


def test_nothing_is_written_unless_asked_and_results_are_the_same(tmp_path: Path) -> None:
    for name, asked in (("plain", False), ("events", True)):
        train(small(), out=tmp_path / name, progress=False, tensorboard=asked)
    assert not (tmp_path / "plain" / FOLDER).exists()
    first, second = ([{**m, "seconds": 0} for m in lines(tmp_path / name)] for name in ("plain", "events"))
    assert first == second
    model = Path("checkpoint", "model.safetensors")
    assert (tmp_path / "plain" / model).read_bytes() == (tmp_path / "events" / model).read_bytes()


def test_a_resumed_run_goes_on_with_its_curves(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    train(small(epochs=2), out=folder, progress=False, tensorboard=True)
    train(small(epochs=4), resume=folder, progress=False, tensorboard=True)
    found = scalars(folder / FOLDER)
    assert [s for s, _ in found["accuracy/test"]] == [6, 12, 18, 24]
    (layer, *_) = lines(folder)[0]["pulses"]
    totals = [np.mean(line["pulses"][layer]) for line in lines(folder)]
    np.testing.assert_allclose([v for _, v in found[f"pulses per epoch/{layer}"]], np.diff([0, *totals]), rtol=1e-6)


def test_epochs_before_the_option_are_written_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    train(small(epochs=2), out=folder, progress=False)
    train(small(epochs=3), resume=folder, progress=False, tensorboard=True)
    assert [s for s, _ in scalars(folder / FOLDER)["accuracy/test"]] == [6, 12, 18]


def next_second() -> None:
    """Wait until the next files sort behind those that are there: their names hold seconds, then a number as text."""
    time.sleep(1.01)


def test_what_was_written_beyond_the_checkpoint_is_dropped(tmp_path: Path) -> None:
    from torch.utils.tensorboard import SummaryWriter

    folder = tmp_path / "run"
    train(small(epochs=2), out=folder, progress=False, tensorboard=True)
    next_second()
    with SummaryWriter(str(folder / FOLDER)) as writer:  # as a run does that is then killed within its third epoch
        writer.add_scalar("running/loss", 99.0, 15)
    next_second()
    train(small(epochs=3), resume=folder, progress=False, tensorboard=True)
    found = scalars(folder / FOLDER)["running/loss"]
    assert 99.0 not in [v for _, v in found]
    assert [s for s, _ in found] == sorted({s for s, _ in found})
    assert found[-1][0] == 18


@pytest.mark.slow
def test_a_killed_run_has_no_step_twice(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    few = ("--data", "digits", "--epochs", 5, "--threads", 1, "--tensorboard", "--plain")
    process = start("train", *few, "--out", folder)
    try:
        wait_for_epoch(folder, 2, process)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert mho("train", "--resume", folder, "--tensorboard", "--plain").returncode == 0
    found = scalars(folder / FOLDER)
    for tag in ("accuracy/test", "running/loss", "running/accuracy"):
        steps = [s for s, _ in found[tag]]
        assert steps == sorted(set(steps))
    assert [v for _, v in found["epoch"]] == [1, 2, 3, 4, 5]


def test_a_directory_is_needed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="give out=DIR"):
        train(small(), progress=False, tensorboard=True)


def test_a_missing_tensorboard_is_told_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(ConfigError, match=r"pip install 'mho\[tensorboard\]'"):
        train(small(), out=tmp_path / "run", progress=False, tensorboard=True)
    assert not (tmp_path / "run").exists()
