"""A sweep that stops anywhere goes on and ends with the same bytes; what is damaged or of another sweep is named."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from mho.devices import SoftBounds
from mho.errors import CheckpointError, ConfigError
from mho.sweep import read, run
from mho.sweep.executors import serial
from mho.sweep.files import locked, read_plan
from mho.sweep.run import Places
from sweep.small import results, small


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return the directory of a sweep that was never stopped."""
    out = tmp_path_factory.mktemp("whole")
    run(small(), out=out, progress=False)
    return out


class Stop(Exception):
    pass


def stop_after(monkeypatch, tasks, error):
    """Let the serial executor raise `error` after so many tasks."""
    done, compute = [], serial.compute

    def counted(task, told=None):
        if len(done) == tasks:
            raise error
        done.append(task)
        return compute(task, told=told)

    monkeypatch.setattr(serial, "compute", counted)


@pytest.mark.parametrize("tasks", [0, 1, 2])
def test_ctrl_c_and_again_gives_the_same_bytes(tmp_path, monkeypatch, whole, tasks):
    with monkeypatch.context() as patch:
        stop_after(patch, tasks, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            run(small(), out=tmp_path, progress=False)
    kept = {p: p.read_bytes() for p in (tmp_path / "packs").glob("*.parquet")}
    assert len(kept) == tasks
    half = read(tmp_path)
    assert sum(status == "done" for status in half.rows["status"]) == (0, 4, 12)[tasks]
    assert all((each["mean"] is None) == (tasks == 0) for each in half.about["baseline"]["each"])
    run(None, out=tmp_path, progress=False)
    assert results(tmp_path) == results(whole)
    assert all(path.read_bytes() == raw for path, raw in kept.items())


def test_a_finished_sweep_is_not_computed_again(monkeypatch, whole):
    stop_after(monkeypatch, 0, Stop())
    assert run(small(), out=whole, progress=False) == read(whole)


def test_the_table_says_what_the_sweep_was(whole):
    table = read(whole)
    assert table.about["title"] == "small"
    assert table.about["axes"][1]["scale"] == "log"
    assert table.about["axes"][1]["path"] == "analog.device.dw_min"
    assert 'law = "constant-step"' in table.about["config"]
    assert set(table.rows["status"]) == {"done", "refused"}
    assert read_plan(whole).point(3) == {"analog.device.up_down": 1.02, "analog.device.dw_min": 0.001}


def test_a_sweep_made_of_objects_is_gone_on_with(tmp_path, monkeypatch):
    """In sweep.toml a device is a table and None a word: read again, they are other objects, and the same sweep."""
    made = replace(small(), settings={**small().settings, "device": SoftBounds(dw_min=0.01), "zero_shift": None})
    with monkeypatch.context() as patch:
        stop_after(patch, 1, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            run(made, out=tmp_path, progress=False)
    table = run(made, out=tmp_path, progress=False)
    assert table.rows["status"].count("done") > 4


def test_two_sweeps_do_not_share_a_directory(tmp_path, whole):
    with pytest.raises(ConfigError, match=r"holds another sweep \(set.epochs is 1 there, 2 here\)"):
        run(small(epochs=2), out=whole, progress=False)
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(ConfigError, match="holds no sweep"):
        run(small(), out=tmp_path, progress=False)
    with locked(whole), pytest.raises(ConfigError, match="worked on by another"):
        run(small(), out=whole, progress=False)


def test_a_search_and_all_points_do_not_share_a_directory(whole):
    pytest.importorskip("optuna")
    searched = replace(small(), grids=small().grids[:1], search={"targets": ["penalty"]})
    with pytest.raises(ConfigError, match="all points there, a search here"):
        run(searched, out=whole, search=True, progress=False)


@pytest.mark.parametrize("damage", ["cut", "other"])
def test_a_damaged_pack_is_named_and_nothing_is_lost(tmp_path, monkeypatch, whole, damage):
    with monkeypatch.context() as patch:
        stop_after(patch, 2, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            run(small(), out=tmp_path, progress=False)
    path = tmp_path / "packs" / "00001.parquet"
    raw = path.read_bytes()
    path.write_bytes(raw[:-20] if damage == "cut" else (tmp_path / "packs" / "00000.parquet").read_bytes())
    for attempt in (lambda: run(small(), out=tmp_path, progress=False), lambda: read(tmp_path)):
        with pytest.raises(CheckpointError, match=r"00001\.parquet .*--resume"):
            attempt()
    assert (tmp_path / "packs" / "00000.parquet").exists()
    path.unlink()
    run(small(), out=tmp_path, progress=False)
    assert results(tmp_path) == results(whole)


@pytest.mark.parametrize("lost", ["plan.json", "sweep.toml"])
@pytest.mark.parametrize("damage", ["gone", "cut"])
def test_half_of_a_plan_is_written_again_from_the_file(tmp_path, whole, lost, damage):
    shutil.copytree(whole, tmp_path / "out")
    path = tmp_path / "out" / lost
    before = path.read_bytes()
    path.unlink()
    if damage == "cut":
        path.write_bytes(before[: len(before) // 2])
    (tmp_path / "out" / "table.parquet").unlink()
    for attempt in (lambda: run(None, out=tmp_path / "out", progress=False), lambda: read(tmp_path / "out")):
        with pytest.raises(CheckpointError, match=r"mho sweep SWEEP.toml --out .*out keeps what is in packs/"):
            attempt()
    with pytest.raises(CheckpointError, match=lost):
        run(small(epochs=2), out=tmp_path / "out", progress=False)  # another sweep is no proof
    run(small(), out=tmp_path / "out", progress=False)
    assert path.read_bytes() == before
    assert results(tmp_path / "out") == results(whole)


def test_results_without_any_plan_are_left_alone(tmp_path, whole):
    shutil.copytree(whole / "packs", tmp_path / "packs")
    with pytest.raises(CheckpointError, match=r"is missing"):
        run(small(), out=tmp_path, progress=False)
    assert [path.name for path in tmp_path.iterdir() if path.name != ".lock"] == ["packs"]


def test_a_sweep_of_all_points_is_no_search(whole):
    with pytest.raises(ConfigError, match="no search; leave out --search"):
        run(None, out=whole, search=True, progress=False)


def test_other_threads_than_this_machine_would_take_are_told(tmp_path, monkeypatch, capsys):
    sweep = replace(small(images=20), settings={"data": "digits", "epochs": 0}, baseline=98.0)
    with monkeypatch.context() as patch:
        patch.setattr(Places, "threads", 3)
        stop_after(patch, 0, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            run(sweep, out=tmp_path, progress=False)
    monkeypatch.setattr(Places, "threads", 1)
    run(sweep, out=tmp_path, progress="plain")
    said = capsys.readouterr().out
    assert said.startswith("every run has 3 threads, as when the sweep was begun, though it would have 1 here now")


def test_a_damaged_plan_and_an_empty_directory_are_named(tmp_path):
    with pytest.raises(CheckpointError, match="holds no sweep"):
        run(None, out=tmp_path, progress=False)
    run(small(images=20), out=tmp_path / "a", progress=False)
    (tmp_path / "a" / "plan.json").write_text("{")
    (tmp_path / "a" / "table.parquet").unlink()
    for attempt in (lambda: run(None, out=tmp_path / "a", progress=False), lambda: read(tmp_path / "a")):
        with pytest.raises(CheckpointError, match="damaged"):
            attempt()
