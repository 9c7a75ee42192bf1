"""Studies made of steps: rows, files, kept steps, needs, settings, pages."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mho.cli.app import app
from mho.errors import CheckpointError, ConfigError, MhoError
from mho.studies import Bench, Context, Row, Step, catalogue, page, run
from mho.studies.bench_figure import draw_points
from studies import toy
from studies.toy import BENCH, RAN


@pytest.fixture(autouse=True)
def listed(monkeypatch: pytest.MonkeyPatch) -> None:
    put(monkeypatch, BENCH)


def put(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
    monkeypatch.setattr(catalogue, "ROWS", (bench,))
    RAN.clear()


def test_rows_tables_and_figures_come_from_steps(tmp_path: Path) -> None:
    found = run(BENCH.name, out=tmp_path, progress=False)
    assert RAN == ["digital", "noise", "cost"]
    assert found == json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    cells = [(r["case"], r["ours"], r["std"], r["chips"], r["paper"], r["unit"]) for r in found]
    assert cells == [
        ("digital", 90.0, 0.0, 1, 91.2, "% test accuracy"),
        ("noise 0", 89.0, 1.0, 3, None, "% test accuracy"),
        ("noise 0.1", 88.0, 1.0, 3, None, "% test accuracy"),
        ("write", 1.5, 0.0, 1, None, "seconds"),
        ("speed-up", 1234.5, 0.0, 1, None, "times"),
        ("noise 0.1, over digital", -2.0, 1.0, 3, -1.0, "points of test accuracy"),
    ]
    assert found[0]["provenance"] == "[TEXT] table 1: 91.2"
    assert found[1]["provenance"] == "no published number known"
    text = (tmp_path / "table.md").read_text(encoding="utf-8")
    assert "| noise 0.1 | on chips | 88.00 ± 1.00 | −2.00 ± 1.00 | [DERIVED] -1.0 |" in text
    assert "**cost**\n\n| case | what is new | value | known |" in text
    assert "| speed-up |  | 1234 times |  |" in text
    assert "- Data digits.\n- Seed 0; 1 or 3 chips a row" in text
    assert (tmp_path / "figure.png").stat().st_size > 10_000
    assert "<svg" in (tmp_path / "figure.svg").read_text(encoding="utf-8")
    about = json.loads((tmp_path / "study.json").read_text(encoding="utf-8"))
    assert about["complete"] is True
    assert about["command"] == "mho study run toy-2026 --quick"
    assert [s["step"] for s in about["steps"]] == ["digital", "noise", "what it costs"]


def test_a_step_brings_those_that_it_needs_and_what_is_done_is_kept(tmp_path: Path) -> None:
    run(BENCH.name, out=tmp_path, cases=["noise"], progress=False)
    assert RAN == ["digital", "noise"]
    about = json.loads((tmp_path / "study.json").read_text(encoding="utf-8"))
    assert about["complete"] is False
    run(BENCH.name, out=tmp_path, progress=False)
    assert RAN == ["digital", "noise", "cost"]
    whole = tmp_path / "whole"
    assert run(BENCH.name, out=whole, progress=False) == run(BENCH.name, out=tmp_path, progress=False)
    (tmp_path / "steps" / "noise.json").unlink()
    run(BENCH.name, out=tmp_path, progress=False)
    assert RAN[-1] == "noise"


def test_a_step_that_is_interrupted_leaves_the_others_and_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(context: Context) -> list[Row]:
        done = context.folder / "half.txt"
        if not done.exists():
            done.write_text("begun")
            raise KeyboardInterrupt
        context.seconds_before += 1000
        return [Row("half", (float(len(done.read_text())),))]

    put(monkeypatch, replace(BENCH, steps=(BENCH.steps[0], Step("half way", "is killed", half))))
    with pytest.raises(KeyboardInterrupt):
        run(BENCH.name, out=tmp_path, progress=False)
    assert [r["case"] for r in json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))] == ["digital"]
    with pytest.raises(ConfigError, match="seed was 0, now 1"):  # nothing half done meets other settings
        run(BENCH.name, out=tmp_path, seed=1, progress=False)
    assert [r["ours"] for r in run(BENCH.name, out=tmp_path, progress=False)] == [90.0, 5.0]
    assert RAN == ["digital"]
    assert json.loads((tmp_path / "study.json").read_text(encoding="utf-8"))["seconds"] >= 1000


def test_parts_of_a_step_are_kept(tmp_path: Path) -> None:
    context, made = Context(None, 0, tmp_path, tmp_path), []

    def make() -> dict[str, list[float]]:
        made.append(1)
        return {"accuracy": [0.1, 2.0]}

    assert [context.keep("RSA 3 %", make) for _ in range(2)] == [{"accuracy": [0.1, 2.0]}] * 2
    assert made == [1]
    (tmp_path / "rsa-3.json").write_text("{", encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"rsa-3\.json is damaged"):
        context.keep("RSA 3 %", make)


def test_settings_are_strict_and_a_folder_keeps_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = ["noises=[0.1, 0.2]", "chips=2"]
    found = run(BENCH.name, "full", out=tmp_path, settings=chosen, progress=False)
    assert [(r["case"], r["chips"]) for r in found[1:3]] == [("noise 0.1", 2), ("noise 0.2", 2)]
    with pytest.raises(ConfigError, match=r"noises was \[0.1, 0.2\], now \[0.0, 0.1\]"):
        run(BENCH.name, "full", out=tmp_path, settings=["chips=2"], progress=False)
    assert run(BENCH.name, "full", out=tmp_path, settings=[*chosen, "threads=1"]) == found
    assert "kept from before: digital, noise, what it costs" in capsys.readouterr().out
    for bad, says in (("noise=[0.1]", "did you mean 'noises'"), ("chips=many", "expected a whole number")):
        with pytest.raises(ConfigError, match=says):
            run(BENCH.name, out=tmp_path / "new", settings=[bad], progress=False)
    with pytest.raises(ConfigError, match="no mode 'fast'"):
        run(BENCH.name, "fast", out=tmp_path / "new", progress=False)
    with pytest.raises(ConfigError, match="no step 'nose' \\(did you mean 'noise'"):
        run(BENCH.name, out=tmp_path / "new", cases=["nose"], progress=False)
    assert not (tmp_path / "new").exists()


def test_folders_of_others_are_refused_and_damage_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.tex").write_text("years of work")
    with pytest.raises(ConfigError, match="not an empty directory"):
        run(BENCH.name, out=other, progress=False)
    out = tmp_path / "out"
    run(BENCH.name, out=out, progress=False)
    put(monkeypatch, replace(BENCH, name="toy-2027"))
    with pytest.raises(ConfigError, match="holds results of study toy-2026"):
        run("toy-2027", out=out, progress=False)
    put(monkeypatch, BENCH)
    (out / "steps" / "noise.json").write_text('{"rows": [{"case"', encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"noise\.json is damaged"):
        run(BENCH.name, out=out, progress=False)


def test_rows_that_cannot_be_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for values in ((), (float("nan"),), (1.0, float("inf"))):
        with pytest.raises(ConfigError, match="finite numbers"):
            Row("diverged", values)
    twice = replace(BENCH, steps=(BENCH.steps[0], Step("again", "the same row", toy.digital)))
    put(monkeypatch, twice)
    with pytest.raises(ConfigError, match=r"several rows \['digital'\]"):
        run(BENCH.name, out=tmp_path, progress=False)
    with pytest.raises(ConfigError, match="did you mean 'digital'"):
        Context(None, 0, tmp_path, tmp_path, found={"digital": Row("digital", (1.0,))}).row("digitel")


def test_a_page_is_made_from_a_bench_and_the_command_line_runs_it(tmp_path: Path) -> None:
    out, target = tmp_path / "out", tmp_path / "toy-2026.md"
    words = ["study", "run", BENCH.name, "--quick", "--plain", "--set", "chips=2", "--out", str(out)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "step 2 of 3: noise: adds noise" in result.output
    page(out, target)
    text = target.read_text(encoding="utf-8")
    assert "$ mho study run toy-2026 --quick --set chips=2 --out DIR" in text
    assert text.index("| digital |") < text.index("**cost**") < text.index("| write |") < text.index("](toy-2026.png)")
    listing = CliRunner().invoke(app, ["study", "list"])
    assert "toy-2026" in listing.output


def test_an_own_figure_and_own_tables_take_the_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []
    own = replace(
        BENCH, draw=lambda figure, rows: drawn.append(len(rows)), tables=lambda rows: f"| n |\n|---|\n| {len(rows)} |\n"
    )
    put(monkeypatch, own)
    run(BENCH.name, out=tmp_path, cases=["digital"], progress=False)
    assert drawn == [1]
    assert "| n |\n|---|\n| 1 |" in (tmp_path / "table.md").read_text(encoding="utf-8")


def test_every_error_of_a_study_is_an_error_of_mho() -> None:
    with pytest.raises(MhoError, match="there is no study 'toy-2025'; did you mean 'toy-2026'"):
        run("toy-2025", out="nowhere", progress=False)


def test_a_point_of_equal_chips_is_drawn() -> None:
    from matplotlib.figure import Figure

    row = Row("equal", (96.15, 96.15, 96.15))
    assert row.mean != 96.15, "their mean is off in its last bit, so a bar from the lowest chip would be negative"
    draw_points(Figure().subplots(), [row])
