"""The CPU kernels move the same devices by the same pulses as the NumPy reference, bit for bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.cases import arrays, check_equal, make_cells, make_samples, updated
from kernels.laws import Everything, Tabled, TabledCurve, Tiring
from mho.devices import ConstantStep, LinearStep, PiecewiseStep, SoftBounds, TabularStep
from mho.kernels import cpu, reference
from mho.kernels.cells import Scheme

SCHEMES = st.builds(
    Scheme,
    bl=st.sampled_from([1, 2, 5, 10, 31, 32, 33, 63, 64]),
    managed=st.booleans(),
    balanced=st.booleans(),
    deterministic=st.booleans(),
    one_device=st.sampled_from(["all", "random", "turn"]),
)
FINITE = st.floats(-(2.0**127), 2.0**127, width=32)
OPTIONS = st.fixed_dictionaries(
    {
        "counts": st.booleans(),
        "frozen": st.booleans(),
        "write_noise": st.sampled_from([0.0, 0.05]),
        "visible": st.booleans(),
    }
)
SHAPES = st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 7), st.integers(1, 9))
WORLDS = {
    "shape": SHAPES,
    "batch": st.integers(1, 6),
    "scheme": SCHEMES,
    "options": OPTIONS,
    "seed": st.integers(0, 2**20),
    "bias": st.booleans(),
    "gain": st.sampled_from([0.1, 3.0, 100.0, 5000.0]),
}


def world(device, shape, batch, options, seed, bias, gain):
    chips, _, rows, columns = shape
    cells = make_cells(device, shape, seed=seed, **options)
    return cells, make_samples(chips, batch, rows, columns, seed=seed, gain=gain, bias=bias and columns > 1)


@given(**WORLDS)
@settings(max_examples=120)
def test_soft_bounds_equal_bit_for_bit(shape, batch, scheme, options, seed, bias, gain):
    cells, samples = world(SoftBounds(dw_min=0.01), shape, batch, options, seed, bias, gain)
    check_equal(updated(cells, samples, scheme), updated(cells, samples, scheme, reference))


@given(**WORLDS)
@settings(max_examples=40)
def test_a_law_with_extra_state_equals_bit_for_bit(shape, batch, scheme, options, seed, bias, gain):
    cells, samples = world(Tiring(), shape, batch, options, seed, bias, gain)
    check_equal(updated(cells, samples, scheme), updated(cells, samples, scheme, reference))


BUILT_IN = [
    ConstantStep(dw_min=0.01),
    LinearStep(dw_min=0.01, gamma_up=0.4, gamma_down=0.6),
    PiecewiseStep(dw_min=0.01, nodes_up=[[2, 1, 0.5], [1, 1, 1]], nodes_down=[1, 1, 2]),
    TabularStep(up_mean=(0.02, 0.01), down_mean=(0.01, 0.03), up_std=(0.004, 0.004), down_std=(0.01, 0.0)),
    Tabled(),
    Tabled(sizes=[[0.01, 0.02], [0.03, 0.01]], noise=[[0.3], [0.1]]),
]


@pytest.mark.parametrize("device", BUILT_IN)
@pytest.mark.parametrize("seed", range(4))
def test_built_in_laws_equal_bit_for_bit(device, seed):
    cells = make_cells(device, (2, 2, 9, 11), seed=seed, counts=True)
    samples = make_samples(2, 7, 9, 11, seed=seed, gain=50.0)
    scheme = Scheme(bl=31, managed=bool(seed % 2))
    after = updated(cells, samples, scheme)
    check_equal(after, updated(cells, samples, scheme, reference))
    assert after.totals.min() > 100


@pytest.mark.parametrize("device", [Everything(), TabledCurve(), TabledCurve(sizes=[[0.01], [0.02]])])
@pytest.mark.parametrize("seed", range(3))
def test_transcendental_laws_equal_to_rounding(device, seed):
    cells = make_cells(device, (2, 1, 8, 9), seed=seed, counts=True)
    samples = make_samples(2, 5, 8, 9, seed=seed, gain=50.0)
    check_equal(updated(cells, samples, Scheme()), updated(cells, samples, Scheme(), reference), atol=2e-6)


def test_parameters_may_be_one_number_a_chip():
    cells = make_cells(SoftBounds(dw_min=0.01), (3, 1, 6, 7), per_chip=("top", "bottom"))
    cells.parameters["top"] = torch.tensor([0.3, 0.5, 0.7])
    samples = make_samples(3, 5, 6, 7, gain=2000.0)
    after = updated(cells, samples, Scheme())
    check_equal(after, updated(cells, samples, Scheme(), reference))
    assert [round(float(s.max()), 3) for s in after.state] <= [0.3, 0.5, 0.7]


def test_the_comparison_sees_one_wrong_pulse():
    cells = make_cells(SoftBounds(dw_min=0.01), (1, 1, 6, 7), counts=True)
    after = updated(cells, make_samples(1, 5, 6, 7), Scheme())
    for name in arrays(after):
        other = updated(cells, make_samples(1, 5, 6, 7), Scheme())
        flat = arrays(other)[name].reshape(-1)
        flat[0] = np.nextafter(flat[0], np.float32(9)) if flat.dtype.kind == "f" else flat[0] + 1
        with pytest.raises(AssertionError):
            check_equal(after, other)


@given(
    x=st.lists(FINITE, min_size=3, max_size=3),
    d=st.lists(FINITE, min_size=2, max_size=2),
    scheme=SCHEMES,
    gain=st.floats(1e-6, 1e6),
    bias=st.booleans(),
)
def test_rates_and_pulses_for_any_finite_numbers(x, d, scheme, gain, bias):
    columns = 3 + bias
    samples = make_samples(1, 1, 2, columns, bias=bias, gain=gain)
    samples = replace(samples, x=torch.tensor([[x]]), d=torch.tensor([[d]]))
    mine, other = cpu.rates(samples, scheme), reference.rates(samples, scheme)
    assert mine.x_finite
    assert mine.d_finite
    np.testing.assert_array_equal(mine.length, other.length)
    if mine.length[0]:
        np.testing.assert_array_equal(mine.x_rate, other.x_rate)
        np.testing.assert_array_equal(mine.d_rate, other.d_rate)
    cells = make_cells(SoftBounds(dw_min=0.01), (1, 1, 2, columns), counts=True)
    after = updated(cells, samples, replace(scheme, one_device="all"))
    check_equal(after, updated(cells, samples, replace(scheme, one_device="all"), reference))
    silent = np.outer(np.array(d) == 0, np.ones(columns)) + np.outer(np.ones(2), np.array(x + [1.0] * bias) == 0)
    assert not after.counts.numpy()[0, 0][silent > 0].any()
