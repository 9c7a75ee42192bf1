"""The studies wu-2025 and wu-2025-lenet: rates of a mean loss, a row for every noise with its own published number."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mho.studies import Reference, Study, run, study
from mho.studies.outcome import Outcome
from mho.studies.results import rows, setup
from mho.update.tiki_taka import TikiTaka
from studies.small import settings

FCN, LENET = study("wu-2025"), study("wu-2025-lenet")
BOTH = pytest.mark.parametrize("one", [FCN, LENET], ids=lambda s: s.name)


def outcome(one: Study, case: int, accuracy: float) -> Outcome:
    config = one.config(one.cases[case], "full", 0)
    return Outcome(one.cases[case], config, [accuracy] * config.n_chips, [])


@BOTH
def test_rates_are_those_of_a_mean_over_the_batch(one: Study) -> None:
    digital, plain, taka = (one.config(case, "full", 0) for case in one.cases[:3])
    assert [c.lr * c.batch_size for c in (digital, plain, taka)] == pytest.approx([0.1, 0.05, 0.05])
    rule = taka.analog.rule
    assert isinstance(rule, TikiTaka)
    assert (rule.fast_lr * taka.batch_size, rule.scale_fast_lr) == (pytest.approx(0.01), False)
    assert rule.transfer_lr * taka.lr == pytest.approx(0.05)
    assert (rule.scale_transfer_lr, rule.gamma, rule.schedule.unit, rule.schedule.reads) == (True, 0.0, "batch", 1)
    assert (rule.read.noise_management, rule.read.bound_management, rule.read.output_noise) == ("none", "none", 0.06)


@BOTH
def test_tiki_taka_differs_from_plain_training_by_its_rule_alone(one: Study) -> None:
    _, plain, taka = (one.config(case, "full", 0) for case in one.cases[:3])
    assert taka.analog.with_(rule=plain.analog.rule) == plain.analog
    assert plain.analog.device.c2c == tuple(n for n in (0.1, 0.3, 0.6, 0.9, 1.2) for _ in range(3))


@BOTH
def test_the_step_is_that_of_1200_states_and_that_of_the_table(one: Study) -> None:
    device = one.config(one.cases[1], "full", 0).analog.device
    assert device.dw_min.mean == pytest.approx((device.w_max.mean - device.w_min.mean) / 1200) == pytest.approx(0.001)
    assert device.symmetry_point() == 0.0
    assert not device.full_range


def test_every_row_has_its_own_published_number() -> None:
    told = {row["case"]: row for row in rows(FCN, [outcome(FCN, k, 97.0) for k in range(3)])}
    assert [row["paper"] for row in told.values()] == [
        98.17, 97.22, 96.97, 96.33, 95.99, 96.19, 97.66, 97.07, 97.70, 97.44, 96.97
    ]  # fmt: skip
    assert told["analog SGD, c2c 0.3"]["provenance"].count("table 8") == 1
    assert all("table 8" not in row["provenance"] for name, row in told.items() if not name.endswith("0.3"))


def test_numbers_of_single_rows_are_not_told_of_all_chips_together() -> None:
    config = FCN.config(FCN.cases[1], "full", 0, ["chips=2", "device.c2c=0.5"])
    (row,) = rows(FCN, [Outcome(FCN.cases[1], config, [97.0, 96.0], [])])
    assert (row["case"], row["paper"], row["provenance"]) == ("analog SGD", None, "no published number known")
    assert Reference("TEXT", "everywhere", 97.0).at is None


def test_the_set_up_tells_the_rate_of_every_case() -> None:
    text = setup(FCN, [outcome(FCN, k, 97.0) for k in range(6)])[1]
    falls = "times 0.5 after epochs 15"
    assert f"learning rate 0.01, {falls} (digital baseline) or 0.005, {falls} (analog SGD, Tiki-Taka) or " in text
    assert "or 0.01, constant (constant rates: digital baseline) or 0.005, constant (constant rates: analog" in text


def test_constant_rates_are_the_only_difference_of_the_second_half() -> None:
    for first, second in zip(FCN.cases[:3], FCN.cases[3:], strict=True):
        falling, constant = (FCN.config(case, "full", 0) for case in (first, second))
        assert second.name == f"constant rates: {first.name}"
        assert falling.lr_schedule.epochs == (15,)
        assert constant.lr_schedule.epochs == ()
        assert constant.with_(lr_schedule=falling.lr_schedule) == falling


@BOTH
def test_the_study_runs(small: Path, tmp_path: Path, one: Study) -> None:
    found = run(one.name, out=tmp_path, settings=settings(small, chips=1), progress=False)
    assert [row["case"] for row in found if row["unit"] == "% test accuracy"] == [
        name
        for start in ("", "constant rates: ")[: len(one.cases) // 3]
        for name in (
            f"{start}digital baseline",
            *(f"{start}{rule}, c2c {c:g}" for rule in ("analog SGD", "Tiki-Taka") for c in (0.1, 0.6, 1.2)),
        )
    ]
    summary = json.loads((tmp_path / "runs" / "tiki-taka" / "summary.json").read_text(encoding="utf-8"))
    assert len(summary["test_accuracy"]) == 3
