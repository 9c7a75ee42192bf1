"""Pairs of devices: the minus side goes the other way, and a one-sided pair pulses the side that rises alone."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.cases import check_equal, choose, make_cells, make_samples, only_chip, updated
from kernels.laws import Everything, TabledCurve, Tiring
from mho.devices import SoftBounds
from mho.kernels import cpu, mean, reference
from mho.kernels.cells import Scheme

OPTIONS = {
    "counts": st.booleans(),
    "frozen": st.booleans(),
    "write_noise": st.sampled_from([0.0, 0.05]),
    "visible": st.booleans(),
    "pair": st.sampled_from(["differential", "one-sided"]),
}
WORLDS = {
    "shape": st.tuples(st.integers(1, 3), st.sampled_from([2, 4]), st.integers(1, 7), st.integers(1, 40)),
    "batch": st.integers(1, 6),
    "options": st.fixed_dictionaries(OPTIONS),
    "seed": st.integers(0, 2**20),
    "gain": st.sampled_from([0.1, 3.0, 100.0]),
    "pulsed": st.sampled_from(["all", "random", "turn"]),
    "device": st.sampled_from([SoftBounds(dw_min=0.01), Tiring()]),
}
SOFT = SoftBounds(dw_min=0.01)


@given(**WORLDS, deterministic=st.booleans(), bl=st.sampled_from([1, 31, 64]))
@settings(max_examples=120)
def test_pulses_equal_the_reference_bit_for_bit(shape, batch, options, seed, gain, pulsed, device, deterministic, bl):
    cells = make_cells(device, shape, seed=seed, **options)
    samples = make_samples(shape[0], batch, *shape[2:], seed=seed, gain=gain, bias=shape[3] > 1 and bool(seed % 2))
    scheme = Scheme(bl=bl, one_device=pulsed, deterministic=deterministic)
    check_equal(updated(cells, samples, scheme), updated(cells, samples, scheme, reference))


@given(**WORLDS, noisy=st.booleans())
@settings(max_examples=60)
def test_means_equal_the_reference_bit_for_bit(shape, batch, options, seed, gain, pulsed, device, noisy):
    cells = make_cells(device, shape, seed=seed, **options)
    samples = make_samples(shape[0], batch, *shape[2:], seed=seed, gain=gain, bias=shape[3] > 1 and bool(seed % 2))
    one, other = (_mean(cells, samples, module, noisy, pulsed) for module in (mean, reference))
    check_equal(one, other)


def _mean(cells, samples, module, noisy=False, pulsed="all"):
    cells = copy.deepcopy(cells)
    flags = torch.full(cells.state.shape[:1], int(noisy), dtype=torch.uint8)
    module.mean_update_(cells, samples, flags, choose(cells, samples, Scheme(one_device=pulsed)))
    return cells


@pytest.mark.parametrize("device", [Everything(), TabledCurve()])
@pytest.mark.parametrize("pair", ["differential", "one-sided"])
def test_costly_laws_equal_to_rounding(device, pair):
    cells = make_cells(device, (2, 4, 8, 70), counts=True, frozen=True, pair=pair, visible=True)
    samples = make_samples(2, 5, 8, 70, gain=50.0)
    check_equal(updated(cells, samples, Scheme()), updated(cells, samples, Scheme(), reference), atol=2e-6)


def one_pulse(x, d, *, one_sided, gains=(0.5, -0.5), backend=cpu):
    """Return the changes of a pair and its counts after one sure pulse, and the tile."""
    cells = make_cells(SOFT, (1, len(gains), 1, 1), counts=True)
    cells.gains = torch.tensor(gains)
    cells.state.fill_(0.0)
    cells.paired, cells.one_sided = True, one_sided
    samples = make_samples(1, 1, 1, 1, gain=1.0)
    samples.x.fill_(x)
    samples.d.fill_(d)
    after = updated(cells, samples, Scheme(bl=1, managed=False), backend)
    return torch.sign(after.state.flatten()).tolist(), after.counts.flatten().tolist(), int(after.totals)


@pytest.mark.parametrize("backend", [cpu, reference])
@pytest.mark.parametrize(("x", "d", "up"), [(1.0, -1.0, 1.0), (-1.0, 1.0, 1.0), (1.0, 1.0, -1.0), (-1.0, -1.0, -1.0)])
def test_a_differential_pair_is_pulsed_in_opposite_directions(x, d, up, backend):
    assert one_pulse(x, d, one_sided=False, backend=backend) == ([up, -up], [1, 1], 2)
    # The gains of now count: a pair whose sign was turned, and a device that shows nothing.
    assert one_pulse(x, d, one_sided=False, gains=(-1.0, 1.0), backend=backend) == ([-up, up], [1, 1], 2)
    assert one_pulse(x, d, one_sided=False, gains=(0.0, -1.0), backend=backend) == ([up, -up], [1, 1], 2)


@pytest.mark.parametrize("backend", [cpu, reference])
@pytest.mark.parametrize(("x", "d"), [(1.0, -1.0), (-1.0, 1.0), (1.0, 1.0), (-1.0, -1.0)])
def test_a_one_sided_pair_is_raised_on_one_side_alone(x, d, backend):
    plus = (x < 0) != (d < 0)
    sides = [1.0, 0.0] if plus else [0.0, 1.0]
    counts = [int(s) for s in sides]
    assert one_pulse(x, d, one_sided=True, backend=backend) == (sides, counts, 1)
    turned = one_pulse(x, d, one_sided=True, gains=(-1.0, 1.0), backend=backend)
    assert turned == (sides[::-1], counts[::-1], 1)


@pytest.mark.parametrize("backend", [cpu, reference])
@pytest.mark.parametrize("pair", ["differential", "one-sided"])
def test_one_pair_of_a_cell_is_pulsed_at_a_time(pair, backend):
    cells = make_cells(SOFT, (1, 4, 5, 6), counts=True, pair=pair)
    samples = make_samples(1, 1, 5, 6, gain=50.0, silent=0.0)
    cells_after = copy.deepcopy(cells)
    backend.pulse_update_(
        cells_after, samples, Scheme(), backend.rates(samples, Scheme()), torch.tensor([[1]], dtype=torch.int32)
    )
    counts = cells_after.counts[0].sum((1, 2))
    assert counts[:2].tolist() == [0, 0]
    assert counts[2:].min() > 0


@pytest.mark.parametrize("pair", ["differential", "one-sided"])
def test_what_a_one_sided_pair_leaves_alone_keeps_its_write_noise(pair):
    cells = make_cells(SOFT, (1, 2, 5, 6), counts=True, write_noise=0.05, pair=pair)
    after = updated(cells, make_samples(1, 3, 5, 6, gain=50.0), Scheme())
    assert torch.equal(after.counts != 0, after.apparent != cells.apparent)
    assert (pair == "one-sided") == bool((after.counts[:, 0] != after.counts[:, 1]).any())


def test_both_kinds_see_the_same_coincidences():
    samples = make_samples(2, 6, 30, 40, gain=20.0)
    one, both = (
        updated(make_cells(SOFT, (2, 2, 30, 40), counts=True, pair=pair), samples, Scheme())
        for pair in ("one-sided", "differential")
    )
    assert torch.equal(both.counts[:, 0], both.counts[:, 1])
    assert torch.equal(one.counts.sum(1), both.counts[:, 0])
    assert torch.equal(2 * one.totals, both.totals)


@pytest.mark.parametrize("room", [1, 7, 4096])
def test_rooms_threads_and_neighbours_change_nothing(room, monkeypatch):
    cells = make_cells(SOFT, (2, 4, 60, 80), counts=True, frozen=True, write_noise=0.05, visible=True, pair="one-sided")
    samples = make_samples(2, 12, 60, 80, gain=30.0)
    expected = updated(cells, samples, Scheme())
    monkeypatch.setattr(cpu, "ROOM", room)
    check_equal(updated(cells, samples, Scheme()), expected)
    monkeypatch.setattr(cpu, "threads", lambda: 1)
    check_equal(updated(cells, samples, Scheme()), expected)
    for chip in range(2):
        mine, alone = only_chip(cells, samples, chip)
        check_equal(updated(mine, alone, Scheme()), only_chip(expected, samples, chip)[0])


def test_the_sides_draw_noise_of_their_own():
    cells = make_cells(SOFT, (1, 2, 20, 20), pair="differential")
    cells.state.fill_(0.0)
    for name, value in {"rate_up": 0.02, "rate_down": 0.02, "top": 0.5, "bottom": -0.5}.items():
        cells.parameters[name] = torch.full((1,), value)
    plus, minus = updated(cells, make_samples(1, 1, 20, 20, gain=10.0), Scheme()).state[0]
    moved = plus != 0
    assert int(moved.sum()) > 50
    assert float((plus == -minus)[moved].float().mean()) < 0.1
