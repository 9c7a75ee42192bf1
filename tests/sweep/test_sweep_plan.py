"""The plan: which points there are, which share a run, and which cannot be."""

from __future__ import annotations

import time

import pytest

from mho.config import loads as config_of
from mho.errors import ConfigError
from mho.sweep import Grid, Sweep, loads, plan
from mho.sweep.packs import packed_run
from sweep.small import small

SET = 'preset = "gokmen-vlasov-2016"\nseeds = 2\nmax_chips = 8\n[set]\ndata = "digits"\n'


def planned(text: str):
    """Return the plan of grids; what stands before their first line is beside seeds."""
    beside, grids = text.split("[[grid]]", 1)
    return plan(loads(f"{beside}{SET}[[grid]]{grids}"))


def runs(made):
    """Return the configurations of all packs but those of baselines."""
    for pack in made.packs:
        if pack.of_baselines:
            continue
        task = made.task(pack)
        chips = [chip for point in task["points"] for chip in point["chips"]]
        yield packed_run(config_of(task["config"]), task["points"], chips)


def test_points_are_the_product_of_the_axes():
    made = plan(small())
    paths = ["analog.device.up_down", "analog.device.dw_min", "lr"]
    assert list(made.fields) == paths
    assert [made.point(n) for n in range(3)] == [
        {"analog.device.up_down": 1.0, "analog.device.dw_min": v} for v in (0.001, 0.00316227766017, 0.01)
    ]
    assert made.point(6) == {"lr": 0.01}
    assert made.grids == ("map",) * 6 + ("rate",) * 3
    assert list(made.refused) == [7]
    assert "above 0" in made.refused[7]


def test_packs_hold_every_point_once_and_no_more_chips_than_allowed():
    made = plan(small())
    assert made.packs[0].points == (-1, -2)  # of lr = 0.01, which the map has, too, and of lr = 0.02
    assert sorted(n for pack in made.packs for n in pack.points) == [-2, -1, 0, 1, 2, 3, 4, 5, 6, 8]
    # Points of both grids share runs: each is given the values that the other goes through.
    assert [pack.points for pack in made.packs[1:]] == [(0, 1, 2, 3), (4, 5, 6, 8)]
    first, second = runs(made)
    assert first.chip_ids == tuple(range(8))
    assert second.lr == (0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.02, 0.02)
    own = made.start.analog.device
    assert second.analog.device.up_down.mean == (1.02,) * 4 + (own.up_down.mean,) * 4
    assert second.analog.device.dw_min.mean[4:] == (own.dw_min.mean,) * 4
    assert second.vary == ("init",)


def test_what_chips_cannot_differ_in_is_a_run_of_its_own():
    made = planned(
        'baseline = 98\n[[grid]]\naxes.seed = [0, 1]\naxes."device.dw_min" = [0.001, 0.002]\naxes.epochs = [1, 2]\n'
    )
    assert [len(pack.points) for pack in made.packs] == [2, 2, 2, 2]
    assert [(run.seed, run.epochs) for run in runs(made)] == [(0, 1), (0, 2), (1, 1), (1, 2)]


def test_a_device_that_is_an_axis_may_have_settings_that_are_axes():
    made = planned('[[grid]]\naxes.device = ["soft-bounds", "exp-step"]\naxes.A_up = [0.1, 0.2]\n')
    assert {reason.partition(":")[0] for reason in made.refused.values()} == {"analog.device.A_up"}
    assert sorted(made.refused) == [0, 1]
    (run,) = runs(made)
    assert type(run.analog.device).__name__ == "ExpStep"


def test_single_layers_differ_between_chips_of_one_run():
    made = planned('[[grid]]\naxes."layers.fc1.device.dw_min" = [0.001, 0.002]\n[[grid]]\naxes.lr = [0.1]\n')
    assert list(made.fields) == ["analog.layers.fc1.device.dw_min", "lr"]
    layers, rate = runs(made)
    assert layers.analog.for_layer("fc1").device.dw_min.mean == (0.001, 0.001, 0.002, 0.002)
    assert layers.analog.for_layer("fc2").device.dw_min.mean == layers.analog.device.dw_min.mean
    assert rate.lr == (0.1, 0.1)


