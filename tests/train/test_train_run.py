"""Runs from Python: the run directory, its numbers, chips, order and schedules."""

from __future__ import annotations

import gc
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

import mho
from mho.config import LrSchedule, load
from mho.data import load as load_data
from mho.errors import CheckpointError, ConfigError, LawError, NotFiniteError
from mho.train import Trainer
from mho.train.tally import Errors
from train.runs import bytes_of, lines, small, without_times


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "one"
    mho.train(small(), out=path, progress=False)
    return path


def test_the_run_directory_is_complete(folder: Path) -> None:
    names = {p.name for p in folder.iterdir()}
    assert names == {"checkpoint", "config.toml", "metrics.jsonl", "report.html", "summary.json"}
    assert load(folder / "config.toml") == small()
    assert [line["epoch"] for line in lines(folder)] == [1, 2]


def test_the_summary_says_what_was_done(folder: Path) -> None:
    summary = json.loads((folder / "summary.json").read_text())
    last = lines(folder)[-1]
    assert summary["test_accuracy"] == last["test_accuracy"]
    assert (summary["epochs"], summary["steps"], summary["samples"]) == (2, 12, 60)
    assert (summary["batch"], summary["reduction"], summary["seed"], summary["chips"]) == (10, "sum", 0, [0])
    assert summary["preset"] == "gokmen-2017"
    assert summary["seconds"] > summary["setup_seconds"] > 0
    assert set(summary["pulses"]) == {"fc1", "fc2", "fc3"}
    assert all(counts[0] > 0 for counts in summary["pulses"].values())
    assert summary["products"]["fc2"]["forward_reads"] >= 120
    assert summary["products"]["fc2"]["backward_reads"] == 120
    assert summary["products"]["fc1"]["backward_reads"] == 0  # nobody asks for the error of the images
    assert summary["test_products"]["fc1"]["forward_reads"] >= 2 * 359
    assert 0 < summary["devices"]["fc1"]["folded"]["dw_min"] < 0.01
    quantiles = summary["max_abs_d"]["epochs"][-1]["fc3"]
    assert quantiles == sorted(quantiles)
    assert 0 < quantiles[0] < quantiles[-1] <= 1.5
    assert {"mho", "torch", "python"} <= set(summary["versions"])


def test_accuracy_is_in_percent_of_the_test_set(folder: Path) -> None:
    accuracy = lines(folder)[-1]["test_accuracy"][0]
    rights = accuracy / 100 * 359
    assert rights == pytest.approx(round(rights), abs=1e-6)


def test_a_run_learns() -> None:
    result = mho.train(small(train_images=None, epochs=25, lr=0.02), progress=False)
    assert result.folder is None
    assert result.test_accuracy[0] > 85
    assert result.metrics[-1]["train_loss"][0] < result.metrics[0]["train_loss"][0] / 2


def test_a_directory_with_anything_in_it_is_refused(folder: Path, tmp_path: Path) -> None:
    before = bytes_of(folder)
    with pytest.raises(ConfigError, match="--resume"):
        mho.train(small(), out=folder, progress=False)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ConfigError, match="not an empty directory"):
        mho.train(small(), out=tmp_path / "file", progress=False)
    assert bytes_of(folder) == before


