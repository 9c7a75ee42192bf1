"""The report of a sweep says what its table says: limits, borders, intervals, figures and files."""

from __future__ import annotations

import csv
import random
from math import inf, isnan, nan
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest

from mho.cli.app import run
from mho.errors import CheckpointError
from mho.sweep.crossing import crossing
from mho.sweep.report import is_sweep, write_sweep_report
from mho.sweep.report.confidence import half_widths
from mho.sweep.report.limits import AT_LEAST, AT_MOST, Line, acceptable
from mho.sweep.report.maps import cube
from mho.sweep.report.requirements import border, requirements
from mho.sweep.report.results import read_results, short_names
from mho.sweep.report.sampled import raster, raster_results
from mho.sweep.report.text import limit_text, value_text
from mho.sweep.table import SweepTable, write
from report.pages import figures, words_of
from sweep.report_tables import C2C, DW, LR, TOP, UP, sampled, search, thousands, tolerances
from sweep.tables import synthetic


def line(mean: list[float], half: float = 0.0, wrong: dict[int, str] | None = None, log: bool = False) -> Line:
    values = tuple(float(2**k if log else k) for k in range(len(mean)))
    told = tuple((wrong or {}).get(k, "") for k in range(len(mean)))
    return Line(values, tuple(mean), (half,) * len(mean), told, log)