def test_layers_that_a_network_has_not_are_found():
    grids = '[[grid]]\naxes.network = ["fcn", "lenet"]\naxes."layers.fc3.device.dw_min" = [0.001]\n'
    assert planned(grids).refused == {}  # lenet does not fit the digits, which its run says
    made = planned('[[grid]]\naxes."layers.fc3.device.dw_min" = [0.001]\n[[grid]]\naxes."layers.fc9.c2c" = [0.1]\n')
    assert made.refused == {1: "layers: pattern 'fc9' matches no layer; did you mean 'fc3' or 'fc2' or 'fc1'?"}
    with pytest.raises(ConfigError, match=r"none of the 1 points .* 'conv1' matches no layer"):
        plan(loads(SET + "layers.conv1.device.dw_min = 0.1\n[[grid]]\naxes.lr = [0.1]\n"))


def test_one_bad_point_among_many_is_found_and_the_others_stay_together():
    made = planned('[[grid]]\naxes."device.dw_min" = [0.001, 0.002, -1, 0.003, 0.004]\n')
    assert list(made.refused) == [2]
    assert [pack.points for pack in made.packs[1:]] == [(0, 1, 3, 4)]


def test_ranges_of_whole_numbers_are_whole():
    made = planned("[[grid]]\naxes.batch_size = { from = 1, to = 4, points = 7 }\n")
    assert [made.point(n)["batch_size"] for n in range(4)] == [1, 2, 3, 4]
    assert len(made.values) == 4


def test_samples_lie_on_their_axes_and_repeat():
    grid = (
        '[[grid]]\nmethod = "sobol"\npoints = 20\n[grid.axes]\nlr = { from = 0.001, to = 0.1, scale = "log" }\n'
        "batch_size = { from = 1, to = 9 }\nrule = ['pulsed']\n"
    )
    made, again = planned(grid), planned(grid)
    assert made.values == again.values
    assert len(made.values) == 20
    assert all(0.001 <= rate <= 0.1 and size in range(1, 10) for rate, size, _ in made.values)
    assert planned(grid.replace("points", "seed = 1\npoints")).values != made.values


@pytest.mark.parametrize(
    ("grid", "why"),
    [
        ('axes."device.dw_mim" = [0.1]', r"dw_mim.*did you mean 'dw_min'"),
        ('axes."device.dw_min" = ["much"]', "expected a finite number, found 'much'"),
        ("axes.epochs = [1.5]", "expected a whole number"),
        ('axes.device = ["reram"]', "reram"),
        ("axes.chips = [1, 2]", "chips cannot be an axis"),
        ('axes."device.dw_min" = [0.1]\naxes.dw_min = [0.2]', "two axes"),
        ("axes.lr = { from = 0.1, to = 1 }", "neither points nor step"),
        ("axes.lr = [-1.0, 0.0]", "none of the 2 points"),
    ],
)
def test_bad_grids_are_refused_before_anything_runs(grid, why):
    with pytest.raises(ConfigError, match=why):
        planned(f"[[grid]]\n{grid}\n")


def test_lists_over_chips_have_no_place_beside_points(tmp_path):
    (tmp_path / "run.toml").write_text("chips = 2\nlr = [0.1, 0.2]\n", encoding="utf-8")
    sweep = Sweep((Grid({"dw_min": [0.1]}),), config=str(tmp_path / "run.toml"))
    with pytest.raises(ConfigError, match="make them an axis"):
        plan(sweep)


def test_a_billion_points_are_asked_about_and_never_made():
    axes = {name: {"from": 0.5, "to": 1.0, "points": 1000} for name in ("lr", "device.up_down", "device.dw_min")}
    start = time.perf_counter()
    with pytest.raises(ConfigError, match=r"1,000,000,000 points of 3 chips.*--yes"):
        plan(Sweep((Grid(axes),)))
    assert time.perf_counter() - start < 1


def test_ten_thousand_points_are_planned_in_seconds():
    axes = {
        "device.up_down": {"from": 0.9, "to": 1.1, "points": 100},
        "device.dw_min": {"from": 0.0005, "to": 0.05, "points": 100, "scale": "log"},
    }
    start = time.process_time()
    made = plan(Sweep((Grid(axes),), {"data": "digits"}, preset="gokmen-vlasov-2016"))
    assert time.process_time() - start < 2
    assert len(made.values) == 10_000
    assert max(len(pack.points) for pack in made.packs) == 21
    assert len(made.packs) == 1 + 477


def test_baselines():
    digital, start = plan(small()), plan(Sweep((Grid({"lr": [0.1]}),), {"data": "digits"}, baseline="start"))
    assert 'trains = "ideal"' in digital.task(digital.packs[0])["config"]
    assert config_of(start.task(start.packs[0])["config"]) == start.start
    number = plan(Sweep((Grid({"lr": [0.1]}),), {"data": "digits"}, baseline=98.0))
    assert [pack.points for pack in number.packs] == [(0,)]
