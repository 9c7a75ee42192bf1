"""Missing and damaged files of a run are named, and what is optional may be missing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from mho.errors import CheckpointError, MhoError
from mho.report import write_report
from mho.report.rundir import numbers_in, read_run
from report.pages import figures, words_of

NEEDED = ("config.toml", "metrics.jsonl", "checkpoint/model.safetensors")
METRICS = ["test_accuracy", "pulses", "max_abs_d", "train_loss", "seconds"]
BROKEN = ['{"epoch": 2, "test', "[1, 2]", '{"epoch": "two"}', '{"loss": 1}', "NaN", "[" * 9999]


@pytest.mark.parametrize("name", NEEDED)
def test_missing_file_is_named(run: Path, name: str) -> None:
    (run / name).unlink()
    with pytest.raises(CheckpointError, match=Path(name).name) as caught:
        write_report(run)
    assert "mho train" in str(caught.value)
    assert not (run / "report.html").exists()


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="nothing-here"):
        write_report(tmp_path / "nothing-here")


@pytest.mark.parametrize("name", [*NEEDED, "summary.json"])
@pytest.mark.parametrize("damage", ["cut", "bytes"])
def test_damaged_file_is_named(run: Path, name: str, damage: str) -> None:
    (run / "report.html").write_text("older")
    whole = (run / name).read_bytes()
    (run / name).write_bytes(whole[: len(whole) - 40] if damage == "cut" else b"\xff\xfe" + whole)
    with pytest.raises(MhoError, match=Path(name).name):
        write_report(run)
    assert (run / "report.html").read_text() == "older"


@pytest.mark.parametrize("line", BROKEN)
def test_damaged_metrics_line_is_named(run: Path, line: str) -> None:
    path = run / "metrics.jsonl"
    first = path.read_text().splitlines()[0]
    path.write_text(f"{first}\n{line}\n")
    with pytest.raises(CheckpointError, match=r"metrics\.jsonl, line 2") as caught:
        write_report(run)
    assert "--resume" in str(caught.value)


def test_nan_in_the_checkpoint_is_named(run: Path) -> None:
    path = run / "checkpoint" / "model.safetensors"
    tensors = load_file(path)
    tensors["fc2.grids.0.blocks.0.arrays.weight.tiles.0.state"][0, 0, 3, 4] = torch.nan
    save_file(tensors, path)
    with pytest.raises(CheckpointError, match=r"fc2\.grids\.0\.blocks\.0\.arrays\.weight\.tiles\.0\.state holds NaN"):
        write_report(run)


def test_checkpoint_without_tiles_is_refused(run: Path) -> None:
    save_file({"weight": torch.zeros(2, 2)}, run / "checkpoint" / "model.safetensors")
    with pytest.raises(CheckpointError, match="no analog tiles"):
        write_report(run)


def test_run_without_summary_is_unfinished(run: Path) -> None:
    (run / "summary.json").unlink()
    text = words_of(write_report(run))
    assert "The run has not finished: 2 of 2 epochs" in text
    assert "mho train --resume" in text


def test_only_the_epochs_are_needed(run: Path) -> None:
    (run / "metrics.jsonl").write_text('{"epoch": 1}\n{"epoch": 2, "test_accuracy": 50.0}\n')
    (run / "summary.json").write_text("{}")
    page = write_report(run)
    assert "Test accuracy 50.00 %" in words_of(page)
    assert "loss" not in figures(page)
    assert figures(page)["accuracy"]["data"][0]["y"] == [50]


def test_values_that_json_does_not_have(run: Path) -> None:
    line = {
        "epoch": 1,
        "test_accuracy": [None, 50.0],
        "train_loss": [None, None],
        "max_abs_d": {"fc1": [None] * 7},
    }
    (run / "metrics.jsonl").write_text(json.dumps(line) + "\n")
    (run / "summary.json").unlink()
    page = write_report(run)
    assert "Test accuracy unknown on 1 of 2 chips" in words_of(page)
    assert figures(page)["accuracy"]["data"][-1]["y"] == [None]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_numbers_are_found_in_anything(value: object) -> None:
    found = numbers_in(value)
    assert all(isinstance(v, float) for v in found)


@given(st.dictionaries(st.sampled_from(METRICS), JSON))
def test_metrics_of_any_shape_are_drawn_or_left_out(trained: Path, line: dict[str, object]) -> None:
    from mho.report.rundir import Run
    from mho.report.training import training_figures

    good = read_run(trained)
    odd = Run(good.folder, good.config, ({"epoch": 1, **line}, *good.metrics), {})
    for figure in training_figures(odd):
        json.dumps(figure.json(), allow_nan=False)
