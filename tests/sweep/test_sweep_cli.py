"""`mho sweep` from the command line, in this process."""

from __future__ import annotations

import pytest

from mho.cli.app import run as mho
from mho.cli.sweep import last_line
from mho.sweep.report.results import read_results
from sweep.small import text
from sweep.tables import synthetic


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "sweep.toml"
    path.write_text(text(images=20), encoding="utf-8")
    return path


def test_a_sweep_says_its_plan_first_and_what_it_found_last(file, tmp_path, capsys):
    out = tmp_path / "out"
    assert mho(["sweep", str(file), "--out", str(out), "--plain"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "9 points of 2 chips: 16 chips in 2 runs, and 4 chips of 2 baselines in one more"
    assert lines[1].startswith("1 point cannot be and will not be run; point 7: lr: the learning rate must be above 0")
    assert lines[3].startswith("expected: ")
    assert "of memory" in lines[3]
    assert lines[-1].endswith("of 9 points within 0.3 points of the baseline, 1 failed")
    assert {"plan.json", "sweep.toml", "table.parquet", "table.csv", "report.html"} <= {p.name for p in out.iterdir()}
    assert mho(["sweep", "--resume", str(out), "--plain"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == lines[-1]


def test_a_plan_computes_and_writes_nothing(file, tmp_path, capsys):
    assert mho(["sweep", str(file), "--plan"]) == 0
    assert "16 chips in 2 runs" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["sweep.toml"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["{file}"], "--out DIR"),
        ([], "SWEEP.toml"),
        (["{file}", "--resume", "x"], "leave out"),
        (["{file}", "--out", "{out}", "--workers", "-1"], "at least 1"),
        (["{file}", "--out", "{out}", "--workers", "2", "--ray", "auto"], "keep one"),
        (["nothing.toml", "--out", "{out}"], "cannot be read"),
        (["--resume", "{out}"], "holds no sweep"),
        (["{file}", "--out", "{file}"], "a file is in the way"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(file, tmp_path, capsys, arguments, why):
    places = {"file": file, "out": tmp_path / "out"}
    assert mho(["sweep", *(a.format(**places) for a in arguments)]) == 1
    said = capsys.readouterr().err
    assert why in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out" / "plan.json").exists()


def test_a_billion_points_need_yes(file, capsys, tmp_path):
    axes = "".join(f"axes.{name} = {{ from = 0.5, to = 1, points = 1000 }}\n" for name in ("lr", "dw_min", "up_down"))
    file.write_text(f"[[grid]]\n{axes}", encoding="utf-8")
    assert mho(["sweep", str(file), "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err
    assert "1,000,000,000 points" in said
    assert "--yes" in said


def test_the_last_line_counts_points_and_not_chips():
    table = synthetic({"a": {"x": [0.1, 0.2, 0.5]}}, noise=0.0, failed={0: ("diverged", "")})
    assert last_line(read_results(table)) == "1 of 3 points within 0.3 points of the baseline, 1 failed"
