"""The live page of a sweep: the map fills, failures and damage are told, a search shows cost and penalty."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mho.errors import CheckpointError
from mho.sweep.engine import carry_out
from mho.sweep.files import begin, pack_file, write_table
from mho.sweep.plan import Plan, plan
from mho.sweep.sweep_file import loads
from mho.sweep.table import DIVERGED, FAILED
from mho.watch import look, serving
from sweep.searching import PRICE, Known, sought
from watch.browser import Browser, needs_chromium

HEAD = """
name = "states x noise"
seeds = 2
max_chips = 6
threshold = 0.5
[set]
data = "digits"
epochs = 1
[[grid]]
"""
MAP = HEAD + '[grid.axes]\nc2c = [0.1, 0.3, 0.6, 1.0]\ndw_min = { from = 1e-4, to = 1e-2, points = 3, scale = "log" }\n'


class Sweep:
    """A sweep in a directory, computed pack by pack without training."""

    def __init__(self, folder: Path, text: str = MAP, **options: Any) -> None:
        self.folder, self.executor = folder, Known(**options)
        self.plan: Plan = begin(folder, plan(loads(text), threads=1))

    @property
    def baselines(self) -> int:
        """How many packs are of baselines; they come first."""
        return sum(pack.of_baselines for pack in self.plan.packs)

    def compute(self, packs: int) -> None:
        carry_out(self.plan, self.plan.packs[:packs], self.executor, self.folder)

    def finish(self) -> None:
        self.compute(len(self.plan.packs))
        write_table(self.folder, self.plan)


def cells(figure: Any) -> list[list[float | None]]:
    (trace,) = [t for t in figure.traces if t["type"] == "heatmap"]
    return list(trace["z"])


def known(figure: Any) -> int:
    return sum(value is not None for row in cells(figure) for value in row)


def test_the_map_fills(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path / "s")
    view = look(tmp_path / "s")
    assert (view.state, view.done, view.total, view.unit) == ("running", 0, 12, "points")
    assert "No point is known yet" in view.notes[-1]
    sweep.compute(1)  # the baseline
    assert look(tmp_path / "s").done == 0
    sweep.compute(3)
    view = look(tmp_path / "s")
    assert (view.state, view.done) == ("running", 6)
    (figure,) = view.figures
    assert (len(cells(figure)), len(cells(figure)[0])) == (3, 4)  # of all points, also of those to come
    assert known(figure) == 6
    assert figure.layout["xaxis"]["ticktext"] == ["10 %", "30 %", "60 %", "100 %"]
    assert figure.layout["yaxis"]["ticktext"] == ["0.0001", "0.001", "0.01"]
    assert view.every is not None
    assert view.left is not None
    assert "mho sweep --resume" in view.again
    json.dumps(view.json(), allow_nan=False)
    sweep.finish()
    view = look(tmp_path / "s")
    assert (view.state, view.done, view.left) == ("finished", 12, None)
    assert cells(view.figures[0])[1][0] == pytest.approx(100 * 1e-3 + 0.1**2)  # c2c across, dw_min upwards
    assert dict(view.facts)["baseline"] == "95.00 ± 0.00 %"
    assert dict(view.facts)["acceptable"] == "50 %"


def test_failed_points_are_crosses_and_told(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path / "s", failed={1: FAILED, 5: DIVERGED})
    sweep.finish()
    view = look(tmp_path / "s")
    assert view.notes[0] == "2 points failed, the first: failed: told to"
    (cross,) = [t for t in view.figures[0].traces if t.get("name") == "failed"]
    assert sorted(zip(cross["x"], cross["y"], strict=True)) == [(0, 1), (1, 2)]
    assert known(view.figures[0]) == 10


def test_a_cell_over_more_axes_is_the_best_of_them(tmp_path: Path) -> None:
    Sweep(tmp_path / "s", MAP + "lr = [0.1, 0.2]\n", law=lambda v: v["lr"] + v["analog.device.c2c"]).finish()
    figure = look(tmp_path / "s").figures[0]
    assert cells(figure)[0] == pytest.approx([0.2, 0.4, 0.7, 1.1])
    assert "best point over the other settings" in figure.caption


def test_lines_and_samples(tmp_path: Path) -> None:
    Sweep(tmp_path / "one", HEAD + "[grid.axes]\nc2c = [0.1, 0.3, 0.6, 1.0]\n").finish()
    assert [f.traces[-1]["type"] for f in look(tmp_path / "one").figures] == ["scatter", "scatter"]
    axes = "[grid.axes]\nc2c = { from = 0.1, to = 1.0 }\ndw_min = { from = 0.001, to = 0.01 }\n"
    Sweep(
        tmp_path / "many", HEAD.replace("max_chips = 6", "max_chips = 200") + 'method = "sobol"\npoints = 1000\n' + axes
    ).finish()
    (figure,) = look(tmp_path / "many").figures
    assert {t["type"] for t in figure.traces} == {"scatter"}  # never WebGL
    assert max(len(t["x"]) for t in figure.traces) == 1000


def test_a_search_shows_cost_and_penalty(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        sought(tmp_path / "s", PRICE + "trials = 24\nbatch = 8\n", Known(tasks=3))
    view = look(tmp_path / "s")
    assert (view.state, view.done, view.total) == ("running", 16, 24)
    assert [f.name for f in view.figures] == ["search-pareto", "grid-0"]
    assert view.figures[1].traces[0]["type"] == "scatter"


def test_names_along_an_axis(tmp_path: Path) -> None:
    text = HEAD + '[grid.axes]\nc2c = [0.1, 0.3]\n"update.bl" = [1, 31]\ndata = ["digits", "mnist"]\n'
    sweep = Sweep(tmp_path / "s", text, law=lambda v: float(v["data"] == "mnist"))
    sweep.compute(sweep.baselines + 1)
    view = look(tmp_path / "s")
    assert view.done == 2
    json.dumps(view.json(), allow_nan=False)


def test_lists_and_tables_have_cells_while_it_runs(tmp_path: Path) -> None:
    axes = 'zero_shift = ["none", { pulses = 50 }]\nvary = [["init", "order"], ["init"]]\n'
    sweep = Sweep(tmp_path / "s", HEAD + "[grid.axes]\n" + axes, law=lambda v: 0.0)
    for packs in (sweep.baselines + 1, len(sweep.plan.packs)):
        sweep.compute(packs)
        (figure,) = look(tmp_path / "s").figures
        assert figure.layout["xaxis"]["ticktext"] == ["none", "pulses 50"]
        assert figure.layout["yaxis"]["ticktext"] == ["init, order", "init"]
        assert known(figure) == (4 if packs == len(sweep.plan.packs) else 1)


def test_before_there_is_a_plan(tmp_path: Path) -> None:
    (tmp_path / "sweep.toml").write_text(MAP)
    assert look(tmp_path).notes == ("The sweep is being planned.",)


def test_damage_is_named(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path / "s")
    sweep.compute(2)
    path = pack_file(tmp_path / "s", 1)
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(CheckpointError, match=r"00001\.parquet"):
        look(tmp_path / "s")
    (tmp_path / "s" / "plan.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"plan\.json"):
        look(tmp_path / "s")


@pytest.mark.slow
@needs_chromium
def test_the_map_fills_in_a_browser(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path / "s", failed={1: FAILED})
    count = "document.querySelector('#figure-grid-0 .plot').data[0].z.flat().filter((v) => v !== null).length"
    with serving(tmp_path / "s") as server, Browser(tmp_path / "profile") as page:
        page.open(server.url)
        page.wait_for("document.getElementById('progress')?.textContent.startsWith('0 of 12 points')")
        for packs, points in ((2, 2), (4, 8)):
            sweep.compute(packs)
            page.wait_for(f"document.querySelector('#figure-grid-0 .plot') && {count} === {points}")
        assert "1 point failed, the first: failed: told to" in page.text()
        sweep.finish()
        page.wait_for("document.getElementById('state').textContent === 'finished'")
        page.wait_for("document.querySelectorAll('#figure-grid-0 .heatmaplayer image').length === 1")
        page.screenshot(tmp_path / "map.png")
        assert page.errors == []
        assert {url for url in page.requests if not url.startswith((server.url, "data:"))} == set()
