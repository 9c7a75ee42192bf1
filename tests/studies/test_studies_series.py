"""Cases whose chips go through the values of a setting: a row for every value, and the study kim-2019."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mho.config import RunConfig
from mho.devices import SoftBounds
from mho.errors import ConfigError
from mho.studies import Case, Series, run, study
from mho.studies.kim_2019 import PRESET
from mho.studies.outcome import Outcome
from mho.studies.results import rows, setup, table
from mho.studies.weights import initial_weights, trained_weights
from studies.small import settings

KIM = study("kim-2019")
RATIO, BUDGET = KIM.cases[1], KIM.cases[5]


def outcome(case: int, accuracy: list[float], mode: str = "full", chosen: tuple[str, ...] = ()) -> Outcome:
    one = KIM.cases[case]
    return Outcome(one, KIM.config(one, mode, 0, chosen), accuracy, [{"epoch": 1, "test_accuracy": accuracy}])


def test_each_value_gets_chips_of_its_own() -> None:
    config = KIM.config(RATIO, "full", 0)
    assert config.chips == 15
    assert isinstance(config.analog.device, SoftBounds)
    assert config.analog.device.up_down.mean == tuple(r for r in (1.0, 1.25, 1.5, 2.0, 3.0) for _ in range(3))
    assert config.analog.device.up_down.d2d == 0.02
    assert KIM.config(RATIO, "full", 0, ["chips=1"]).chips == 5
    assert KIM.config(KIM.baseline, "full", 0).chips == 3
    budget = KIM.config(BUDGET, "full", 0, ["chips=2", "epochs=7"])
    assert budget.zero_shift is not None
    assert budget.zero_shift.pulses == (250, 250, 500, 500, 1000, 1000, 2000, 2000, 4000, 4000)
    assert (budget.epochs, budget.analog.device.up_down.mean) == (7, 3.0)
    assert KIM.config(RATIO, "full", 0, ["chips=1", "device.up_down=2"]).analog.device.up_down.mean == 2.0
    with pytest.raises(ConfigError, match=r"chips = \[4\] was asked for"):
        KIM.config(RATIO, "full", 0, ["chips=[4]"])


def test_a_case_is_split_into_the_chips_of_each_value() -> None:
    one = outcome(1, [90.0 + k for k in range(15)])
    parts = one.parts()
    assert [p.case.name for p in parts] == [f"no zero-shifting, ratio {r}" for r in ("1", "1.25", "1.5", "2", "3")]
    assert [list(p.accuracy) for p in parts] == [[90.0 + 3 * k, 91.0 + 3 * k, 92.0 + 3 * k] for k in range(5)]
    assert [p.chip_ids for p in parts][1] == (3, 4, 5)
    assert parts[1].lines[0]["test_accuracy"] == [93.0, 94.0, 95.0]
    assert parts[1].parts() == (parts[1],)
    whole = outcome(1, [90.0], chosen=("chips=1", "device.up_down=2"))
    assert [p.case.name for p in whole.parts()] == ["no zero-shifting"]


def test_chips_of_one_value_need_not_lie_side_by_side() -> None:
    mixed = RunConfig(chips=4, lr=(0.1, 0.2, 0.1, 0.3))
    one = Case("one", "", PRESET, series=Series("rate {:g}", "rate", "lr", {}))
    assert one.groups(mixed) == {(0.1,): (0, 2), (0.2,): (1,), (0.3,): (3,)}
    assert one.groups(RunConfig(chips=4)) == {}


def test_rows_are_compared_with_the_baseline_and_the_balanced_device() -> None:
    found = [outcome(0, [98.0, 97.0, 99.0]), outcome(1, [96.0, 97.0, 98.0, *[60.0] * 12]), outcome(2, [95.0] * 15)]
    told = {row["case"]: row for row in rows(KIM, found)}
    assert told["no zero-shifting, ratio 1"]["ours"] == 97.0
    assert told["no zero-shifting, ratio 3"]["chips"] == 3
    gap = told["exact symmetry point, ratio 3, over no zero-shifting, ratio 1"]
    assert (gap["ours"], gap["unit"]) == (-2.0, "points of test accuracy")
    assert told["digital baseline, over no zero-shifting, ratio 1"]["std"] == 1.0  # the same chips: taken one by one
    assert {name for name, row in told.items() if row["paper"] is not None} == {"digital baseline"}
    text = table(KIM, found)
    assert "| no zero-shifting, ratio 3 | the same | 60.00 ± 0.00 | 40.00 | −38.00 ± 0.00 | −37.00 ± 0.00 |" in text
    assert "3 chips for each row" in setup(KIM, found)[2]


def test_the_study_writes_rows_figure_and_goes_on(small: Path, tmp_path: Path) -> None:
    from matplotlib.image import imread

    chosen = settings(small, chips=1)
    cases = [KIM.cases[k].name for k in (0, 1, 2, 6)]
    found = run("kim-2019", out=tmp_path, settings=chosen, cases=cases, progress=False)
    accuracies = [row["case"] for row in found if row["unit"] == "% test accuracy"]
    assert len(accuracies) == 1 + 3 + 3 + 3
    assert "copy error, error 0.05" in accuracies
    picture = imread(tmp_path / "figure.png")
    assert 0.01 < (picture[..., :3].min(axis=-1) < 0.5).mean() < 0.5
    assert json.loads((tmp_path / "study.json").read_text(encoding="utf-8"))["complete"] is False
    assert run("kim-2019", out=tmp_path, settings=chosen, cases=cases, progress=False) == found
    summary = json.loads((tmp_path / "runs" / "copy-error" / "summary.json").read_text(encoding="utf-8"))
    assert np.argsort(summary["zero_shift"]["fc1"]["spread"]).tolist() == [0, 1, 2]


def test_the_figure_shows_the_weights_of_the_checkpoint(small: Path, tmp_path: Path) -> None:
    chosen = settings(small, chips=1, epochs=0)
    run("kim-2019", out=tmp_path, settings=chosen, cases=[RATIO.name], progress=False)
    config = KIM.config(RATIO, "quick", 0, chosen)
    weights = trained_weights(Outcome(RATIO, config, [], [], folder=tmp_path / "runs" / "no-zero-shifting"), "fc1")
    before = initial_weights(config, "fc1")
    assert weights.shape == (3, before.size + 256)  # with the biases, which are in the array
    assert np.quantile(weights, [0.1, 0.9]) == pytest.approx(np.quantile(before, [0.1, 0.9]), rel=0.02)
    with pytest.raises(ConfigError, match="no layer 'fc9'"):
        initial_weights(config, "fc9")
