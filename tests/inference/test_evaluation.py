"""Accuracy of every chip, and over time."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from mho.config import preset
from mho.data import load
from mho.errors import ConfigError, MhoError, ShapeError
from mho.inference import Programming, program
from mho.inference.evaluation import evaluate
from mho.inference.over_time import Moment, accuracy_over_time
from mho.nn import convert_to_analog
from mho.nn.layer import AnalogLayer


@pytest.fixture(scope="module")
def plain() -> nn.Module:
    """A linear network that knows the digits, by least squares."""
    data = load("digits")
    x = data.train_x.flatten(1)
    x, y = torch.cat([x, torch.ones(len(x), 1)], 1), nn.functional.one_hot(data.train_y).float()
    solved = torch.linalg.solve(x.T @ x + torch.eye(65), x.T @ y)
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    with torch.no_grad():
        net[1].weight.copy_(solved[:-1].T)  # type: ignore[union-attr, operator]
        net[1].bias.copy_(solved[-1])  # type: ignore[union-attr, operator]
    return net


def on_chips(plain: nn.Module, chips: Any, **changes: Any) -> nn.Module:
    config = preset("ideal").with_(changes or {"forward.ideal": True})
    return convert_to_analog(plain, config, chips=chips, seed=4)


def test_a_model_within_another_has_its_chips(plain: nn.Module) -> None:
    model, data = on_chips(plain, 2), load("digits")
    assert evaluate(nn.Sequential(model), data) == evaluate(model, data)


def test_a_layer_that_evaluates_in_a_model_that_trains_is_left_so(plain: nn.Module) -> None:
    model = on_chips(plain, 2).train()
    model[0].eval()  # type: ignore[index, operator]
    evaluate(model, (torch.rand(4, 64), torch.zeros(4)))
    assert [m.training for m in (model, model[0], model[1])] == [True, False, True]  # type: ignore[index]


def test_exact_chips_are_as_good_as_the_digital_network(plain: nn.Module) -> None:
    data = load("digits")
    with torch.no_grad():
        hits = (plain(data.test_x).argmax(1) == data.test_y).sum()
    expected = 100 * int(hits) / len(data.test_y)
    assert expected > 85
    assert evaluate(on_chips(plain, 3), data) == pytest.approx([expected] * 3, abs=0.3)
    assert evaluate(plain, data, samples=77) == pytest.approx([expected])


def test_a_wrong_chip_is_the_one_that_is_wrong(plain: nn.Module) -> None:
    model = on_chips(plain, 3)
    layer = next(m for m in model.modules() if isinstance(m, AnalogLayer))
    layer.analog_tiles()[0].state[1] *= -1
    found = evaluate(model, load("digits"))
    assert found[0] == found[2] > 85
    assert found[1] < 10


def test_images_and_labels(plain: nn.Module) -> None:
    data, seen = load("digits"), []
    x, y = data.batch(slice(0, 120), split="test")
    found = evaluate(on_chips(plain, 2), (x, y), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(50, 120), (100, 120), (120, 120)]
    assert all(value * 1.2 == pytest.approx(round(value * 1.2)) for value in found)
    with pytest.raises(ShapeError, match="as many images as labels, found 120 and 119"):
        evaluate(plain, (x, y[:-1]))


@pytest.mark.parametrize("training", [True, False])
def test_the_mode_of_the_model_stays(plain: nn.Module, training: bool) -> None:
    model = on_chips(plain, 1).train(training)
    evaluate(model, load("digits"))
    assert model.training is training


def test_chip_k_alone_is_as_good_as_among_many(plain: nn.Module) -> None:
    """With noisy converters, devices that were programmed with errors, drift, faults and noise."""
    settings = Programming().with_(
        {"error.model": "multiplicative", "error.c2c": 0.2, "faults.low": 0.05, "ageing.drift.nu": 0.05,
         "ageing.drift.std": 0.02, "ageing.read_noise.relative": 0.05, "compensation": "column"}
    )  # fmt: skip
    noisy = {"forward.ideal": False, "forward.output_noise": 0.3}
    found = {}
    for chips in ((0, 1, 2, 3, 4), (3,)):
        model = on_chips(plain, chips, **noisy)
        program(model, settings)
        found[chips] = accuracy_over_time(model, load("digits"), "1s,1y")
    many, alone = found.values()
    assert [m.accuracy[3] for m in many] == [m.accuracy[0] for m in alone]
    assert len({round(a, 6) for a in many[1].accuracy}) > 1


def test_accuracy_over_time(plain: nn.Module) -> None:
    """Devices that all lose their conductance end as a network that always answers the same."""
    model = on_chips(plain, 2)
    program(model, Programming().with_({"ageing.retention": {"time": 1e6}, "ageing.read_noise.absolute": 1e-9}))
    told: list[Moment] = []
    moments = accuracy_over_time(model, load("digits"), ["1s", "10y"], reached=told.append)
    assert list(moments) == told
    assert [m.name for m in moments] == ["1s", "10y"]
    assert moments[0].mean > 85
    assert moments[1].mean < 30
    assert moments[1].worst == min(moments[1].accuracy) == moments[1].accuracy[moments[1].worst_place]


def test_one_chip_has_no_spread() -> None:
    assert Moment("1s", 1.0, (90.0,)).std == 0.0
    assert Moment("1s", 1.0, (90.0, 92.0)).std == pytest.approx(2**0.5)


def test_a_model_that_is_not_programmed_does_not_age(plain: nn.Module) -> None:
    with pytest.raises(MhoError, match="not programmed"):
        accuracy_over_time(on_chips(plain, 1), load("digits"), "1s")
    with pytest.raises(ConfigError, match="1s comes after 1h"):
        accuracy_over_time(on_chips(plain, 1), load("digits"), "1h,1s")
