"""`mho sweep` from the command line, in this process."""

from __future__ import annotations

import pytest
import torch

from mho.cli.app import run as mho
from mho.cli.sweep import last_line
from mho.sweep.estimate import ESTIMATING
from mho.sweep.failures import failures
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
    again = capsys.readouterr().out.splitlines()
    assert again[-1] == lines[-1]
    (out / "table.parquet").unlink()
    assert mho(["sweep", "--resume", str(out), "--plain"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == lines[0]


@pytest.mark.skipif(torch.version.cuda is not None, reason="this torch has CUDA")
def test_runs_on_a_gpu_that_is_not_there_are_refused_before_anything_is_made(file, tmp_path, capsys):
    file.write_text(text(images=20).replace("threads = 1", 'threads = 1\ncompute_device = "cuda"'), encoding="utf-8")
    assert mho(["sweep", str(file), "--out", str(tmp_path / "out"), "--plain"]) == 1
    said = capsys.readouterr().err
    assert "device 'cuda' was asked for, but this torch" in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_plan_computes_and_writes_nothing(file, tmp_path, capsys):
    assert mho(["sweep", str(file), "--plan"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "16 chips in 2 runs" in lines[0]
    assert lines[2] == ESTIMATING  # what is certain stands there before that
    assert [path.name for path in tmp_path.iterdir()] == ["sweep.toml"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["{file}"], "--out DIR"),
        ([], "SWEEP.toml"),
        (["{file}", "--resume", "x"], "leave out"),
        (["{file}", "--out", "{out}", "--workers", "-1"], "at least 1"),
        (["{file}", "--out", "{out}", "--workers", "0"], "--workers must be at least 1, found 0"),
        (["{file}", "--out", "{out}", "--search"], "there is none; give one"),
        (["--resume", "{out}", "--plan"], "holds no sweep"),
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


def test_a_finished_sweep_has_nothing_left(file, tmp_path, capsys, monkeypatch):
    out = tmp_path / "out"
    assert mho(["sweep", str(file), "--out", str(out), "--plain"]) == 0
    assert mho(["sweep", "--resume", str(out), "--plan"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"{out} is finished: there is nothing left to do"
    (out / "table.parquet").unlink()
    (out / "packs" / "00002.parquet").unlink()
    assert mho(["sweep", "--resume", str(out), "--plan"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == "finished already: 2 runs; left: 1"
    assert lines[-1].startswith("expected: ")
    assert not (out / "table.parquet").exists()


def test_errors_name_the_file_and_the_grid(file, capsys):
    file.write_text("[[grid]]\naxes.dw_min = [0.1]\n[[grid]]\nname = 'two'\naxes.rule = ['sgd']\n", encoding="utf-8")
    assert mho(["sweep", str(file), "--plan"]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"mho: {file}: grid 'two': analog.rule: 'sgd' is no rule; valid names: agad, ")
    file.write_text("[set]\nfoo = 1\n[[grid]]\naxes.dw_min = [0.1]\n", encoding="utf-8")
    assert mho(["sweep", str(file), "--plan"]) == 1
    assert capsys.readouterr().err.startswith(f"mho: {file}: foo: no such setting; valid names: analog, ")


def test_errors_that_say_what_to_do_have_nothing_else_behind_them(file, tmp_path, capsys):
    out = tmp_path / "out"
    assert mho(["sweep", str(file), "--out", str(out), "--plain"]) == 0
    (out / "sweep.toml").unlink()
    capsys.readouterr()
    assert mho(["sweep", "--resume", str(out)]) == 1
    said = capsys.readouterr().err
    assert "sweep.toml is missing; give the file" in said
    assert "go on with" not in said


def test_why_points_failed_is_said_and_nothing_but_failures_is_an_error(file, tmp_path, capsys):
    text = 'seeds = 1\nbaseline = 98\n[set]\ndata = "digits"\nepochs = 0\n[[grid]]\naxes.network = ["lenet"{}]\n'
    file.write_text(text.format(', "lenet-5", "fcn"'), encoding="utf-8")
    assert mho(["sweep", str(file), "--out", str(tmp_path / "a"), "--plain"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-3].startswith(
        "1 point failed (refused), as point 0, network = lenet: network 'lenet' was asked for on"
    )
    assert lines[-2].startswith("1 point failed (refused), as point 1, network = lenet-5: ")
    assert lines[-1].endswith(", 2 failed")
    file.write_text(text.format(""), encoding="utf-8")
    assert mho(["sweep", str(file), "--out", str(tmp_path / "b"), "--plain"]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "0 of 1 points within 0.3 points of the baseline, 1 failed"


def test_reasons_are_grouped_and_few():
    alike = {n: ("diverged", f"the run diverged in epoch {n}, step 7{n}: 1e-{n}") for n in range(3)}
    table = synthetic({"a": {"x": [0.1 * n for n in range(12)]}}, failed=alike)
    assert failures(read_results(table)) == [
        "3 points failed (diverged), as point 0, x = 0.0: the run diverged in epoch 0, step 70: 1e-0"
    ]
    other = {n: ("failed", f"it was {'x' * n}") for n in range(3, 12)}
    lines = failures(read_results(synthetic({"a": {"x": [0.1 * n for n in range(12)]}}, failed={**alike, **other})))
    assert len(lines) == 5
    assert lines[-1] == "6 points more failed for other reasons; table.csv says them all"


def test_a_baseline_that_only_guesses_is_said_before_the_last_line(file, tmp_path, capsys):
    text = 'seeds = 1\n[set]\ndata = "digits"\nepochs = 0\n[[grid]]\naxes.dw_min = [0.001]\n'
    file.write_text(text, encoding="utf-8")
    assert mho(["sweep", str(file), "--out", str(tmp_path / "a"), "--plain"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2] in lines[:-2]  # at once, too, as the sweep may better be stopped
    assert lines[-2].startswith("warning: the baseline did not learn: the test accuracy is ")
    assert lines[-1] == "1 of 1 points within 0.3 points of the baseline"


def test_the_last_line_counts_points_and_not_chips():
    table = synthetic({"a": {"x": [0.1, 0.2, 0.5]}}, noise=0.0, failed={0: ("diverged", "")})
    assert last_line(read_results(table)) == "1 of 3 points within 0.3 points of the baseline, 1 failed"
