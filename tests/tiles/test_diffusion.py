"""Diffusion: a random kick of every device at every update, and nothing else."""

from __future__ import annotations

import pytest
import torch
from scipy import stats

from mho.devices import ConstantStep, Faults, Leak, Spread
from mho.errors import ConfigError
from mho.tiles.tile import Tile


def tile(chips=(0, 1), **fields):
    return Tile(ConstantStep(w_max=Spread(50.0), w_min=Spread(-50.0), **fields), (60, 70), name="t", chips=chips)


def test_a_free_device_walks_at_random():
    t = tile(diffusion=[0.01, 0.03])
    for _ in range(25):
        t.rest_()
    for chip, sigma in enumerate((0.05, 0.15)):  # sqrt(25) times a kick
        w = t.state[chip].flatten().numpy()
        assert stats.kstest(w / sigma, "norm").pvalue > 1e-4  # false-alarm rate 1e-4 a chip
    alone = tile(chips=(1,), diffusion=0.03)
    for _ in range(25):
        alone.rest_()
    assert torch.equal(alone.state[0], t.state[1])


def test_leak_and_diffusion_balance():
    t = tile(diffusion=0.02, leak=Leak(lifetime=Spread(5.0)))
    for _ in range(60):
        t.rest_()
    keep = torch.exp(torch.tensor(-1 / 5.0))
    expected = 0.02 / float(torch.sqrt(1 - keep**2))  # the stationary spread of an autoregressive process
    n = t.state.numel()
    assert float(t.state.std()) == pytest.approx(expected, abs=4 * expected / (2 * n) ** 0.5)


def test_bounds_and_faults_hold():
    t = Tile(ConstantStep(diffusion=0.5, faults=Faults(stuck=0.3)), (30, 30), name="t")
    stuck = t.state[t.frozen.bool()].clone()
    for _ in range(5):
        t.rest_()
    low, high = t.bounds()
    assert bool(((t.state >= low) & (t.state <= high)).all())
    assert torch.equal(t.state[t.frozen.bool()], stuck)
    assert t.state.std() > 0.1


def test_a_negative_diffusion_is_refused():
    with pytest.raises(ConfigError, match="diffusion"):
        ConstantStep(diffusion=-0.1)
