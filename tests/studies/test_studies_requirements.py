"""The study requirements on little data: tolerances and maps are those of its sweeps, and a kill costs nothing."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from mho.errors import ConfigError
from mho.studies import run, study
from mho.studies.requirements_rows import LAST, OPEN, TOLERANCE, line_rows, map_rows, tolerance
from mho.studies.requirements_sweeps import LINES, MAPS, WAYS, Settings, a_map, lines
from mho.sweep.plan import plan
from mho.sweep.report.results import Axis, Grid, Point, Results

MAP = "c2c x d2d, plain"


def test_a_map_runs_and_says_what_its_sweep_found(small: Path, tmp_path: Path) -> None:
    settings = [f'data="{small}"', "epochs=2", "batch_size=4", "map_side=2", "map_chips=2", "threads=1"]
    rows = run("requirements", out=tmp_path, settings=settings, cases=[MAP], progress=False)
    found = {row["case"]: row for row in rows}
    assert {row["chips"] for case, row in found.items() if "c2c = " in case} == {2}
    table = (tmp_path / "table.md").read_text(encoding="utf-8")
    assert f"{MAP}: at most 0.3 points lost" in table
    assert "c2c = 2.5" not in table, "points stand in results.json and in the figure"
    sweep = tmp_path / "steps" / "c2c-x-d2d-plain" / "sweep" / "table.csv"
    with sweep.open(encoding="utf-8", newline="") as file:
        point = [float(line["test_accuracy"]) for line in csv.DictReader(file) if line["point"] == "3"]
    assert found[f"{MAP}: c2c = 2.5, dw_min.d2d = 2.5"]["ours"] == pytest.approx(sum(point) / 2, abs=1e-4)
    assert (tmp_path / "figure.png").is_file()
    assert json.loads((tmp_path / "study.json").read_text(encoding="utf-8"))["complete"] is False


def points(*penalties: float) -> tuple[Point, ...]:
    return tuple(
        Point(k, (0.1 * (k + 1),), (p, p + 0.02), (98 - p, 98 - p - 0.02), half=0.1) for k, p in enumerate(penalties)
    )


def test_a_tolerance_is_where_the_penalty_passes_the_threshold() -> None:
    axis = Axis("c2c", ("analog.device.c2c",), (0.1, 0.2, 0.3), False)
    kinds = {"some": points(0.0, 0.1, 0.5), "all": points(-0.3, 0.1, 0.0), "none": points(1.0, 0.9, 0.8)}
    kinds["open"] = points(0.0, 0.1, 0.29)
    grids = tuple(Grid(name, (axis,), own) for name, own in kinds.items())
    rows = {r.case: r for r in line_rows(Results("", 0.31, (98.0, 98.0), grids), "alone")}
    some = rows[tolerance("some", "alone")]
    assert some.mean == pytest.approx(0.25)  # half way from 0.11 to 0.51
    assert some.about.startswith("c2c ≤ 25")
    assert rows[tolerance("all", "alone")].mean == pytest.approx(0.3)
    assert (rows[tolerance("all", "alone")].unit, some.unit) == (LAST, TOLERANCE)  # a limit is drawn where there is one
    assert rows[tolerance("open", "alone")].unit == OPEN
    assert "not resolved" in rows[tolerance("open", "alone")].about
    assert "all values" in rows[tolerance("all", "alone")].about
    assert rows[tolerance("none", "alone")].mean == pytest.approx(0.81)
    assert "no value is acceptable" in rows[tolerance("none", "alone")].about
    assert [r.mean for r in rows.values() if r.axis == "some"] == pytest.approx([97.99, 97.89, 97.49])


def test_a_map_has_its_share_and_its_border() -> None:
    axes = (Axis("c2c", ("c2c",), (0.0, 1.0), False), Axis("dw_min.d2d", ("dw_min.d2d",), (0.0, 0.5), False))
    penalties = {(0.0, 0.0): 0.0, (1.0, 0.0): 0.2, (0.0, 0.5): 0.2, (1.0, 0.5): 0.6}
    own = tuple(Point(k, values, (p,), (98 - p,)) for k, (values, p) in enumerate(penalties.items()))
    rows = {r.case: r for r in map_rows(Results("", 0.1, (98.0,), (Grid("map", axes, own),)), 0.3)}
    assert rows["map: at most 0.1 points lost"].mean == 25.0
    assert rows["map: at most 0.3 points lost"].mean == 75.0
    assert rows["map: c2c at dw_min.d2d = 50 %"].mean == pytest.approx(0.25)
    assert rows["map: c2c = 1, dw_min.d2d = 0.5"].mean == pytest.approx(97.4)


@pytest.mark.parametrize("alone", [True, False])
def test_every_line_is_around_values_that_can_be(alone: bool) -> None:
    made = plan(lines(Settings(), alone=alone))
    assert len(made.grids) == sum(len(next(iter(axes.values()))) for axes in LINES.values())
    assert len(made.packs) <= 6  # of 57 points with 3 chips, at most 64 in a run, and the baseline
    assert not made.refused


@pytest.mark.parametrize("way", WAYS)
def test_every_map_can_be(way: str) -> None:
    for name in MAPS:
        made = plan(a_map(Settings(), name, way))
        assert len(made.grids) == 36
        assert not made.refused


def test_a_side_of_a_map_has_at_least_its_ends() -> None:
    with pytest.raises(ConfigError, match="map_side must be from 2 to 6, found 1"):
        study("requirements").configure("quick", ["map_side=1"])
