"""Training steps of every rule on a CUDA device without values: nothing on two devices, nothing copied to the host."""

from __future__ import annotations

from typing import Any

import pytest
from torch import nn

import mho
from gpu.fake import CUDA, cuda, fake_cuda, to_fake
from mho.devices import ConstantStep, SoftBounds, UnipolarSoftBounds
from mho.devices.base import Faults
from mho.tiles import Cell, Refresh
from mho.update.settings import Update
from rules.cases import NAMES, busy, noisy, soft
from rules.training import network

STEPS = 2
"""With four samples each every rule of `busy` has transferred then, and one-sided pairs were looked at."""
ONE_SIDED = {"pair": "one-sided", "refresh": Refresh(every=2, above=0.01)}
LAYERS: dict[str, dict[str, Any]] = {
    "plain": {},
    "pairs": {"cell": Cell(pair="differential")},
    "sides that differ": {"cell": Cell(pair="differential", minus=soft())},
    "several, all": {"cell": Cell(devices=2, combine="sum")},
    "several, in turn": {"cell": Cell(devices=3, pulsed="turn")},
    "several pairs, at random": {"cell": Cell(devices=2, pair="differential", pulsed="random")},
    "references": {"cell": Cell(reference="column")},
    "one-sided": {"cell": Cell(**ONE_SIDED), "device": UnipolarSoftBounds()},
    "one-sided, ideally refreshed": {
        "cell": Cell(pair="one-sided", refresh=Refresh(2, 0.01, "ideal"), devices=2), "device": UnipolarSoftBounds(),
    },
    "faults": {"device": SoftBounds(dw_min=0.005, faults=Faults(dead=0.2, stuck=0.2))},
    "no bounds": {"device": ConstantStep(dw_min=0.005)},
    "deterministic": {"update": Update("deterministic")},
    "mean": {"update": Update("mean", bl_management=False)},
    "ideal": {"update": Update("ideal")},
    "chips apart": {"update": Update(("stochastic", "mean"))},
}  # fmt: skip


def small(config: mho.AnalogConfig) -> nn.Module:
    """Return a layer of two tiles on two chips."""
    return mho.convert_to_analog(nn.Linear(5, 3), config.with_({"mapping.max_columns": 3}), chips=2, seed=0)


def steps(model: nn.Module, *shape: int, outputs: int, count: int = STEPS, lr: Any = 0.05) -> None:
    """Take training steps on the device."""
    optimizer = mho.optim.AnalogSGD(model.parameters(), lr=lr)
    for _ in range(count):
        optimizer.zero_grad()
        out = model(mho.spread(cuda(*shape), 2))
        mho.chip_loss(lambda o, t: (o - t).square().sum(), out, cuda(shape[0], outputs)).backward()
        optimizer.step()


def everything_is_there(model: nn.Module) -> None:
    assert all(t.device == CUDA for t in (*model.parameters(), *model.buffers()))


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("name", NAMES)
def test_no_rule_leaves_the_device(name: str, layer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = small(busy(name, **{"device": noisy(), **LAYERS[layer]}))
    with fake_cuda(monkeypatch):
        steps(to_fake(model), 4, 5, outputs=3)
        everything_is_there(model)


@pytest.mark.parametrize("name", NAMES)
def test_convolutions_do_not_either(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = network(busy(name))
    with fake_cuda(monkeypatch):
        steps(to_fake(model), 4, 1, 5, 5, outputs=2, lr=[0.05, 0.02])
        everything_is_there(model)
