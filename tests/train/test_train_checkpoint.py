"""Checkpoints that are damaged, cut short, missing, or of another run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

import mho
from mho.errors import CheckpointError
from mho.train.checkpoint import MODEL, STATE, read_checkpoint, save_checkpoint
from train.runs import bytes_of, lines, small


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "one"
    mho.train(small(), out=path, progress=False)
    return path


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "run"))


def refused(folder: Path, *says: str) -> None:
    before = bytes_of(folder)
    with pytest.raises(CheckpointError) as caught:
        mho.train(small(epochs=3), resume=folder, progress=False)
    assert all(text in str(caught.value) for text in says), caught.value
    assert bytes_of(folder) == before


def test_the_file_is_plain_safetensors_with_the_layers_by_name(original: Path) -> None:
    tensors = load_file(original / "checkpoint" / MODEL)
    assert tensors["fc1.grids.0.blocks.0.arrays.weight.tiles.0.state"].shape == (1, 1, 256, 65)
    state = json.loads((original / "checkpoint" / STATE).read_text())
    assert (state["epoch"], state["step"]) == (2, 12)
    assert "seconds" not in state["metrics"]


@pytest.mark.parametrize("size", [0, 5, 500, -1])
def test_a_truncated_file_is_named(folder: Path, size: int) -> None:
    path = folder / "checkpoint" / MODEL
    path.write_bytes(path.read_bytes()[:size])
    refused(folder, str(path), "damaged")


def test_a_changed_weight_is_noticed(folder: Path) -> None:
    path = folder / "checkpoint" / MODEL
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    path.write_bytes(data)
    refused(folder, str(path), "checksum")


@pytest.mark.parametrize("text", ["", "{", "\x00\xff"])
def test_a_damaged_state_is_named(folder: Path, text: str) -> None:
    path = folder / "checkpoint" / STATE
    path.write_text(text, encoding="latin-1")
    refused(folder, str(path), "damaged")


def test_a_missing_model_is_named(folder: Path) -> None:
    (folder / "checkpoint" / MODEL).unlink()
    refused(folder, str(folder / "checkpoint" / MODEL), "missing")


def test_a_missing_checkpoint_does_not_begin_the_run_again(folder: Path) -> None:
    shutil.rmtree(folder / "checkpoint")
    before = lines(folder)
    with pytest.raises(CheckpointError, match=r"missing, though metrics\.jsonl tells of 2 epochs"):
        mho.train(small(epochs=3), resume=folder, progress=False)
    assert lines(folder) == before


def test_a_run_is_not_resumed_to_fewer_epochs(folder: Path) -> None:
    before = (folder / "config.toml").read_text()
    with pytest.raises(mho.errors.ConfigError, match=r"has done 2 epochs.*at least --epochs 2"):
        mho.train(small(epochs=1), resume=folder, progress=False)
    assert (folder / "config.toml").read_text() == before


def test_a_missing_copy_of_the_state_is_made_again(folder: Path, original: Path) -> None:
    (folder / "checkpoint" / STATE).unlink()
    mho.train(small(epochs=3), resume=folder, progress=False)
    assert json.loads((folder / "checkpoint" / STATE).read_text())["epoch"] == 3


def test_damaged_metrics_are_named(folder: Path) -> None:
    path = folder / "metrics.jsonl"
    path.write_text(path.read_text().replace('"epoch": 1', '"epoch": '))
    refused(folder, f"{path}, line 1")


def test_lines_beyond_the_checkpoint_are_dropped(folder: Path) -> None:
    path = folder / "metrics.jsonl"
    ahead = json.dumps({**lines(folder)[-1], "epoch": 3, "test_accuracy": [100.0]})
    path.write_text(path.read_text() + ahead + "\n")
    result = mho.train(small(), resume=folder, progress=False)
    assert [line["epoch"] for line in lines(folder)] == [1, 2]
    assert result.test_accuracy != [100.0]


def test_a_line_that_the_kill_prevented_is_made_again(folder: Path) -> None:
    path = folder / "metrics.jsonl"
    first, second = path.read_text().splitlines()
    path.write_text(first + "\n")
    mho.train(small(), resume=folder, progress=False)
    assert lines(folder) == [json.loads(first), {**json.loads(second), "seconds": 0.0}]


def test_temporary_files_of_a_killed_process_are_removed(folder: Path) -> None:
    for name in (".metrics.jsonl.abc", "checkpoint/.model.safetensors.abc", ".mine"):
        (folder / name).write_text("half")
    mho.train(small(), resume=folder, progress=False)
    assert [p.name for p in folder.rglob(".*")] == [".mine"]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('data = "digits"', 'data = "digits"\nnetwork = "lenet"', "network"),
        (
            "max_rows = 4096",
            "max_rows = 100",
            "layers fc1, fc2: fc1.grids.0.blocks.0.arrays.weight.tiles.0.state has shape",
        ),
        (
            "chips = 1",
            "chips = 2",
            "fc1.grids.0.blocks.0.arrays.weight.tiles.0.state has shape (1, 1, 256, 65), expected (2, 1, 256, 65)",
        ),
        ("seed = 0", "seed = 1", "fc3 (devices)"),
        ("mean = 0.001", "mean = 0.002", "fc3 (devices)"),
        (
            "count_pulses = true",
            "count_pulses = false",
            "fc1.grids.0.blocks.0.arrays.weight.tiles.0.counts is in the checkpoint only",
        ),
    ],
)
def test_a_checkpoint_of_another_configuration_is_refused(folder: Path, old: str, new: str, says: str) -> None:
    path = folder / "config.toml"
    text = path.read_text()
    if new.endswith('"lenet"'):
        old, new = 'network = "fcn"', 'network = "lenet"'
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises((CheckpointError, mho.errors.ConfigError)) as caught:
        mho.train(resume=folder, progress=False)
    told = str(caught.value)
    if says == "fc3 (devices)":
        assert "in the layers fc1, fc2, fc3" in told
        says = "holds other devices than the seed and the device"
    assert says in told


def test_tensors_that_share_memory_are_saved(tmp_path: Path) -> None:
    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            values = torch.arange(6.0)
            self.register_buffer("a", values)
            self.register_buffer("b", values.view(2, 3).t())
            self.register_buffer("c", values[:2])

    save_checkpoint(tmp_path, Net().state_dict(), {"epoch": 1, "step": 2, "metrics": {}})
    found = read_checkpoint(tmp_path)
    assert found is not None
    assert torch.equal(found[1]["b"], torch.arange(6.0).view(2, 3).t())
    assert torch.equal(found[1]["c"], torch.arange(2.0))


@given(data=st.data())
def test_no_damage_gets_past_the_reader(
    data: st.DataObject, original: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Reading a damaged file raises CheckpointError, or gives the very tensors that were saved."""
    good = (original / "checkpoint" / MODEL).read_bytes()
    header = 8 + int.from_bytes(good[:8], "little")
    place = data.draw(st.integers(0, header + 100))
    damage = data.draw(st.binary(min_size=0, max_size=20))
    folder = tmp_path_factory.mktemp("damaged")
    (folder / MODEL).write_bytes(good[:place] + damage + good[place + data.draw(st.integers(0, 20)) :])
    try:
        found = read_checkpoint(folder)
    except CheckpointError:
        return
    expected = load_file(original / "checkpoint" / MODEL)
    assert found is not None
    assert found[0]["epoch"] == 2
    assert found[1].keys() == expected.keys()
    assert all(torch.equal(found[1][name], expected[name]) for name in expected)
