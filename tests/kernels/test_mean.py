"""The update without granularity: kernel and reference agree bit for bit, and closed forms hold."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.cases import check_equal, choose, make_cells, make_samples
from kernels.laws import Everything, Tiring
from mho.devices import ConstantStep, SoftBounds
from mho.kernels import mean, reference
from mho.kernels.cells import Scheme
from mho.tiles.tile import Tile
from mho.update import Update
from mho.update.apply import apply_update_, prepare_update


def moved(cells, samples, module, noisy=False, pulsed="all"):
    cells = copy.deepcopy(cells)
    chips = cells.state.shape[0]
    flags = torch.tensor([noisy] * (chips - 1) + [False], dtype=torch.uint8) if noisy else torch.zeros(chips).byte()
    module.mean_update_(cells, samples, flags, choose(cells, samples, Scheme(one_device=pulsed)))
    return cells


@given(
    shape=st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 7), st.integers(1, 9)),
    batch=st.integers(1, 5),
    seed=st.integers(0, 2**20),
    gain=st.sampled_from([0.01, 1.0, 30.0]),
    flags=st.fixed_dictionaries(
        {
            "counts": st.booleans(),
            "frozen": st.booleans(),
            "write_noise": st.sampled_from([0.0, 0.05]),
            "visible": st.booleans(),
        }
    ),
    noisy=st.booleans(),
    pulsed=st.sampled_from(["all", "random", "turn"]),
    device=st.sampled_from([SoftBounds(dw_min=0.01), Tiring()]),
)
@settings(max_examples=60)
def test_kernel_equals_reference_bit_for_bit(shape, batch, seed, gain, flags, noisy, pulsed, device):
    cells = make_cells(device, shape, seed=seed, **flags)
    samples = make_samples(shape[0], batch, *shape[2:], seed=seed, gain=gain, bias=shape[3] > 1 and bool(seed % 2))
    check_equal(moved(cells, samples, mean, noisy, pulsed), moved(cells, samples, reference, noisy, pulsed))


def test_wide_tiles_and_costly_laws_equal_the_reference():
    for device, atol in ((SoftBounds(dw_min=0.01), 0.0), (Everything(), 2e-6)):
        cells = make_cells(device, (2, 1, 5, 600), visible=True, write_noise=0.1)
        samples = make_samples(2, 3, 5, 600, gain=5.0, bias=True)
        check_equal(moved(cells, samples, mean, True), moved(cells, samples, reference, True), atol=atol)


def test_one_pulse_is_one_whole_step_and_many_follow_the_exponential():
    device = SoftBounds(dw_min=0.01, w_max=0.5, w_min=-0.5)
    cells = make_cells(device, (1, 1, 1, 1))
    for name, value in {"rate_up": 0.02, "rate_down": 0.02, "top": 0.5, "bottom": -0.5}.items():
        cells.parameters[name] = torch.full((1,), value)
    cells.state.fill_(0.1)
    samples = make_samples(1, 1, 1, 1, gain=1.0, silent=0.0)
    samples.x.fill_(1.0)
    for d, n in ((-1.0, 1.0), (-0.5, 0.5), (-40.0, 40.0), (-12.5, 12.5)):
        samples.d.fill_(d)
        parts = np.ceil(n)
        expected = 0.5 - 0.4 * (1 - 0.02 * n / parts) ** parts
        assert float(moved(cells, samples, mean).state) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("n", [0.01, 0.4, 1.0, 7.3])
def test_noise_has_the_mean_and_variance_of_as_many_pulses(n):
    cells = make_cells(ConstantStep(dw_min=0.001, c2c=0.5), (1, 1, 100, 100))
    for name, value in {"a_up": 0.001, "a_down": 0.001, "top": 9.0, "bottom": -9.0}.items():
        cells.parameters[name] = torch.full((1,), value)
    samples = make_samples(1, 1, 100, 100, gain=1.0, silent=0.0)
    samples.x.fill_(1.0)
    samples.d.fill_(-n)
    after = copy.deepcopy(cells)
    mean.mean_update_(after, samples, torch.ones(1, dtype=torch.uint8), None)
    change = after.state - cells.state
    sigma = 0.5 * 0.001 * n**0.5
    # Two-sided, false-alarm rate 1e-6 each; 3e-8 is rounding of a state.
    assert float(change.mean()) == pytest.approx(n * 0.001, abs=4.9 * sigma / 100 + 3e-8)
    assert float(change.std()) == pytest.approx(sigma, abs=4.9 * sigma / 20_000**0.5 + 3e-8)


def test_the_mean_of_many_small_pulses_is_the_mean_update():
    chips = tuple(range(40))
    tiles = [Tile(SoftBounds(dw_min=2e-4), (6, 8), name="t", chips=chips, seed=1) for _ in range(2)]
    generator = torch.Generator().manual_seed(0)
    for _ in range(5):
        x, d = (torch.rand(1, 4, 8, generator=generator), torch.randn(1, 4, 6, generator=generator))
        for tile, trains in zip(tiles, ("stochastic", "mean"), strict=True):
            gain = torch.full((40,), 5.0)  # at most some 15 pulses: no train saturates
            every = x.expand(40, -1, -1), d.expand(40, -1, -1)
            apply_update_(prepare_update(tile, *every, gain, update=Update(trains)))
            tile.rest_()
    pulsed, mean_ = (t.state[:, 0] for t in tiles)
    difference = (pulsed - mean_).mean(0)
    error = (pulsed - mean_).std(0) / 40**0.5
    assert float((difference / error).abs().max()) < 5.0  # 48 weights, two-sided, t with 39 degrees: 6e-4
    assert float(mean_.abs().mean()) > 0.001


def test_chips_may_have_updates_of_their_own():
    chips = (0, 1, 2, 3)
    trains = ("stochastic", "mean", "mean", "deterministic")
    x, d = torch.rand(4, 3, 8), torch.randn(4, 3, 6)
    together = Tile(SoftBounds(dw_min=0.01), (6, 8), name="t", chips=chips)
    apply_update_(prepare_update(together, x, d, torch.full((4,), 20.0), update=Update(trains)))
    for chip, kind in enumerate(trains):
        alone = Tile(SoftBounds(dw_min=0.01), (6, 8), name="t", chips=(chip,))
        one = slice(chip, chip + 1)
        apply_update_(prepare_update(alone, x[one], d[one], torch.full((1,), 20.0), update=Update(kind)))
        assert torch.equal(alone.state[0], together.state[chip])
        assert torch.equal(alone.totals[0], together.totals[chip])