def table_of(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(("log", "expected"), [(False, 2.5), (True, 2 * 2**0.5)])
def test_crossing_is_interpolated(log: bool, expected: float) -> None:
    values = [0.0, 1.0, 2.0, 3.0] if not log else [0.5, 1.0, 2.0, 4.0]
    assert crossing(values, [0, 0, 0.2, 0.4], 0.3, log=log) == pytest.approx(expected)
    assert crossing(values, [0, 0, 0.2, 0.3], 0.3, log=log) is None
    assert crossing(values, [0.31, 0, 0, 0], 0.3, log=log) == values[0]


def test_limit_above_with_its_interval() -> None:
    (found,) = acceptable(line([0.0, 0.1, 0.2, 0.4, 0.8], half=0.1), 0.3)
    assert found.low is None
    assert (found.high.sign, found.high.value) == (AT_MOST, pytest.approx(2.5))
    assert found.high.ends == (pytest.approx(2.0), pytest.approx(3.0))


def test_limit_below_goes_the_other_way() -> None:
    (found,) = acceptable(line([0.8, 0.4, 0.2, 0.0], half=0.05), 0.3)
    assert found.high is None
    assert (found.low.sign, found.low.value) == (AT_LEAST, pytest.approx(1.5))
    assert found.low.ends == (pytest.approx(1.25), pytest.approx(1.75))


def test_interval_that_reaches_past_the_values_is_open() -> None:
    (found,) = acceptable(line([0.25, 0.35, 0.35], half=0.1), 0.3)
    assert found.high.value == pytest.approx(0.5)
    assert found.high.ends == (None, None)
    assert limit_text("x", found.high) == "x ≤ 0.500 (interval wider than the sweep)"
    (found,) = acceptable(line([0.0, 0.25, 0.35, 0.35], half=0.1), 0.3)
    assert limit_text("x", found.high) == "x ≤ 1.50 (interval from 0.80 on)"


def test_points_that_cannot_be_end_a_range_and_unknown_ones_do_not() -> None:
    (found,) = acceptable(line([0.0, 0.1, nan], wrong={2: "diverged"}), 0.3)
    assert (found.high.value, found.high.failed, found.high.far) == (1.0, "diverged", 2.0)
    assert limit_text("lr", found.high) == "lr ≤ 1 (the next value, 2, diverged)"
    (found,) = acceptable(line([0.0, nan, 0.2, 0.4]), 0.3)
    assert found.high.value == pytest.approx(2.5)


def test_the_range_with_most_values_comes_first() -> None:
    first, other = acceptable(line([0.0, 0.5, 0.1, 0.1, 0.2, 0.9]), 0.3)
    assert (first.first, first.last, other.first, other.last) == (2.0, 4.0, 0.0, 0.0)
    assert first.low.value == pytest.approx(1.5)
    assert acceptable(line([0.4, 0.5]), 0.3) == []


def test_without_an_interval_there_is_none() -> None:
    (found,) = acceptable(line([0.0, 0.6], half=nan), 0.3)
    assert not found.high.measured
    assert limit_text("x", found.high) == "x ≤ 0.500 (no interval)"


def test_requirement_is_written_as_the_field_writes_it() -> None:
    (found,) = acceptable(line([0.0, 0.2, 0.4], half=0.02), 0.3)
    assert limit_text("x", found.high) == "x ≤ 1.50 ± 0.10"
    assert limit_text("c2c", found.high) == "c2c ≤ 150 ± 10 %"
    assert value_text(0.3, "dw_min.d2d") == "30 %"


def test_half_widths_are_those_of_welch() -> None:
    from scipy.stats import t, ttest_ind

    draw = random.Random(3)
    ours, base = [draw.gauss(1, 0.2) for _ in range(4)], [draw.gauss(0, 0.1) for _ in range(5)]
    (half,) = half_widths([4], [float(np.std(ours, ddof=1))], [False], [tuple(base)])
    interval = ttest_ind(ours, base, equal_var=False).confidence_interval(0.95)
    assert half == pytest.approx((interval.high - interval.low) / 2)
    pooled = half_widths([3, 3, 1], [0.1, 0.3, 0.0], [True, True, True], [(98.0,)] * 3)
    assert pooled[0] == pooled[1] == pytest.approx(t.ppf(0.975, 4) * (0.05 / 3) ** 0.5)
    assert isnan(half_widths([1], [0.0], [True], [(98.0,)])[0])


@pytest.mark.parametrize("chips", [3, 8])
def test_intervals_hold_the_true_limit_as_often_as_they_say(chips: int) -> None:
    draw, held, trials = np.random.default_rng(0), 0, 600
    values = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    truth = 0.4
    for _ in range(trials):
        base = draw.normal(98.0, 0.05, chips)
        penalty = [base.mean() - draw.normal(98.0 - 0.75 * v, 0.05 + 0.1 * v, chips) for v in values]
        mean = [float(p.mean()) for p in penalty]
        std = [float(p.std(ddof=1)) for p in penalty]
        half = half_widths([chips] * 6, std, [m <= 0.3 for m in mean], [tuple(base.tolist())] * 6)
        (found, *_) = acceptable(Line(values, tuple(mean), tuple(half), ("",) * 6, False), 0.3)
        low, high = found.high.ends
        held += (-inf if low is None else low) <= truth <= (inf if high is None else high)
    assert held / trials > 0.93  # conservative: straight lines between ends of intervals are wider than needed


def test_sheet_of_known_penalties() -> None:
    found = {r.grid: r for r in requirements(read_results(tolerances(seeds=8, noise=0.002)))}
    assert found["c2c"].ranges[0].high.value == pytest.approx(0.6, abs=0.02)
    assert found["step"].ranges[0].high.value == pytest.approx(0.004, rel=0.02)
    assert found["bound"].ranges[0].low.value == pytest.approx(0.27, abs=0.02)
    assert found["learning rate"].text == "lr ≤ 0.04 (the next value, 0.08, diverged)"
    assert found["rule"].text == "rule: plain or tiki-taka or none"


def test_border_is_where_the_penalty_passes_the_threshold() -> None:
    table = synthetic(noise=0.0)  # 50 |up_down - 1| + 50 dw_min
    results = read_results(table)
    rows = border(results, results.grids[0])
    assert len(rows) == 10
    for one in rows:
        ((axis, value),) = one.beside
        rest = 0.3 - 50 * (value if axis.paths[0] == DW else value - 1)
        if rest <= 0:
            assert one.ranges == ()
        elif axis.paths[0] == DW:
            assert one.limits[0].value == pytest.approx(1 + rest / 50, rel=1e-6)


def test_sampled_map_has_the_border_of_its_surface() -> None:
    results = read_results(sampled(400, 2))
    (grid,) = results.grids
    assert grid.scattered
    assert border(results, grid) == []
    surface = raster(grid)
    rows = border(raster_results(results, surface), surface)
    first = next(r for r in rows if r.axis.paths == (C2C,) and r.beside[0][1] < 0.003)
    assert first.limits[-1].value == pytest.approx(0.6, abs=0.12)
    assert raster(read_results(sampled(400, 3)).grids[0]) is None


def test_cube_holds_every_point() -> None:
    results = read_results(thousands((3, 4, 2)))
    (grid,) = results.grids
    found = cube(grid)
    assert found.mean.shape == (3, 4, 2)
    for n, point in enumerate(grid.points):
        at = tuple(axis.values.index(v) for axis, v in zip(grid.axes, point.values, strict=True))
        assert found.place[at] == n
        np.testing.assert_equal(found.mean[at], point.mean)


def test_short_names_say_which_setting() -> None:
    paths = [DW, "analog.device.dw_min.d2d", "analog.device.w_max.d2d", "analog.layers.fc1.device.dw_min"]
    assert short_names(paths) == ["analog.device.dw_min", "dw_min.d2d", "w_max.d2d", "fc1.device.dw_min"]
    assert short_names([UP, LR]) == ["up_down", "lr"]


def test_page_and_files_say_the_same(tmp_path: Path) -> None:
    table = tolerances()
    page = write_sweep_report(tmp_path, table)
    results = read_results(table)
    text, drawn = words_of(page), figures(page)
    for one in requirements(results):
        assert one.text in text
    rows = table_of(tmp_path, "requirements.csv")
    assert list(dict.fromkeys(r["requirement"] for r in rows)) == [r.text for r in requirements(results)]
    assert float(rows[0]["limit"]) == requirements(results)[0].limits[0].value
    points = table_of(tmp_path, "points.csv")
    assert len(points) == 63
    own = [p for p, n in zip(table.rows["penalty"], table.rows["point"], strict=True) if n == 3]
    assert float(points[3]["penalty"]) == pytest.approx(fmean(own))
    assert {r["grid"] for r in table_of(tmp_path, "border.csv")} == {"asymmetry x states"}
    grid = results.grids[-1]
    z = np.array(drawn["grid-5-map"]["data"][0]["z"], dtype=float)
    np.testing.assert_allclose(z, cube(grid).mean.T, rtol=1e-3)
    crosses = next(t for t in drawn["grid-5-map"]["data"] if t["name"] == "failed")
    assert len(crosses["x"]) == 3
    assert any("the loss is not finite" in t.replace("<br>", " ") for t in crosses["text"])


def test_page_stands_alone(tmp_path: Path) -> None:
    text = write_sweep_report(tmp_path, tolerances()).read_text(encoding="utf-8")
    assert "http" not in text.split("<script>", 1)[0].replace("http://www.w3.org", "")
    assert "<script src" not in text
    assert "<0.008>" not in text  # a reason is text, never HTML


def test_search_has_its_front(tmp_path: Path) -> None:
    table = search(tmp_path, 64)
    page = write_sweep_report(tmp_path, table)
    front = next(t for t in figures(page)["search-pareto"]["data"] if t["name"] == "front")
    assert sorted(front["y"]) == front["y"]
    assert sorted(front["x"], reverse=True) == front["x"]
    rows = table_of(tmp_path, "front.csv")
    assert len(rows) == len(front["x"])
    (tmp_path / "search.json").write_text('{"trials": [{"point": 1}]}')
    with pytest.raises(CheckpointError, match=r"search\.json"):
        write_sweep_report(tmp_path, table)


@pytest.mark.parametrize("threshold", [0.0, -0.1, 5.0])
def test_any_threshold_has_a_page(tmp_path: Path, threshold: float) -> None:
    found = figures(write_sweep_report(tmp_path, synthetic(threshold=threshold)))
    fill = found["grid-0-map"]["data"][0]
    assert fill["zmin"] < threshold < fill["zmax"]
    assert fill["contours"]["size"] > 0


@pytest.mark.parametrize("keep", [0, 1, 7])
def test_half_a_sweep_has_a_page(tmp_path: Path, keep: int) -> None:
    table = tolerances()
    part = SweepTable({name: column[: 5 + 5 * keep] for name, column in table.rows.items()}, table.about)
    assert write_sweep_report(tmp_path, part).is_file()


def test_nothing_but_failures_has_a_page(tmp_path: Path) -> None:
    failed = dict.fromkeys(range(25), ("diverged", "NaN"))
    text = words_of(write_sweep_report(tmp_path, synthetic(failed=failed)))
    assert "no point has a penalty" in text


def test_one_chip_and_a_stated_baseline(tmp_path: Path) -> None:
    text = words_of(write_sweep_report(tmp_path, synthetic({"a": {TOP: [0.1, 0.2, 0.4]}}, seeds=1, baseline=98.0)))
    assert "(no interval)" in text
    assert "±" not in text


def test_command_finds_the_sweep(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert not is_sweep(tmp_path)
    write(synthetic(), tmp_path)
    assert is_sweep(tmp_path)
    assert run(["report", str(tmp_path)]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "report.html")
    (tmp_path / "table.parquet").write_bytes(b"PAR1")
    assert run(["report", str(tmp_path)]) == 1
    assert "table.parquet" in capsys.readouterr().err