def test_more_epochs_later_are_the_same_as_all_at_once(tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    config = small(epochs=3, chips=2, vary=("order", "init"), lr_schedule=LrSchedule((1,), 0.5))
    mho.train(config, out=whole, progress=False)
    mho.train(config.with_(epochs=1), out=parts, progress=False)
    mho.train(config, resume=parts, progress=False)
    assert bytes_of(parts) == bytes_of(whole)
    assert without_times(parts) == without_times(whole)
    assert [line["lr"] for line in lines(whole)] == [0.01, 0.005, 0.005]
    assert load(parts / "config.toml").epochs == 3


def test_a_finished_run_resumed_changes_nothing(folder: Path) -> None:
    before, metrics = bytes_of(folder), lines(folder)
    result = mho.train(resume=folder, progress=False)
    assert bytes_of(folder) == before
    assert lines(folder) == metrics == result.metrics


def test_resuming_with_other_settings_or_nothing_there(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="keeps its settings"):
        mho.train(small(lr=0.5), resume=folder, progress=False)
    with pytest.raises(CheckpointError, match=r"no config\.toml"):
        mho.train(resume=tmp_path, progress=False)


def test_a_chip_among_others_is_like_that_chip_alone() -> None:
    together = mho.train(small(chips=3), progress=False)
    alone = mho.train(small(chips=(2,)), progress=False)
    for layer in ("fc1", "fc2", "fc3"):
        mine = together.summary["pulses"][layer][2]
        assert mine == pytest.approx(alone.summary["pulses"][layer][0], rel=1e-3)
        there = getattr(together.model, layer).weight[2]
        assert torch.allclose(there, getattr(alone.model, layer).weight, atol=0.02)
    assert together.metrics[-1]["train_loss"][2] == pytest.approx(alone.metrics[-1]["train_loss"][0], rel=1e-3)
    assert len(set(together.metrics[-1]["train_loss"])) == 3


def test_a_learning_rate_per_chip() -> None:
    result = mho.train(small(chips=2, lr=(1e-4, 0.05)), progress=False)
    slow, fast = result.summary["pulses"]["fc2"]
    assert fast > 3 * slow
    assert result.metrics[0]["lr"] == [1e-4, 0.05]


def test_no_epochs_tests_the_untrained_network(tmp_path: Path) -> None:
    result = mho.train(small(epochs=0), out=tmp_path / "run", progress=False)
    assert result.metrics[0]["epoch"] == 0
    assert result.summary["steps"] == 0
    assert math.isclose(result.test_accuracy[0], lines(tmp_path / "run")[0]["test_accuracy"][0])


def test_a_run_that_diverges_says_where_and_keeps_its_epochs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mho.train.loop import Trainer

    gather = Trainer._gather

    def poisoned(self: Trainer, rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        x, y = gather(self, rows)
        return (x * float("nan") if self.epoch else x), y

    monkeypatch.setattr(Trainer, "_gather", poisoned)
    with pytest.raises(NotFiniteError, match="diverged in epoch 2, step 7: layer 'fc1'"):
        mho.train(small(), out=tmp_path / "run", progress=False)
    assert len(lines(tmp_path / "run")) == 1
    assert not (tmp_path / "run" / "summary.json").exists()
    monkeypatch.undo()
    mho.train(resume=tmp_path / "run", progress=False)
    assert len(lines(tmp_path / "run")) == 2


def test_another_number_of_threads_is_told(tmp_path: Path) -> None:
    config = small(threads=1)
    mho.train(config, out=tmp_path / "run", progress=False)
    before = torch.get_num_threads()
    with pytest.warns(UserWarning, match="1 torch threads and goes on with 2"):
        mho.train(config.with_(epochs=3, threads=2), resume=tmp_path / "run", progress=False)
    assert torch.get_num_threads() == before


def test_the_room_itself_can_be_called() -> None:
    import mho.train as room

    assert room.train is not room
    assert callable(mho.train)
    assert callable(room)


def test_the_name_of_a_preset_is_no_configuration() -> None:
    with pytest.raises(ConfigError, match=r"takes a RunConfig, found 'gokmen-2017'"):
        mho.train("gokmen-2017", progress=False)  # type: ignore[arg-type]


def test_a_law_that_no_kernel_can_hold_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    path = tmp_path / "branches.py"
    path.write_text(
        "from mho.devices import Device, Spread, law\n"
        "class Branches(Device):\n"
        "    dw_min: Spread = Spread(0.1)\n"
        "    def cells(self, draw):\n        return {'dw': draw(self.dw_min)}\n"
        "    @law\n"
        "    def pulse(w, up, xi, dw):\n        return w + (dw if up else -dw)\n"
    )
    config = small().with_(device=f"{path}:Branches")
    with pytest.raises(LawError, match=r"branches\.py: Branches\.pulse, line 8: `return w \+ .*where\(condition"):
        mho.train(config, out=tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()


def test_a_place_that_cannot_be_written_is_refused_before_the_data_are_loaded(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("mho.train.run.load", lambda *_, **__: pytest.fail("the data were loaded"))
    with pytest.raises(ConfigError, match=r"nothing can be written to .*file/run: a file is in the way"):
        mho.train(mho.RunConfig(data="digits"), out=tmp_path / "file" / "run", progress=False)


def test_noting_errors_keeps_no_tensor_among_those_of_the_steps() -> None:
    """Small tensors that stay between those that come and go tear the memory to pieces: GBs in an epoch."""
    digits = load_data("digits")
    trainer = Trainer(small(chips=2), digits)
    errors, kept = Errors(trainer.model), []
    x, y = digits.batch(torch.arange(20))
    for _ in range(3):
        torch.nn.functional.cross_entropy(trainer.model(x), y).backward()
        trainer.optimizer.gather()
        errors.take()
        trainer.optimizer.step()
        trainer.optimizer.zero_grad()
        kept.append(sum(type(o) is torch.Tensor for o in gc.get_objects()))
    assert kept[2] == kept[1]
    assert all(0 < values[0] <= values[-1] for values in errors.quantiles().values())
