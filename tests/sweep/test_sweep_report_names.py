"""Settings whose values are names, lists or tables: nothing lies between them, and all are told apart."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from mho.sweep.report import write_sweep_report
from mho.sweep.report.look import labels
from mho.sweep.report.requirements import ACCEPTABLE, NONE, UNRESOLVED, requirements
from mho.sweep.report.results import Axis, Grid, Results, read_results
from mho.sweep.report.text import value_text
from mho.sweep.table import SweepTable, read, write
from report.pages import figures, trace, words_of
from sweep.report_tables import C2C, DW, RULE
from sweep.tables import synthetic

SCHEDULE, VARY, LAYER = "lr_schedule", "vary", "analog.layers.fc1.device.dw_min"
LATE, EARLY = {"epochs": [8, 9], "factor": 0.5}, {"epochs": [], "factor": 0.5}
LOST = {"plain": 0.0, "tiki-taka": 0.28, "none": 2.0}


def stored(folder: Path, table: SweepTable) -> SweepTable:
    """Return a table as it is read from its file."""
    write(table, folder)
    return read(folder)


def schedules(folder: Path, **more: Any) -> SweepTable:
    grids = {"sched": {SCHEDULE: [LATE, EARLY], VARY: [["init", "order"], ["init"]]}, **more}
    return stored(folder, synthetic(grids, penalty=lambda v: 1.0 if v.get(SCHEDULE) == LATE else 0.0))


def test_lists_and_tables_are_words() -> None:
    assert value_text('{"epochs": [8, 9], "factor": 0.5}') == "epochs [8, 9], factor 0.5"
    assert value_text('["init", "order"]') == "init, order"
    assert value_text("[]") == "[]"
    assert value_text('{"a": {"b": true}}') == "a (b true)"
    assert value_text("[no JSON") == "[no JSON"


def test_labels_are_short_and_differ() -> None:
    long = [f"path/to/a/folder/with/many/names/device_{k}.toml" for k in range(3)]
    found = labels(Axis("device", ("analog.device",), tuple(long), False), lines=1)
    assert len(set(found)) == 3
    assert max(map(len, found)) < 30
    (lines,) = labels(Axis("lr_schedule", (SCHEDULE,), ('{"epochs": [8, 9], "factor": 0.5}',), False))
    assert lines == "epochs [8, 9],<br>factor 0.5"


def test_names_have_cells_in_the_order_of_the_file(tmp_path: Path) -> None:
    drawn = figures(write_sweep_report(tmp_path, schedules(tmp_path)))["grid-0-map"]
    assert {t["type"] for t in drawn["data"]} == {"heatmap", "scatter"}
    assert drawn["data"][0]["z"][0] == pytest.approx([1.0, 0.0], abs=0.2)  # the late schedule first, as in the file
    assert drawn["layout"]["xaxis"]["ticktext"] == ["epochs [8, 9],<br>factor 0.5", "epochs [],<br>factor 0.5"]
    assert drawn["layout"]["yaxis"]["ticktext"] == ["init, order", "init"]
    assert drawn["layout"]["xaxis"]["range"] == [-0.5, 1.5]


def test_lines_over_names_are_marks_with_labels(tmp_path: Path) -> None:
    drawn = figures(write_sweep_report(tmp_path, schedules(tmp_path)))["grid-0-lines-0"]
    assert {t["mode"] for t in drawn["data"]} == {"markers"}
    assert len({t["x"][0] for t in drawn["data"]}) == 2  # beside each other
    assert drawn["layout"]["xaxis"]["ticktext"] == ["epochs [8, 9],<br>factor 0.5", "epochs [],<br>factor 0.5"]
    assert drawn["layout"]["xaxis"]["ticklabeloverflow"] == "allow"


def test_a_map_of_more_can_be_cut_both_ways(tmp_path: Path) -> None:
    axes = {C2C: [0.1, 0.2, 0.4], DW: [0.001, 0.002, 0.004], RULE: ["plain", "tiki-taka"]}
    page = write_sweep_report(tmp_path, synthetic({"map": axes}))
    found, source = figures(page)["grid-0-map"]["data"], page.read_text(encoding="utf-8")
    assert [t["visible"] for t in found if t["type"] == "heatmap"] == [False]
    assert sum(t["type"] == "contour" for t in found) == 4
    assert '"joined":false' in source
    numbers = write_sweep_report(tmp_path, synthetic({"map": {k: v for k, v in axes.items() if k != RULE}}))
    assert "heatmap" not in {t["type"] for t in figures(numbers)["grid-0-map"]["data"]}


def test_the_sheet_and_the_files_name_what_is_acceptable(tmp_path: Path) -> None:
    grids = {"rule": {RULE: list(LOST)}, "lost": {RULE: ["none"]}}
    table = synthetic(grids, seeds=4, noise=0.05, penalty=lambda v: LOST[v[RULE]])
    write_sweep_report(tmp_path, table)
    found = {r.grid: r for r in requirements(read_results(table))}
    assert (found["rule"].state, found["lost"].state) == (ACCEPTABLE, NONE)
    assert found["rule"].text == "rule: plain; not resolved: tiki-taka"
    with (tmp_path / "requirements.csv").open(encoding="utf-8", newline="") as file:
        rows = [(r["grid"], r["sign"], r["limit"], r["resolved"]) for r in csv.DictReader(file)]
    assert rows == [
        ("rule", "=", "plain", "yes"), ("rule", "not resolved", "tiki-taka", "no"),
        ("lost", "none acceptable", "", "yes"),
    ]  # fmt: skip


def test_one_chip_resolves_no_name() -> None:
    table = synthetic({"rule": {RULE: ["plain"]}}, seeds=1, baseline=98.0, penalty=lambda v: LOST[v[RULE]])
    (found,) = requirements(read_results(table))
    assert (found.state, found.note) == (UNRESOLVED, "no interval")


def test_one_setting_has_one_name_on_the_page_and_it_says_which(tmp_path: Path) -> None:
    table = synthetic({"all": {DW: [0.001, 0.002]}, "first": {LAYER: [0.001, 0.002]}, "noise": {C2C: [0.1, 0.2]}})
    names = [axis.name for grid in read_results(table).grids for axis in grid.axes]
    assert names == ["analog.device.dw_min", "fc1.device.dw_min", "c2c"]
    text = words_of(write_sweep_report(tmp_path, table))
    assert f"fc1.device.dw_min {LAYER} c2c {C2C}" in text


def test_fields_in_step_are_all_named() -> None:
    table = synthetic({"pair": {"analog.device.w_max": [0.3, 0.6]}})
    told = {**table.about["axes"][0], "paths": ["analog.device.w_max", "analog.device.w_min"]}
    (grid,) = read_results(SweepTable(table.rows, {**table.about, "axes": [told]})).grids
    assert grid.axes[0].name == "w_max (w_min in step)"


def test_bands_over_names_are_marks(tmp_path: Path) -> None:
    axes = {C2C: [0.1, 0.2], DW: [0.001, 0.002], RULE: ["plain", "tiki-taka"]}
    drawn = figures(write_sweep_report(tmp_path, synthetic({"map": axes})))["grid-0-reach-2"]
    assert {t["mode"] for t in drawn["data"]} == {"markers"}
    assert trace(drawn, "median")["error_y"]["symmetric"] is False


def test_an_axis_without_values_is_none() -> None:
    assert Results("", 0.3, (), (Grid("empty", (), ()),)).points == []
