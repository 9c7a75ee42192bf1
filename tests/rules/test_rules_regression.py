"""A regression with a known answer: rules find it with symmetric devices, and some also with asymmetric ones."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from scipy.stats import wilcoxon
from torch.nn import functional as F

import mho
from mho import AnalogConfig
from mho.nn import AnalogConv2d, AnalogLinear
from mho.optim import AnalogSGD
from rules.cases import DW, EXACT, NAMES, case, config, soft

SIZE = (5, 8)
REACH = 0.3
NEAR = np.sqrt(SIZE[1]) * DW
"""How near plain pulses come, twice over.

A weight's pulses of +-dw have, per sample, the variance dw lr abs(x) abs(d), and an error e (root mean square) shrinks
by 2 lr mean(x^2) e^2 of its square. With d = x e, abs(d) is at most sqrt(n mean(x^2)) e in the mean, and mean(abs(x))
at most sqrt(mean(x^2)), so that both balance at an e of at most dw sqrt(n) / 2, n being the number of inputs.
"""
FITS = [(name, k) for name in NAMES for k in range(len(case(name).fits))]


def errors(
    settings: AnalogConfig, *, chips: int, noise: float = 0.0, zero: bool = False, conv: bool = False
) -> np.ndarray:
    """Return per chip the root mean square error of a layer's weights after a regression of 400 steps on 4 vectors.

    noise: standard deviation of the targets; zero: with every array zero-shifted first; conv: by a convolution of 2
    channels and 2x2 kernels, whose vectors are the positions of an image.
    """
    generator = torch.Generator().manual_seed(0)
    answer = (torch.rand(SIZE, generator=generator) * 2 - 1) * REACH
    options = {"bias": False, "config": settings, "name": "layer", "chips": chips}
    layer = AnalogConv2d(2, SIZE[0], 2, **options) if conv else AnalogLinear(SIZE[1], SIZE[0], **options)
    layer.set_weights(torch.zeros(SIZE))
    if zero:
        mho.zero_shift(layer, method="exact")
    optimizer = AnalogSGD(layer.parameters(), lr=0.05)
    for _ in range(400):
        x = torch.rand((1, 2, 3, 3) if conv else (4, SIZE[1]), generator=generator) * 2 - 1
        y = F.conv2d(x, answer.view(SIZE[0], 2, 2, 2)) if conv else x @ answer.T
        y = y + noise * torch.randn(y.shape, generator=generator)
        optimizer.zero_grad()
        (0.5 * (layer(mho.spread(x, chips)) - mho.spread(y, chips)).square().sum()).backward()
        optimizer.step()
    return (layer.get_weights()[0].view(chips, *SIZE) - answer).square().mean((1, 2)).sqrt().numpy()


@pytest.mark.parametrize("kind", ["linear", "conv"])
@pytest.mark.parametrize(("name", "which"), FITS)
def test_a_symmetric_device_finds_the_answer(name: str, which: int, kind: str) -> None:
    """Every one of four chips, from an error of REACH/sqrt(3), which is twelve times as far as the limit."""
    settings = config(name, case(name).fits[which], device=soft(), forward=EXACT)
    found = errors(settings, chips=4, conv=kind == "conv")
    print(f"{name}: {found.max() / DW:.2f} steps, limit {NEAR / DW:.2f}")
    assert found.max() < NEAR


CHIPS = 16
ALARM = 1e-3
SHARE = 0.8
ASYMMETRIC = {"device": soft(1.5, d2d=0.1, c2c=0.3), "forward": EXACT}
NOISE = 0.2


@cache
def plain(zero: bool) -> np.ndarray:
    """Return the errors of plain pulsed SGD on the asymmetric devices."""
    return errors(config("pulsed", **ASYMMETRIC), chips=CHIPS, noise=NOISE, zero=zero)


@pytest.mark.parametrize(("name", "which"), [(n, k) for n, k in FITS if case(n).better])
def test_an_asymmetric_device_is_better_than_with_plain_pulses(name: str, which: int) -> None:
    """Errors of 16 chips in one run, each against the same chip's devices under plain pulses.

    Targets are noisy, so that pulses never end and asymmetry pulls weights to where up and down balance. A two-sided
    Wilcoxon test of log(error / (0.8 plain error)), whose false alarms are 1 in 1,000: the rule must end with less than
    0.8 of the plain error. Rules that need a symmetry point at 0 are zero-shifted, and what they are compared with too.
    """
    settings = case(name).fits[which]
    if name == "msp-lsp":  # its small part is as asymmetric as the large one
        settings = settings | {"lsp.device": ASYMMETRIC["device"]}
    zero = case(name).shifted
    found = errors(config(name, settings, **ASYMMETRIC), chips=CHIPS, noise=NOISE, zero=zero)
    ratio = np.log(found / plain(zero))
    p = wilcoxon(ratio - np.log(SHARE), alternative="two-sided", method="exact").pvalue
    print(f"{name}: {np.exp(ratio.mean()):.2f} of the error of plain pulses, p = {p:.1e}")
    assert np.median(ratio) < np.log(SHARE)
    assert p < ALARM
