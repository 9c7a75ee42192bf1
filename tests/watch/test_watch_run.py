"""What the live page says of a training run while it works, stands still, is damaged or has ended."""

from __future__ import annotations

import json
import signal
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from mho import RunConfig, train
from mho.errors import CheckpointError
from mho.train.progress import Silent
from mho.watch import look, serving
from mho.watch.live import Live, stamp
from train.runs import mho, start
from watch.made import begin, line, write_epochs


def test_a_run_that_has_yet_to_begin_is_waited_for(tmp_path: Path) -> None:
    view = look(tmp_path / "one")
    assert (view.state, view.figures) == ("waiting", ())
    (tmp_path / "two").mkdir()
    assert look(tmp_path / "two").state == "waiting"
    begin(tmp_path / "two")
    view = look(tmp_path / "two")
    assert (view.state, view.done, view.total) == ("running", 0, 3)
    assert "first epoch" in view.notes[0]


def test_a_run_at_work(tmp_path: Path) -> None:
    begin(tmp_path, epochs=10)
    write_epochs(tmp_path, 4)
    view = look(tmp_path)
    assert (view.state, view.done, view.total, view.unit) == ("running", 4, 10, "epochs")
    assert (view.every, view.left) == (2.0, 12.0)
    assert dict(view.facts)["test accuracy"] == "90.50 % ± 0.71"
    assert dict(view.facts)["best"] == "90.50 % in epoch 4"
    assert [f.name for f in view.figures] == ["accuracy", "loss", "pulses-per-epoch", "max-abs-d"]
    assert "--resume" in view.again
    json.dumps(view.json(), allow_nan=False)


def test_a_finished_run_and_one_that_goes_on(tmp_path: Path) -> None:
    begin(tmp_path)
    write_epochs(tmp_path, 3)
    view = look(tmp_path)
    assert (view.state, view.left) == ("finished", None)
    begin(tmp_path, epochs=6)  # as mho train --resume DIR --epochs 6
    assert look(tmp_path).state == "running"


def test_a_diverged_run_says_why(tmp_path: Path) -> None:
    begin(tmp_path)
    (tmp_path / "metrics.jsonl").write_text(json.dumps({**line(1), "test_accuracy": [None, 60.0]}) + "\n")
    (tmp_path / "diverged.json").write_text('{"why": "the run diverged in epoch 2", "test_accuracy": [1.0]}')
    view = look(tmp_path)
    assert (view.state, view.notes) == ("diverged", ("the run diverged in epoch 2",))
    json.dumps(view.json(), allow_nan=False)
    (tmp_path / "diverged.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"diverged\.json is damaged"):
        look(tmp_path)


def test_a_directory_of_runs_names_them(tmp_path: Path) -> None:
    begin(tmp_path / "runs" / "a")
    with pytest.raises(CheckpointError, match="runs/a"):
        look(tmp_path)


def test_a_damaged_file_is_told_above_what_was_there(tmp_path: Path) -> None:
    begin(tmp_path)
    write_epochs(tmp_path, 2)
    live = Live(tmp_path)
    first = json.loads(live.newer("") or b"")
    (tmp_path / "metrics.jsonl").write_text('{"epoch": 1}\n{"ep')
    second = _next(live, first["version"])
    assert "line 2" in second["notes"][0]
    assert [f["name"] for f in second["figures"]] == [f["name"] for f in first["figures"]]
    write_epochs(tmp_path, 3)
    assert _next(live, second["version"])["notes"] == []


def _next(live: Live, version: str) -> dict[str, Any]:
    end = time.monotonic() + 10
    while (text := live.newer(version)) is None:
        assert time.monotonic() < end
        time.sleep(0.05)
    return dict(json.loads(text))


def test_files_that_do_not_change_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(tmp_path)
    write_epochs(tmp_path, 2)
    seen = []
    monkeypatch.setattr("mho.watch.live.look", lambda folder: seen.append(folder) or look(folder))
    monkeypatch.setattr("mho.watch.live.PAUSE", 0.0)
    monkeypatch.setattr("mho.watch.live.SHARE", 1e9)
    live = Live(tmp_path)
    for _ in range(5):
        live.newer("")
    assert len(seen) == 1


@pytest.mark.parametrize(
    "name",
    ["config.toml", "metrics.jsonl", "diverged.json", "sweep.toml", "plan.json", "packs/00000.parquet", "search.json"],
)
def test_each_file_that_a_view_is_made_from_is_watched(tmp_path: Path, name: str) -> None:
    before = stamp(tmp_path)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    assert stamp(tmp_path) != before


class Watched(Silent):
    """Goes on after an epoch when the page has shown it, so that no machine is too fast to be watched."""

    def __init__(self, url: str) -> None:
        self.url, self.version = url, ""
        self.seen: list[tuple[str, int]] = []

    def begin(self, *, epochs: int, steps: int, done: int) -> None:
        self.look_until(done)

    def epoch(self, line: dict[str, Any]) -> None:
        self.look_until(line["epoch"])

    def look_until(self, done: int) -> None:
        end = time.monotonic() + 60
        while not self.seen or self.seen[-1][1] < done:
            assert time.monotonic() < end, f"{done} epochs were done, the page showed {self.seen}"
            with urllib.request.urlopen(f"{self.url}state.json?have={self.version}", timeout=20) as answer:
                text = answer.read()
            if text:
                state = json.loads(text)
                self.version = state["version"]
                self.seen.append((state["state"], state["done"]))
            time.sleep(0.05)


def test_a_real_training_is_seen_growing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "run"
    monkeypatch.setattr("mho.watch.live.PAUSE", 0.05)
    with serving(folder) as server:
        watched = Watched(server.url)
        watched.look_until(0)
        monkeypatch.setattr("mho.train.run.reporter", lambda progress: watched)
        train(RunConfig(data="digits", epochs=4, threads=1), out=folder)
    assert watched.seen[0] == ("waiting", 0)
    assert watched.seen[-1] == ("finished", 4)
    done = [n for _, n in watched.seen]
    assert done == sorted(done)
    assert {1, 2, 3, 4} <= set(done)


def test_the_command_prints_an_address_and_ends_by_ctrl_c(tmp_path: Path) -> None:
    begin(tmp_path / "run")
    write_epochs(tmp_path / "run", 1)
    process = start("watch", tmp_path / "run")
    assert process.stdout is not None
    try:
        assert process.stdout.readline().startswith(f"watching {tmp_path / 'run'}")
        url = process.stdout.readline().strip()
        with urllib.request.urlopen(f"{url}state.json", timeout=20) as answer:
            assert json.load(answer)["done"] == 1
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
    finally:
        process.kill()
        process.communicate()


def test_the_command_refuses_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    done: subprocess.CompletedProcess[str] = mho("watch", tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("mho: ")
    assert "neither a run (config.toml) nor a sweep" in done.stderr
    assert mho("watch", tmp_path, "--port", "70000").returncode == 2
