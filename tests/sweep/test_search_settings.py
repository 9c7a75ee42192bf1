"""[search] and the space it goes through: read strictly, there and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mho.errors import ConfigError
from mho.sweep.fields import base
from mho.sweep.plan import begun
from mho.sweep.search.asking import ask
from mho.sweep.search.rounds import question
from mho.sweep.search.settings import Search, read_search
from mho.sweep.search.space import Space
from mho.sweep.sweep_file import loads
from sweep.searching import PRICE, TEXT

pytest.importorskip("optuna", reason="Optuna is an extra")


def test_defaults_and_words() -> None:
    assert read_search({"cost": "c2c"}) == Search("c2c", 128, 16, ("cost",), "", 0)
    assert read_search({"cost": "c2c", "goal": "cheapest"}).targets == ("cost",)
    assert read_search({"cost": "c2c", "targets": ["cost", "penalty"]}).targets == ("cost", "penalty")
    assert read_search({"targets": ["penalty"], "trials": 7, "batch": 2, "seed": 4}).trials == 7


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({}, "search.cost is missing"),
        ({"cost": "c2c", "trails": 3}, "'trails'.*'trials'"),
        ({"cost": "c2c", "trials": 0}, "search.trials must be"),
        ({"cost": "c2c", "batch": 1.5}, "search.batch must be"),
        ({"cost": "c2c", "batch": True}, "search.batch must be"),
        ({"cost": 3}, "search.cost must be a text"),
        ({"cost": "c2c", "targets": ["penalty", "price"]}, "search.targets must be"),
        ({"cost": "c2c", "targets": []}, "search.targets must be"),
        ({"cost": "c2c", "targets": "cost"}, "search.targets must be a list"),
        ({"cost": "c2c", "targets": ["cost", "cost"]}, "search.targets must be"),
        ({"cost": "c2c", "goal": "best"}, "search.goal is"),
        ({"cost": "c2c", "goal": "cheapest", "targets": ["cost"]}, "keep one"),
        ({"cost": "c2c", "seed": -1}, "search.seed must be"),
        ({"cost": "c2c", "storage": 1}, "search.storage must be"),
    ],
)
def test_what_cannot_be_is_refused(table: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        read_search(table)


def asked(axes: str, search: str = PRICE) -> Any:
    head, _, tail = TEXT.partition("[grid.axes]")
    text = head + "[grid.axes]\n" + axes + "\n[search]" + tail.partition("[search]")[2]
    sweep = loads(text.replace("{search}", search))
    return question(sweep, begun(sweep, base(sweep), 1))


EVERY = """
dw_min = { from = 1e-4, to = 1e-1, points = 3, scale = "log" }
c2c = { from = 1.0, to = 0.0, points = 3 }
"update.bl" = { from = 1, to = 31, points = 3 }
"device.w_max, device.w_min" = [[0.6, -0.6], [0.8, -0.8]]
lr = [0.01, 0.02]
rule = ["sgd", "ttv2"]
"""


def test_points_there_and_back() -> None:
    space: Space = asked(EVERY.replace('rule = ["sgd", "ttv2"]\n', ""), 'cost = "dw_min"').space
    search = Search("dw_min", trials=40)
    points = ask(search, space, [], 40, 0.5)
    for values in points:
        assert space.values(space.parameters(values)) == values
        assert 1e-4 <= values["analog.device.dw_min"] <= 1e-1
        assert 0 <= values["analog.device.c2c"] <= 1
        assert values["analog.device.w_min"] == -values["analog.device.w_max"]
        assert isinstance(values["analog.update.bl"], int)
        assert values["lr"] in (0.01, 0.02)
    small = [p for p in points if p["analog.device.dw_min"] < 3e-3]
    assert 10 <= len(small) <= 30  # over the logarithm, half of them
    assert len({str(p) for p in points}) == 40
    assert ask(search, space, [], 40, 0.5) == points
    assert ask(Search("dw_min", trials=40, seed=1), space, [], 40, 0.5) != points


@pytest.mark.parametrize(
    ("axes", "search", "says"),
    [
        ("dw_min = [0.1]\nc2c = [0.1]", 'cost = "c2d"', "names no swept field"),
        ("dw_min = [0.1]\nc2c = [0.1]", 'cost = "1/0*c2c"', "no number at either end"),
        ('dw_min = [0.1]\nnetwork = ["fcn", "lenet"]', 'cost = "network"', "goes through 'fcn'"),
        ("dw_min = [0.1]\nc2c = [0.1]\n[[grid]]\n[grid.axes]\nlr = [0.1]", 'cost = "c2c"', "one grid, found 2"),
    ],
)
def test_questions_without_sense_are_refused(axes: str, search: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        asked(axes, search)


def test_a_missing_optuna_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    with pytest.raises(ConfigError, match=r"pip install 'mho\[search\]'"):
        asked("dw_min = [0.1]\nc2c = [0.1]")
