"""Searches with real training: from a shell, killed with kill -9, gone on with, and reported."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from mho.errors import ConfigError
from mho.sweep import loads, run
from mho.sweep.files import pack_file
from sweep.killing import kill_after
from sweep.small import results, start

pytest.importorskip("optuna", reason="Optuna is an extra")

TEXT = """
seeds = 2
threshold = 20.0
[set]
data = "digits"
epochs = {epochs}
train_images = {images}
threads = 1
[[grid]]
[grid.axes]
dw_min = {{ from = 0.001, to = 0.02, points = 3, scale = "log" }}
up_down = [1.0, 1.05, 1.2]
[search]
trials = 12
batch = 4
cost = "log10(1/dw_min) + 10 * (1.2 - up_down)"
"""
SHORT = TEXT.format(epochs=1, images=60)
LONG = TEXT.format(epochs=4, images=120)


def test_a_search_in_one_process(tmp_path: Path) -> None:
    table = run(loads(SHORT), out=tmp_path / "s", search=True, progress=False)
    assert sorted(set(table.rows["point"])) == [-1, *range(12)]
    assert set(table.rows["analog.device.up_down"]) <= {None, 1.0, 1.05, 1.2}
    page = (tmp_path / "s" / "report.html").read_text(encoding="utf-8")
    assert "search-pareto" in page
    front = (tmp_path / "s" / "front.csv").read_text(encoding="utf-8").splitlines()
    trials = json.loads((tmp_path / "s" / "search.json").read_text())["trials"]
    assert len(front) == 1 + sum(t["front"] for t in trials)
    before = (tmp_path / "s" / "search.db").read_bytes()
    run(out=tmp_path / "s", search=True, progress=False)
    assert (tmp_path / "s" / "search.db").read_bytes() == before


def test_a_finished_search_is_given_more_trials_and_asks_on(tmp_path: Path) -> None:
    out = tmp_path / "s"
    run(loads(SHORT.replace("trials = 12", "trials = 8")), out=out, search=True, progress=False)
    kept = pack_file(out, 1).stat().st_mtime_ns
    table = run(loads(SHORT), out=out, search=True, progress=False)
    assert sorted(set(table.rows["point"])) == [-1, *range(12)]
    assert pack_file(out, 1).stat().st_mtime_ns == kept
    assert len(json.loads((out / "search.json").read_text())["trials"]) == 12
    with pytest.raises(ConfigError, match=r"search\.trials is 12 there, 8 here"):
        run(loads(SHORT.replace("trials = 12", "trials = 8")), out=out, search=True, progress=False)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no kill -9 on Windows")
def test_a_killed_search_ends_with_the_same_table(tmp_path: Path) -> None:
    (tmp_path / "search.toml").write_text(LONG, encoding="utf-8")
    out = tmp_path / "killed"
    process = start(tmp_path / "search.toml", "--out", out, "--search", "--workers", 2, "--plain")
    kill_after(pack_file(out, 2), process)  # 0 is the baseline, 1 the first batch, 2 the second
    kept = pack_file(out, 1).read_bytes()
    again = start("--resume", out, "--plain")  # that it is a search is in its plan
    said, _ = again.communicate(timeout=300)
    assert again.returncode == 0, said
    assert "12 of 12 trials: " in said
    assert pack_file(out, 1).read_bytes() == kept
    run(loads(LONG), out=tmp_path / "whole", search=True, progress=False)
    assert results(out) == results(tmp_path / "whole")


def test_a_file_without_a_search_is_refused(tmp_path: Path) -> None:
    (tmp_path / "search.toml").write_text(SHORT.partition("[search]")[0], encoding="utf-8")
    process = start(tmp_path / "search.toml", "--out", tmp_path / "out", "--search")
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "--search goes by the table [search] of the sweep, and there is none; give one" in said
    assert not (tmp_path / "out").exists()
