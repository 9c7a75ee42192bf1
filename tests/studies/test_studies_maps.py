"""Several series on the chips of one run: rows, maps, tolerances read off curves; baselines of several data sets."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mho.config import load
from mho.studies import Case, Series, Study, page, run, study
from mho.studies.endurance import endurances
from mho.studies.figure import caption, draw
from mho.studies.map_figure import grid_of
from mho.studies.outcome import Outcome, read
from mho.studies.results import rows
from mho.studies.tolerance import Curve, curves, tolerance, tolerance_rows, tolerance_table, tolerances
from studies.small import settings

BOTH = {"quick": (0.0, 0.5, 1.0)}
NOISE = Series("c2c {:g}", "noise", "analog.device.c2c", BOTH)
LIMIT = Series("w_max {:g}", "limit", "analog.device.w_max", {"quick": (2.0, 1.0)}, also=("analog.device.w_min.d2d",))
START = Case("digital", "", "ideal", {"chips": 2})
STAR = Case("star", "", "gokmen-2017", series=(NOISE, LIMIT))
GRID = Case("map", "", "gokmen-2017", series=(NOISE, LIMIT), grid=True)
OTHER = {"data": "digits"}
ONE = Study(
    "one",
    "",
    "",
    "fcn",
    (START, STAR, GRID, Case("digits", "", "ideal", OTHER), Case("noisy", "", "gokmen-2017", OTHER)),
    {"quick": {"chips": 2}},
    threshold=0.5,
)


def outcome(case: Case, accuracy: list[float]) -> Outcome:
    return Outcome(case, ONE.config(case, "quick", 0), accuracy, [])


def test_series_go_one_after_another_or_through_all_combinations() -> None:
    assert STAR.points("quick") == [(0.0, 2.0), (0.5, 2.0), (1.0, 2.0), (0.0, 1.0)]
    assert GRID.points("quick") == [(0.0, 2.0), (0.0, 1.0), (0.5, 2.0), (0.5, 1.0), (1.0, 2.0), (1.0, 1.0)]
    config = ONE.config(STAR, "quick", 0)
    assert config.chips == 8
    assert config.analog.device.c2c == (0, 0, 0.5, 0.5, 1, 1, 0, 0)  # type: ignore[attr-defined]
    assert config.analog.device.w_max.mean == (2, 2, 2, 2, 2, 2, 1, 1)  # type: ignore[attr-defined]
    assert config.analog.device.w_min.d2d == (2, 2, 2, 2, 2, 2, 1, 1)  # type: ignore[attr-defined]
    assert STAR.groups(config) == {(0.0, 2.0): (0, 1), (0.5, 2.0): (2, 3), (1.0, 2.0): (4, 5), (0.0, 1.0): (6, 7)}
    assert ONE.config(GRID, "quick", 0, ["chips=3"]).chips == 18


def test_rows_are_named_by_what_changes() -> None:
    found = outcome(STAR, [98.0, 98.0, 97.0, 97.2, 95.0, 96.0, 90.0, 92.0])
    names = [part.case.name for part in found.parts()]
    assert names == ["star, as stated", "star, c2c 0.5", "star, c2c 1", "star, w_max 1"]
    assert [(v, list(part.accuracy)) for v, part in found.curve(LIMIT)] == [(2.0, [98.0, 98.0]), (1.0, [90.0, 92.0])]
    assert [v for v, _ in found.curve(NOISE)] == [0.0, 0.5, 1.0]
    assert outcome(GRID, [90.0] * 12).parts()[3].case.name == "map, c2c 0.5, w_max 1"


def test_a_series_given_one_value_for_all_chips_is_left_out() -> None:
    config = ONE.config(STAR, "quick", 0, ["device.c2c=0.7"])
    found = Outcome(STAR, config, [float(k) for k in range(8)], [])
    assert STAR.varied(config) == (LIMIT,)
    assert [part.case.name for part in found.parts()] == ["star, w_max 2", "star, w_max 1"]
    assert found.curve(NOISE) == []
    assert found.curve(LIMIT)[1][1].accuracy == [6.0, 7.0]


@pytest.mark.parametrize(
    ("mean", "std", "expected"),
    [
        ((0.0, 0.2, 1.2), (0.0, 0.0, 0.0), (1.3, 1.3, 1.3, True)),
        ((0.0, 0.2, 1.2), (0.0, 0.1, 0.1), (1.3, 1.2, 1.4, True)),
        ((0.0, 0.2, 0.45), (0.0, 0.0, 0.1), (2.0, 2 - 0.05 / 0.35, 2.0, False)),
        ((0.6, 0.2, 1.2), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0, True)),
        ((-0.5, 1.5, 0.0), (0.0, 0.0, 0.0), (0.5, 0.5, 0.5, True)),
    ],
)  # fmt: skip
def test_the_tolerance_is_where_the_penalty_first_passes(
    mean: tuple[float, ...], std: tuple[float, ...], expected: tuple[float, float, float, bool]
) -> None:
    found = tolerance(Curve("case", "axis", (0.0, 1.0, 2.0), mean, std, 2), 0.5)
    assert (found.value, found.low, found.high) == pytest.approx(expected[:3])
    assert found.passed is expected[3]
    words = (
        "above it at 0 already"
        if expected[0] == 0.0
        else f"{found.value:.3g} ("
        if found.passed
        else "not passed up to 2"
    )
    assert words in found.text


def test_a_setting_that_harms_when_it_falls_has_a_tolerance_too() -> None:
    assert tolerance(Curve("case", "limit", (2.0, 1.0, 0.5), (0.1, 0.3, 0.7), (0.0,) * 3, 1), 0.5).value == 0.75


def test_values_far_apart_are_joined_in_their_logarithm() -> None:
    found = tolerance(Curve("case", "lifetime", (1e6, 1e4, 1e2), (0.0, 1.0, 2.0), (0.0, 0.1, 0.0), 2), 0.5)
    assert found.value == pytest.approx(1e5)
    assert found.text == "1e+05 (7.74e+04 to 1.23e+05)"


def test_values_on_both_sides_of_the_first_have_a_tolerance_either_way() -> None:
    around = Series("c2c {:g}", "noise", "analog.device.c2c", {"quick": (0.4, 0.2, 0.6, 0.8)})
    case = Case("around", "", "gokmen-2017", series=around)
    outcomes = [outcome(START, [98.0, 98.0]), outcome(case, [98.0, 98.0, 97.0, 97.0, 97.9, 97.9, 96.9, 96.9])]
    upwards, downwards = tolerances(ONE, outcomes)
    assert (upwards.curve.axis, upwards.curve.values) == ("noise, upwards", (0.4, 0.6, 0.8))
    assert (downwards.curve.axis, downwards.curve.values) == ("noise, downwards", (0.4, 0.2))
    assert (upwards.value, downwards.value) == (pytest.approx(0.68), pytest.approx(0.3))


def test_tolerances_become_rows_and_a_table() -> None:
    outcomes = [outcome(START, [98.0, 98.0]), outcome(STAR, [98.0, 98.0, 97.9, 97.9, 96.9, 96.9, 97.7, 97.7])]
    found = tolerances(ONE, outcomes)
    assert [(t.curve.axis, round(t.value, 3)) for t in found] == [("noise", 0.7), ("limit", 1.0)]
    told = tolerance_rows(ONE, found)
    assert [(r["case"], r["ours"], r["chips"], r["paper"]) for r in told] == [
        ("star, tolerance of noise", 0.7, 2, None),
        ("star, tolerance of limit", 1.0, 2, None),
    ]
    assert "not passed up to 1" in told[1]["provenance"]
    assert set(told[0]) == set(rows(ONE, outcomes)[0])
    assert "| 0.7 (0.7 to 0.7) | 0.7 (0.7 to 0.7) | 1.10 ± 0.00 points at 1 |" in tolerance_table(ONE, found)
    worse = [outcome(START, [98.0, 98.0]), outcome(STAR, [97.0, 97.0, 96.9, 96.9, 95.9, 95.9, 96.7, 96.7])]
    assert [(t.text, t.own.text) for t in tolerances(ONE, worse)[:1]] == [("above it at 0 already", "0.7 (0.7 to 0.7)")]
    assert list(curves(ONE, outcomes[1:])) == []  # nothing to count from without the baseline


def test_a_map_holds_the_penalty_of_every_combination() -> None:
    outcomes = [
        outcome(START, [98.0, 98.0]),
        outcome(GRID, [98.0, 98.0, 97.0, 97.0, 96.0, 96.0, 95.0, 95.0, 94.0, 94.0, 93.0, 93.0]),
    ]
    across, up, values = grid_of(ONE, outcomes, outcomes[1])
    assert (across, up) == ([0.0, 0.5, 1.0], [2.0, 1.0])
    np.testing.assert_allclose(values, [[0, 2, 4], [1, 3, 5]])
    assert tolerances(ONE, outcomes) == []


def test_every_data_set_has_a_baseline_of_its_own() -> None:
    assert [ONE.baseline_of(case).name for case in ONE.cases] == ["digital", "digital", "digital", "digits", "digits"]
    assert [ONE.config(case, "quick", 0).data for case in ONE.cases] == ["mnist"] * 3 + ["digits"] * 2
    ambrogio = study("ambrogio-2018")
    fashion = [c for c in ambrogio.cases if ambrogio.data_of(c) == "fashion-mnist"]
    assert {ambrogio.baseline_of(c).name for c in fashion} == {"Fashion-MNIST: digital baseline"}
    assert [c.name for c in fashion][-2:] == ["Fashion-MNIST: finer LSP", "Fashion-MNIST: no inversion"]


def test_endurance_is_what_the_tiles_counted(small: Path, tmp_path: Path) -> None:
    cases = ["digital baseline", "MSP + LSP"]
    chosen = settings(small, chips=1, epochs=11)
    one = study("cristiano-2018")
    found = {row["case"]: row for row in run(one.name, out=tmp_path, settings=chosen, cases=cases, progress=False)}
    line = json.loads((tmp_path / "runs" / "msp-lsp" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    devices = {"LSP": 0, "MSP": 0}
    for e in endurances(one, [read_outcome(tmp_path)]):
        devices[e.array.upper()] = e.counts.size
        assert found[f"{e.name}, pulses per device: mean"]["ours"] == pytest.approx(e.counts.mean(), abs=1e-3)
        assert found[f"{e.name}, pulses per device: most"]["ours"] == e.counts.max()
    assert devices["LSP"] == devices["MSP"] == 2 * (250 * 577 + 125 * 251 + 10 * 126)
    counted = sum(found[f"MSP + LSP, {a}, pulses per device: mean"]["ours"] * n for a, n in devices.items())
    assert counted == pytest.approx(sum(sum(n) for n in line["pulses"].values()), rel=1e-3)
    assert found["MSP + LSP, MSP, pulses per device: mean"]["ours"] > 0  # 11 x 96 images, a transfer every 1,000
    text = (tmp_path / "table.md").read_text(encoding="utf-8")
    assert "| MSP + LSP, LSP |" in text
    assert "Learning rule of the first case with it: `MspLsp(" in text
    page(tmp_path, tmp_path / "page.md")
    written = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert written.count("|---|") >= 2
    assert "\n\n| case and array |" in written


def read_outcome(folder: Path) -> Outcome:
    one = study("cristiano-2018")
    case = next(c for c in one.cases if c.name == "MSP + LSP")
    place = folder / "runs" / "msp-lsp"
    found = read(case, load(place / "config.toml"), place)
    assert found is not None
    return found


def test_the_figure_has_a_panel_for_curves_maps_and_endurance(tmp_path: Path) -> None:
    outcomes = [
        outcome(START, [98.0, 98.0]),
        outcome(STAR, [98.0, 98.0, 97.9, 97.9, 96.9, 96.9, 97.7, 97.7]),
        outcome(GRID, [98.0, 98.0, 97.0, 97.0, 96.0, 96.0, 95.0, 95.0, 94.0, 94.0, 93.0, 93.0]),
    ]
    draw(ONE, outcomes, tmp_path)
    picture = (tmp_path / "figure.svg").read_text(encoding="utf-8")
    for text in ("noise", "limit", "map: points lost", "digital"):
        assert f">{text}<" in picture
    assert picture.count("test accuracy (%)") == 2
    said = caption(ONE, outcomes)
    assert "0.5 points below the baseline" in said
    assert "with the border of that loss" in said
