"""Pulses by count: the kernel equals the reference bit for bit, and the pulsed update where both do the same."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.cases import check_equal, make_cells, make_keys, make_samples, only_chip, updated
from kernels.laws import Everything, Tabled, TabledCurve, Tiring
from mho.devices import SoftBounds
from mho.errors import ConfigError, ShapeError
from mho.kernels import burst, cpu, launch, reference
from mho.kernels.backend import burst_backend
from mho.kernels.cells import Scheme

SOFT = SoftBounds(dw_min=0.01)
OPTIONS = {
    "counts": st.booleans(),
    "frozen": st.booleans(),
    "write_noise": st.sampled_from([0.0, 0.05]),
    "visible": st.booleans(),
    "pair": st.sampled_from(["none", "differential", "one-sided"]),
}
EVERYTHING = {"counts": True, "frozen": True, "write_noise": 0.05, "visible": True}


def make_pulses(shape, *, most=5, share=0.7, seed=0):
    """Return numbers of pulses of either sign, some of them 0."""
    generator = np.random.default_rng(seed + 9)
    number = generator.integers(-most, most + 1, shape) * (generator.random(shape) < share)
    return torch.from_numpy(number.astype(np.int32))


def lines(size, seed, share):
    """Return some of the lines in any order, or None for all."""
    generator = np.random.default_rng(seed + 10)
    chosen = generator.permutation(size)[: max(1, int(share * size))]
    return None if share == 1.0 else torch.from_numpy(chosen.astype(np.int32))


def length(given, size):
    return size if given is None else len(given)


def burst_(cells, pulses, module=burst, *, keys=None, **options):
    """Return a copy of the tile after its pulses."""
    cells = copy.deepcopy(cells)
    keys = make_keys(cells.state.shape[0]) if keys is None else keys
    module.burst_(cells, pulses, keys, **({"step": 3} | options))
    return cells


@given(
    shape=st.tuples(st.integers(1, 3), st.sampled_from([1, 2, 4]), st.integers(1, 9), st.integers(1, 200)),
    options=st.fixed_dictionaries(OPTIONS),
    seed=st.integers(0, 2**20),
    share=st.sampled_from([0.0, 0.02, 0.5, 1.0]),
    most=st.sampled_from([1, 2, 5, 70]),
    rows=st.sampled_from([0.1, 0.6, 1.0]),
    columns=st.sampled_from([0.01, 0.6, 1.0]),
    vector=st.sampled_from([0, 7, 2**31]),
    device=st.sampled_from([SOFT, Tiring(), Tabled()]),
)
@settings(max_examples=150)
def test_the_kernel_equals_the_reference_bit_for_bit(shape, options, seed, share, most, rows, columns, vector, device):
    chips, devices, height, width = shape
    if devices == 1:
        options = options | {"pair": "none"}
    cells = make_cells(device, shape, seed=seed, **options)
    rows, columns = lines(height, seed, rows), lines(width, seed + 1, columns)
    listed = (chips, devices, length(rows, height), length(columns, width))
    pulses = make_pulses(listed, most=most, share=share, seed=seed)
    one, other = (
        burst_(cells, pulses, module, rows=rows, columns=columns, vector=vector, step=seed)
        for module in (burst, reference)
    )
    check_equal(one, other)
    assert one.totals.tolist() == pulses.abs().sum((1, 2, 3)).tolist()


def test_tables_of_each_chip_equal_bit_for_bit():
    cells = make_cells(Tabled(sizes=[[0.01, 0.02], [0.03, 0.01]], noise=[[0.3], [0.1]]), (2, 1, 9, 70))
    pulses = make_pulses(cells.state.shape)
    check_equal(burst_(cells, pulses), burst_(cells, pulses, reference))


@pytest.mark.parametrize("device", [Everything(), TabledCurve(), TabledCurve(sizes=[[0.01], [0.02]])])
def test_costly_laws_equal_to_rounding(device):
    cells = make_cells(device, (2, 2, 8, 70), **EVERYTHING)
    pulses = make_pulses(cells.state.shape, most=9)
    check_equal(burst_(cells, pulses), burst_(cells, pulses, reference), atol=2e-6)


@pytest.mark.parametrize("most", [burst.SORTED - 1, burst.SORTED, burst.SORTED + 1, 300])
def test_a_few_devices_with_many_pulses_beside_many_with_few(most):
    cells = make_cells(SOFT, (1, 1, 3, 200), counts=True)
    pulses = make_pulses(cells.state.shape, most=2)
    pulses[0, 0, 1, 5:9] = torch.tensor([most, -most, most - 1, 150])
    check_equal(burst_(cells, pulses), burst_(cells, pulses, reference))


@pytest.mark.parametrize("down", [False, True])
def test_a_burst_equals_a_train_that_fires_in_every_slot(down):
    """The same keys, step and vector number give pulse p of a burst the draw of slot p of a train."""
    cells = make_cells(SOFT, (2, 3, 5, 6), **EVERYTHING)
    samples = make_samples(2, 1, 5, 6, gain=1e6, silent=0.0, step=4)
    samples.x.fill_(1.0)
    samples.d.fill_(1.0 if down else -1.0)
    samples.first = 2
    cells.gains = cells.gains.abs()
    pulses = torch.full(cells.state.shape, -7 if down else 7, dtype=torch.int32)
    train = updated(cells, samples, Scheme(bl=7, managed=False))
    check_equal(burst_(cells, pulses, keys=samples.keys, step=4, vector=2), train)


@pytest.mark.parametrize("module", [burst, reference])
def test_signs_are_of_the_device_whatever_its_gain_and_whatever_the_pair(module):
    cells = make_cells(SOFT, (1, 2, 4, 5), counts=True, pair="one-sided", visible=True)
    cells.state.fill_(0.0)
    after = burst_(cells, torch.full((1, 2, 4, 5), 3, dtype=torch.int32), module)
    assert bool((after.state > cells.state).all())
    assert after.counts.unique().tolist() == [3]
    after = burst_(cells, torch.full((1, 2, 4, 5), -2, dtype=torch.int32), module)
    assert bool((after.state < cells.state).all())
    total = after.gains[0] * after.state[:, 0] + after.gains[1] * after.state[:, 1] - after.offset
    assert torch.allclose(after.visible, total)


@pytest.mark.parametrize("module", [burst, reference])
def test_frozen_devices_are_counted_in_the_total_alone(module):
    cells = make_cells(SOFT, (1, 1, 4, 5), counts=True, frozen=True, write_noise=0.1)
    after = burst_(cells, torch.full((1, 1, 4, 5), 2, dtype=torch.int32), module)
    held = cells.frozen.bool()
    assert held.any()
    assert not held.all()
    assert int(after.totals) == 40
    assert torch.equal(after.counts, torch.where(held, 0, 2).int())
    assert torch.equal(after.state == cells.state, held)
    assert torch.equal(after.apparent == cells.apparent, held)


@pytest.mark.parametrize("module", [burst, reference])
def test_no_pulses_and_no_lines_change_nothing(module):
    cells = make_cells(SOFT, (2, 2, 4, 5), **EVERYTHING)
    check_equal(burst_(cells, torch.zeros(2, 2, 4, 5, dtype=torch.int32), module), cells)
    none = torch.zeros(0, dtype=torch.int32)
    check_equal(burst_(cells, torch.zeros(2, 2, 0, 5, dtype=torch.int32), module, rows=none), cells)


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("columns", [None, torch.arange(79, 1, -1, dtype=torch.int32)])
def test_threads_and_the_size_of_lists_change_nothing(two_threads, columns, monkeypatch):
    cells = make_cells(SOFT, (2, 2, 70, 80), **EVERYTHING)
    pulses = make_pulses((2, 2, 70, length(columns, 80)))
    entered = []
    kept = launch.launch
    monkeypatch.setattr(burst, "launch", lambda k, a, w: (entered.append(w), kept(k, a, w)))
    both = burst_(cells, pulses, columns=columns)
    assert entered == [2]
    torch.set_num_threads(1)
    check_equal(burst_(cells, pulses, columns=columns), both)
    # In parts, each with a list of its own.
    apart = copy.deepcopy(cells)
    for row in range(0, 70, 7):
        rows = torch.arange(row, row + 7, dtype=torch.int32)
        part = pulses[:, :, row : row + 7].contiguous()
        burst.burst_(apart, part, make_keys(2), step=3, rows=rows, columns=columns)
    check_equal(apart, both)


@pytest.mark.parametrize("options", [{}, EVERYTHING])
def test_a_chip_alone_equals_the_chip_among_others(options):
    cells = make_cells(SOFT, (3, 2, 9, 90), **options)
    samples, pulses = make_samples(3, 1, 9, 90), make_pulses((3, 2, 9, 90))
    together = burst_(cells, pulses, keys=samples.keys)
    for chip in range(3):
        mine, alone = only_chip(cells, samples, chip)
        expected, _ = only_chip(together, samples, chip)
        check_equal(burst_(mine, pulses[chip : chip + 1], keys=alone.keys), expected)
    assert not torch.equal(together.state[0], together.state[1])


def test_steps_vectors_and_keys_draw_differently():
    cells = make_cells(SOFT, (1, 1, 9, 90))
    pulses = make_pulses(cells.state.shape, share=1.0)
    one = burst_(cells, pulses)
    for options in ({"step": 4}, {"vector": 1}, {"keys": make_keys(1, seed=1)}):
        assert not torch.equal(burst_(cells, pulses, **options).state, one.state)


def index(*values):
    return torch.tensor(values, dtype=torch.int32)


@pytest.mark.parametrize("module", [burst, reference])
@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"rows": index(0, 4)}, "0 to 3"),
        ({"rows": index(-1, 2)}, "0 to 3"),
        ({"columns": index(0, 5)}, "0 to 4"),
        ({"columns": index(3, 3)}, "twice"),
        ({"columns": torch.tensor([0, 1])}, "int32"),
    ],
)
def test_wrong_lines_are_refused_and_nothing_moves(options, says, module):
    cells = make_cells(SOFT, (1, 1, 4, 5), counts=True)
    shape = [1, 1, len(options.get("rows", range(4))), len(options.get("columns", range(5)))]
    before = copy.deepcopy(cells)
    with pytest.raises(ShapeError, match=says):
        module.burst_(cells, torch.ones(shape, dtype=torch.int32), make_keys(1), step=0, **options)
    check_equal(cells, before)


@pytest.mark.parametrize("module", [burst, reference])
@pytest.mark.parametrize(
    "pulses",
    [
        torch.ones(1, 1, 4, 6, dtype=torch.int32),
        torch.ones(1, 1, 4, 5),
        torch.ones(1, 1, 5, 4, dtype=torch.int32).transpose(2, 3),
    ],
)
def test_pulses_of_another_shape_or_type_are_refused(pulses, module):
    with pytest.raises(ShapeError, match=r"int32 \(1, 1, 4, 5\), contiguous"):
        module.burst_(make_cells(SOFT, (1, 1, 4, 5)), pulses, make_keys(1), step=0)


def test_backends_have_their_module():
    here = torch.zeros(1)
    assert burst_backend("auto", here) is burst
    assert burst_backend("cpu", here) is burst
    assert burst_backend("reference", here) is reference
    assert cpu.__name__ != burst.__name__
    with pytest.raises(ConfigError, match="gpu"):
        burst_backend("gpu", here)
