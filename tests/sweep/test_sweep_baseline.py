"""Baselines: what a penalty is counted from, one for every network, data set and training that is swept."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mho.config import loads as config_of
from mho.sweep import Grid, Sweep, loads, plan, read, run
from mho.sweep.baseline import guessed
from mho.sweep.compute import compute
from mho.sweep.engine import carry_out
from mho.sweep.files import begin, collected, pack_file
from sweep.searching import Known

SET = 'seeds = 2\nbaseline = "{}"\n[set]\ndata = "digits"\nepochs = 1\ntrain_images = 60\nthreads = 1\n'


def planned(grids: str, baseline: str = "digital"):
    return plan(loads(SET.format(baseline) + grids))


def of_each(made):
    """Return the values of every baseline, and the points that are counted from it."""
    bases = made.baselines
    return [(values, [p for p, b in bases.of.items() if b == n]) for n, values in bases.values.items()]


def test_what_hardware_is_has_one_baseline():
    made = planned(
        '[[grid]]\naxes.dw_min = [0.001, 0.002]\naxes.rule = ["pulsed", "ttv2"]\n'
        '[[grid]]\naxes.zero_shift = ["none", { pulses = 10 }]\naxes."layers.fc1.device.c2c" = [0.1, 0.2]\n'
    )
    assert of_each(made) == [({}, list(range(8)))]
    assert [pack.points for pack in made.packs if pack.of_baselines] == [(-1,)]
    assert made.chips(-1) == made.chips(0)


@pytest.mark.parametrize("baseline", ["digital", "start"])
def test_every_network_and_training_has_a_baseline_of_its_own(baseline):
    made = planned(
        '[[grid]]\naxes.network = ["fcn", "fcn-250-125"]\naxes.dw_min = [0.001, 0.002]\n'
        "[[grid]]\naxes.lr = [0.01, 0.02]\n",
        baseline,
    )
    both = [("fcn", 0.01), ("fcn-250-125", 0.01), ("fcn", 0.02)]
    points = [[0, 1, 4], [2, 3], [5]]  # point 4 is the start, as points 0 and 1 are but for their devices
    assert of_each(made) == [({"network": n, "lr": r}, p) for (n, r), p in zip(both, points, strict=True)]
    packs = [pack for pack in made.packs if pack.of_baselines]
    assert made.packs[: len(packs)] == tuple(packs)
    assert [pack.points for pack in packs] == [(-1, -3), (-2,)]
    for pack in packs:
        task = made.task(pack)
        assert ('trains = "ideal"' in task["config"]) == (baseline == "digital")
        for point in task["points"]:
            start = config_of(task["config"]).with_({**point["shared"], **point["own"]})
            assert (start.network, start.lr) == both[-1 - point["point"]]
            assert point["chips"] == list(made.chips(made.baselines.first[point["point"]]))


def test_the_bias_of_an_array_is_one_of_the_network():
    made = planned("[[grid]]\naxes.bias = ['digital', 'none']\n")
    assert [values for values, _ in of_each(made)] == [{"analog.mapping.bias": b} for b in ("digital", "none")]


def test_a_search_adds_the_baselines_that_its_points_need():
    made = planned("[[grid]]\naxes.batch_size = [5, 10, 20]\naxes.dw_min = [0.001, 0.002]\n")
    empty = plan(made.sweep).with_points  # all at once, as a grid is
    first = made.with_points("g", [{"batch_size": 40, "analog.device.dw_min": 0.003}])
    assert [pack.points for pack in first.packs[len(made.packs) :]] == [(-4,), (6,)]
    again = first.with_points("g", [{"batch_size": 40, "analog.device.dw_min": 0.004}])
    assert [pack.points for pack in again.packs[len(first.packs) :]] == [(7,)]
    assert again.baselines.of[7] == -4
    assert empty("g", []).packs == made.packs


def test_a_penalty_is_counted_from_its_own_baseline(tmp_path):
    class Lr(Known):
        """Loses 1 point for a baseline of lr 0.02, and 3 more on devices."""

        def _rows(self, point):
            rows = super()._rows(point)
            lost = (1.0 if {**point["shared"], **point["own"]}["lr"] == 0.02 else 0.0) + 3.0 * (point["point"] >= 0)
            return [{**row, "test_accuracy": 95.0 - lost} for row in rows]

    made = begin(tmp_path, planned("[[grid]]\naxes.lr = [0.01, 0.02]\naxes.dw_min = [0.001]\n"))
    carry_out(made, made.packs, Lr(lambda values: 0.0), tmp_path)
    table = collected(tmp_path, made)
    assert table.rows["point"] == [-1, -1, -1, -1, 0, 0, 1, 1]
    assert table.rows["lr"] == [0.01, 0.01, 0.02, 0.02, 0.01, 0.01, 0.02, 0.02]
    assert table.rows["penalty"] == [0.0] * 4 + [3.0] * 4
    told = table.about["baseline"]
    assert (told["what"], told["mean"], told["values"]) == ("digital", None, [])
    assert [(each["where"], each["mean"]) for each in told["each"]] == [({"lr": 0.01}, 95.0), ({"lr": 0.02}, 94.0)]


def test_one_baseline_is_told_as_one(tmp_path):
    made = begin(tmp_path, planned("[[grid]]\naxes.dw_min = [0.001]\n"))
    carry_out(made, made.packs, Known(lambda values: 0.5), tmp_path)
    table = collected(tmp_path, made)
    assert table.about["baseline"] == {"what": "digital", "mean": 95.0, "std": 0.0, "values": [95.0, 95.0]}
    number = begin(tmp_path / "b", plan(Sweep((Grid({"lr": [0.1, 0.2]}),), {"data": "digits"}, seeds=1, baseline=98.0)))
    assert [pack.points for pack in number.packs] == [(0, 1)]
    carry_out(number, number.packs, Known(lambda values: 0.5), tmp_path / "b")
    assert set(collected(tmp_path / "b", number).rows["penalty"]) == {98.0 - 94.5}


@pytest.mark.parametrize(
    ("accuracies", "expected"),
    [([10.0, 10.1], True), ([14.0], True), ([16.0], False), ([97.0, 98.0], False), ([], False)],
)
def test_guessing_is_told_from_learning_as_far_as_the_test_can(accuracies, expected):
    assert guessed(accuracies, {"accuracy": 10.0, "images": 400}) == expected  # one standard deviation: 1.5 %


def test_what_guessing_reaches_is_found_where_the_data_are():
    made = planned("[[grid]]\naxes.dw_min = [0.001]\n")
    from mho.data import load

    labels = load("digits").test_labels
    best = 100 * max(np.mean(labels == k) for k in range(10))
    assert compute(made.task(made.packs[0]))["guess"] == {"accuracy": pytest.approx(best), "images": len(labels)}


def test_a_baseline_that_did_not_learn_is_told_in_the_table(tmp_path):
    made = begin(tmp_path, planned("[[grid]]\naxes.dw_min = [0.001]\n"))
    carry_out(made, made.packs, Known(lambda values: 0.5), tmp_path)
    assert "warning" not in collected(tmp_path, made).about
    path = pack_file(tmp_path, 0).with_suffix(".json")
    path.write_text(json.dumps({"guess": {"accuracy": 94.9, "images": 1000}}))
    warning = collected(tmp_path, made).about["warning"]
    assert "the baseline did not learn: the test accuracy is 95.00 %" in warning
    assert "94.90 %" in warning


def test_one_of_several_that_did_not_learn_is_named(tmp_path):
    made = begin(tmp_path, planned("[[grid]]\naxes.batch_size = [5, 10]\n"))
    carry_out(made, made.packs, Known(lambda values: 0.5), tmp_path)
    for number, guess in enumerate((10.0, 99.0)):
        path = pack_file(tmp_path, number)
        path.with_suffix(".json").write_text(json.dumps({"guess": {"accuracy": guess, "images": 1000}}))
    warning = collected(tmp_path, made).about["warning"]
    assert "1 of 2 baselines did not learn: the test accuracy with batch_size = 10 is 95.00 %" in warning


def test_a_real_sweep_that_did_not_train_warns(tmp_path):
    sweep = loads(SET.format("digital").replace("epochs = 1", "epochs = 0") + "[[grid]]\naxes.dw_min = [0.001]\n")
    assert "did not learn" in run(sweep, out=tmp_path, progress=False).about["warning"]
    assert "did not learn" in read(tmp_path).about["warning"]
