"""Ideal devices: rules that are SGD there equal torch's, the others their own digital recursion, both to rounding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import mho
from mho import Update
from mho.nn import AnalogLinear
from mho.optim import AnalogSGD
from mho.update.transfer import Average, Buffer, Chopper, LastPeriod, Schedule
from rules.cases import EXACT, NAMES, case, config, even
from rules.training import inputs, plain_layer
from update.transfers import Slow, SlowAgad, SlowAverage, SlowBuffer

IDEAL = Update(trains="ideal")
LR = (0.03, 0.01)
ROUNDING = 2e-5
"""Of sums of some dozens of terms of order 1 in float32, over a dozen steps."""
SGD = [(name, k) for name in NAMES for k in range(len(case(name).sgd))]


@pytest.mark.parametrize("kind", ["linear", "conv"])
@pytest.mark.parametrize(("name", "which"), SGD)
def test_what_is_sgd_on_ideal_devices_equals_torchs(name: str, which: int, kind: str) -> None:
    """Twelve steps with given errors on two chips of different rates, against torch's layer and SGD."""
    dw, within = (1e-4, case(name).within) if case(name).within else (1e-3, 0.0)
    settings = config(name, case(name).sgd[which], device=even(dw), forward=EXACT, update=IDEAL)
    model = mho.convert_to_analog(torch.nn.Sequential(plain_layer(kind)), settings, chips=2)
    twins = [plain_layer(kind) for _ in LR]
    generator, start = torch.Generator().manual_seed(3), plain_layer(kind).weight.detach()
    for step in range(12):  # a multiple of every `every` in the cases: a last transfer ends it
        x = inputs(kind, 4, step)
        d = torch.randn(twins[0](x).shape, generator=generator) * 0.3
        optimizer = AnalogSGD(model.parameters(), lr=list(LR))
        optimizer.zero_grad()
        (model(mho.spread(x, 2)) * mho.spread(d, 2)).sum().backward()
        optimizer.step()
        for twin, lr in zip(twins, LR, strict=True):
            twin.zero_grad()
            (twin(x) * d).sum().backward()
            torch.optim.SGD(twin.parameters(), lr=lr).step()
    weight, bias = model[0].get_weights()
    for k, twin in enumerate(twins):
        assert (twin.weight - start).abs().max() > 0.01
        for found, wanted in ((weight, twin.weight), (bias, twin.bias)):
            assert (found[k] - wanted.view(found[k].shape)).abs().max() < within * dw + ROUNDING


def slow(kind: type[Slow], theta: float = 0.0, period: int = 0, gamma: float = 0.0, **values: Any) -> Slow:
    """Return the equations of a rule with the rates of its settings below."""
    one = kind(alpha=0.05, beta=0.2, gamma=gamma)
    for key, value in {"theta": theta, "period": period, **values}.items():
        setattr(one, key, value)
    return one


RATES = {"fast_lr": 0.5, "transfer_lr": 0.2, "scale_transfer_lr": False, "read": EXACT}
BUFFERED = {**RATES, "scale_fast_lr": True, "auto_scale": False, "buffer": Buffer(0.7, 0.25), "schedule": Schedule()}
RECURSIONS = {
    "tiki-taka": ({**RATES, "write": IDEAL}, lambda: slow(Slow)),
    "ttv2": (BUFFERED, lambda: slow(SlowBuffer, 0.007, momentum=0.25)),
    "c-ttv2": (
        {**BUFFERED, "chopper": Chopper(0.3, "regular")},
        lambda: slow(SlowBuffer, 0.007, 4, momentum=0.25),
    ),
    "agad": (
        {**BUFFERED, "chopper": Chopper(0.3, "regular"), "reference": LastPeriod(2.0)},
        lambda: slow(SlowAgad, 0.007, 4, momentum=0.25, weight=0.5),
    ),
    "residual": ({**RATES, "gamma": 0.4, "write": IDEAL}, lambda: slow(Slow, gamma=0.4)),
    "residual v2": (
        {**RATES, "gamma": 0.4, "version": "v2", "average": Average(0.75, 0.5, 2)},
        lambda: slow(SlowAverage, 0.005, gamma=0.4, momentum=0.75, most=2),
    ),
}
"""By rule, settings and the recursion that they are: given in update.transfers, where the equations stand."""


def test_every_rule_is_compared_with_something() -> None:
    assert all(case(name).sgd or name in RECURSIONS for name in NAMES)


@pytest.mark.parametrize("name", RECURSIONS)
def test_what_is_no_sgd_equals_its_own_recursion(name: str) -> None:
    """A layer learns a line, and its equations learn it beside it: outputs and weights agree at every step.

    Errors depend on the weights, so every difference would come back; weights agree to rounding after 40 steps of 3.
    """
    settings, equations = RECURSIONS[name]
    chosen = config(name.split()[0], settings, device=even(0.01), forward=EXACT, update=IDEAL)
    layer, twin = AnalogLinear(7, 5, bias=False, config=chosen, name="fc"), equations()
    layer.set_weights(torch.zeros(5, 7))
    optimizer = AnalogSGD(layer.parameters(), lr=0.1)
    generator = torch.Generator().manual_seed(1)
    answer = torch.rand(5, 7, generator=generator) - 0.5
    for _ in range(40):
        x = torch.rand(3, 7, generator=generator) * 2 - 1
        optimizer.zero_grad()
        out = layer(x)
        (0.5 * (out - x @ answer.T).square().sum()).backward()
        optimizer.step()
        inputs_, visible = x.double().numpy(), twin.visible
        np.testing.assert_allclose(out.detach().numpy(), inputs_ @ visible.T, atol=1e-4)
        for vector in inputs_:
            twin.vector(vector, vector @ (visible - answer.double().numpy()).T)
            twin.unit()
    np.testing.assert_allclose(layer.get_weights()[0][0], twin.visible, atol=1e-4)
    assert np.abs(twin.c).max() > 0.05
