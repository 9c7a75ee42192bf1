"""What intervals leave open is called not resolved, never a limit and never green; bars end at 0 and 100 %."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest

from mho.cli.app import run
from mho.sweep.report import write_sweep_report
from mho.sweep.report.requirements import ACCEPTABLE, NONE, UNRESOLVED, Requirement, requirements
from mho.sweep.report.results import read_results
from mho.sweep.table import SweepTable, write
from mho.watch import look
from report.pages import figures, trace, words_of
from sweep.report_tables import C2C, DW, UP, search, tolerances
from sweep.tables import synthetic

NETWORK = "network"


def required(mean: float, noise: float, **more: Any) -> Requirement:
    """Return the requirement of a line on which the same is lost everywhere."""
    table = synthetic({"c2c": {C2C: [0.0, 1.0, 2.0]}}, noise=noise, penalty=lambda v: mean, **more)
    return requirements(read_results(table))[0]


@pytest.mark.parametrize(
    ("mean", "noise", "state", "text"),
    [
        (0.0, 0.01, ACCEPTABLE, r"c2c: no limit from 0 % to 200 %"),
        (0.0, 1.0, UNRESOLVED, r"c2c: not resolved, ± [\d.]+ points at 3 chips"),
        (2.0, 0.01, NONE, r"c2c: no value is acceptable"),
        (1.5, 1.0, UNRESOLVED, r"c2c: not resolved, ± [\d.]+ points at 3 chips"),
    ],
)
def test_only_what_intervals_say_is_said(mean: float, noise: float, state: str, text: str) -> None:
    found = required(mean, noise)
    assert found.state == state
    assert re.fullmatch(text, found.text)
    assert ("more seeds" in found.note) == (state == UNRESOLVED)


def test_one_chip_resolves_nothing() -> None:
    found = required(0.0, 0.01, seeds=1, baseline=98.0)
    assert (found.state, found.text) == (UNRESOLVED, "c2c: no limit from 0 % to 200 % (no interval)")


def test_one_value_has_no_limit_to_speak_of() -> None:
    (found,) = requirements(read_results(synthetic({"c2c": {C2C: [0.5]}}, noise=0.01, penalty=lambda v: 0.0)))
    assert (found.state, found.text) == (ACCEPTABLE, "c2c: 50 % is acceptable")


def test_a_limit_that_no_point_is_sure_of_is_not_resolved() -> None:
    table = synthetic({"c2c": {C2C: [0.0, 1.0]}}, noise=1.0, penalty=lambda v: v[C2C])
    (found,) = requirements(read_results(table))
    assert found.limits
    assert found.state == UNRESOLVED


def test_files_say_the_same(tmp_path: Path) -> None:
    for noise, sign, resolved in ((0.01, "no limit", "yes"), (1.0, "not resolved", "no")):
        write_sweep_report(tmp_path, synthetic({"c2c": {C2C: [0.0, 1.0]}}, noise=noise, penalty=lambda v: 0.0))
        with (tmp_path / "requirements.csv").open(encoding="utf-8", newline="") as file:
            assert [(r["sign"], r["resolved"]) for r in csv.DictReader(file)] == [(sign, resolved)]


def test_cards_have_the_colour_of_what_is_known(tmp_path: Path) -> None:
    def cards(lost: float, noise: float) -> list[str]:
        page = write_sweep_report(tmp_path, synthetic(noise=noise, penalty=lambda v: lost))
        return re.findall(r'<li class="([a-z-]+)">', page.read_text(encoding="utf-8"))

    assert [cards(0.0, 0.01), cards(0.0, 1.0), cards(5.0, 0.01)] == [
        ["acceptable"], ["not-resolved"], ["none-acceptable"],
    ]  # fmt: skip


def test_bars_end_where_accuracies_do(tmp_path: Path) -> None:
    table = synthetic(
        {"c2c": {C2C: [0.0, 1.0]}}, seeds=2, noise=30.0, penalty=lambda v: 50.0, threshold=5.0, baseline=95
    )
    drawn = figures(write_sweep_report(tmp_path, table))
    shown = drawn["grid-0-accuracy"]["data"][0]
    for y, up, down in zip(shown["y"], shown["error_y"]["array"], shown["error_y"]["arrayminus"], strict=True):
        assert y + up <= 100.001 or y > 100
        assert y - down >= -0.001
    means = drawn["grid-0-penalty"]["data"][1]
    assert max(m + up for m, up in zip(means["y"], means["error_y"]["array"], strict=True)) <= 95.001


def test_long_bars_do_not_flatten_what_is_near_the_threshold(tmp_path: Path) -> None:
    table = synthetic({"c2c": {C2C: [0.0, 1.0]}}, seeds=2, penalty=lambda v: 0.0, baseline=70)
    table.rows["penalty"] = [0.2, -0.2, 20.0, -20.0]
    table.rows["test_accuracy"] = [70.0 - lost for lost in table.rows["penalty"]]
    low, high = figures(write_sweep_report(tmp_path, table))["grid-0-penalty"]["layout"]["yaxis"]["range"]
    assert -3 < low < -1.5  # in thresholds of 0.3, of a bar down to -30
    assert 0.3 < high < 3


def test_numbers_in_files_have_no_rounding_of_sums(tmp_path: Path) -> None:
    table = synthetic({"c2c": {C2C: [0.1]}}, baseline=98.0, noise=0.0)
    table.rows["penalty"] = [8.881784197001252e-16] * 3
    write_sweep_report(tmp_path, table)
    with (tmp_path / "points.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["penalty"], row["std"]) == ("0.0", "0.0")


def test_another_threshold_changes_the_page_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tolerances(seeds=8, noise=0.002)
    write(table, tmp_path)
    before = (tmp_path / "table.parquet").read_bytes()
    assert run(["report", str(tmp_path), "--threshold", "1.2"]) == 0
    text = words_of(tmp_path / "report.html")
    assert re.search(r"c2c ≤ 1[12]\d(\.\d+)? ± ", text)  # sqrt(1.2 / 0.3) * 60 %
    assert "Drawn for a threshold of 1.2 points; the sweep file states 0.3" in text
    assert (tmp_path / "table.parquet").read_bytes() == before
    assert run(["report", str(tmp_path)]) == 0
    assert "Drawn for" not in words_of(tmp_path / "report.html")
    capsys.readouterr()
    assert run(["report", str(tmp_path), "--threshold", "nan"]) == 1
    assert "a number of points" in capsys.readouterr().err


def test_another_threshold_makes_other_trials_acceptable(tmp_path: Path) -> None:
    table = search(tmp_path, 64)
    shares = []
    for threshold in (0.1, 0.3, 5.0):
        found = figures(write_sweep_report(tmp_path, table, threshold=threshold))["search-pareto"]["data"]
        shares.append(sum(len(t["x"]) for t in found if t["name"] == "within the threshold"))
    assert shares == sorted(set(shares))


@pytest.mark.parametrize(("noise", "state"), [(0.01, "acceptable"), (3.0, "not-resolved")])
def test_the_cheapest_device_is_green_when_its_interval_says_so(tmp_path: Path, noise: float, state: str) -> None:
    trial = {"point": 1, "values": {C2C: 0.1}, "cost": 1.0, "penalty": 0.0, "feasible": True, "front": True}
    (tmp_path / "search.json").write_text(json.dumps({"trials": [trial]}), encoding="utf-8")
    page = write_sweep_report(tmp_path, synthetic({"c2c": {C2C: [1.0, 0.1]}}, noise=noise, penalty=lambda v: 0.0))
    card = re.search(r'<li class="([a-z-]+)"><b>c2c = 10 %</b><small>(.*?)</small>', page.read_text(encoding="utf-8"))
    assert card is not None
    assert card[1] == state
    assert "cheapest that a search found acceptable: 0.00 ± " in card[2]


def test_a_threshold_is_of_a_sweep(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", str(tmp_path)]) == 1
    assert "neither a run (config.toml) nor a sweep (plan.json)" in capsys.readouterr().err
    (tmp_path / "config.toml").write_text("")
    assert run(["report", str(tmp_path), "--threshold", "1"]) == 1
    assert "a threshold belongs to a sweep" in capsys.readouterr().err


def two_baselines() -> SweepTable:
    """Two networks, of 90 % and of 97 % in floating point, that lose as much, and a map over one of them."""
    best = {"fcn": [90.1, 90.0, 89.9], "lenet": [97.0, 97.0, 97.0]}
    grids = {"net": {NETWORK: list(best)}, "map": {NETWORK: list(best), C2C: [0.1, 0.5]}}
    table = synthetic(grids, noise=0.01, penalty=lambda v: 0.1, baseline="digital")
    for row, network in enumerate(table.rows[NETWORK]):
        if network:
            table.rows["test_accuracy"][row] = sum(best[network]) / 3 - table.rows["penalty"][row]
    each = [{"where": {NETWORK: name}, "mean": sum(v) / 3, "std": 0.1, "values": v} for name, v in best.items()]
    told = {"what": "digital", "mean": None, "std": None, "values": [], "each": each}
    return SweepTable(table.rows, {**table.about, "baseline": told, "config": "seed = 0"})


def test_every_point_is_counted_from_its_own_baseline(tmp_path: Path) -> None:
    table = two_baselines()
    results = read_results(table)
    for grid in results.grids:
        for point in grid.points:
            assert point.baseline[1] == {"fcn": 90.0, "lenet": 97.0}[point.values[0]]
    fcn, lenet = results.grids[0].points
    assert fcn.half > 3 * lenet.half  # the chips of its baseline differ
    page = write_sweep_report(tmp_path, table)
    assert "baseline 2: 90.00 to 97.00 %" in words_of(page)
    assert "network = lenet 97.00 % ± 0.00 over 3 chips" in words_of(page)
    drawn = figures(page)["grid-0-accuracy"]
    assert trace(drawn, "baseline")["y"] == [90, 97]
    assert "shapes" not in drawn["layout"]


def test_a_warning_stands_first_and_nothing_is_green(tmp_path: Path) -> None:
    table = synthetic({"map": {UP: [1.0, 1.1], DW: [0.001, 0.002]}, "c2c": {C2C: [0.1, 0.2]}}, penalty=lambda v: 0.0)
    assert 'class="acceptable"' in write_sweep_report(tmp_path, table).read_text(encoding="utf-8")
    table.about["warning"] = "the baseline did not learn: <10 %"
    page = write_sweep_report(tmp_path, table)
    assert 'class="acceptable"' not in page.read_text(encoding="utf-8")
    text = words_of(page)
    assert text.index("Do not rely on this page: the baseline did not learn") < text.index("A point is acceptable")
    assert "&lt;10 %" in text


def test_names_are_not_resolved_by_a_wrong_baseline(tmp_path: Path) -> None:
    table = synthetic({"net": {NETWORK: ["fcn"]}}, noise=0.01, penalty=lambda v: 0.0)
    for warning, sign in (("", "="), ("the baseline did not learn", "not resolved")):
        write_sweep_report(tmp_path, SweepTable(table.rows, {**table.about, "warning": warning}))
        with (tmp_path / "requirements.csv").open(encoding="utf-8", newline="") as file:
            assert [r["sign"] for r in csv.DictReader(file)] == [sign]


def test_the_live_view_has_the_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = synthetic()
    table.about["warning"] = "the baseline did not learn"
    (tmp_path / "plan.json").write_text('{"packs": [], "points": {"grid": []}}')
    monkeypatch.setattr("mho.watch.sweep.read", lambda folder: table)
    view = look(tmp_path)
    assert (view.warning, view.json()["warning"]) == ("the baseline did not learn",) * 2
