"""The parts of a transfer: when lines are due, what filters let through, how signs switch, how lines are read."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mho.kernels.product import Draws
from mho.periphery.product import bind, multiply
from mho.periphery.settings import Periphery
from mho.tiles.array import Array
from mho.tiles.cell import ArraySettings
from mho.tiles.place import Place
from mho.update.transfer import Average, Buffer, Chopper, LastPeriod, Schedule
from mho.update.transfer.parts import AverageFilter, BufferFilter, Lines, PeriodMean, Reader, Signs
from mho.update.transfer.timetable import Timetable
from update.transfers import even

PLACE = Place("part", (6, 8), 0, (0, 1))
EIGHTHS = st.integers(-24, 24).map(lambda n: n / 8)


# ---- schedule


def walked(schedule, steps, positions):
    """Return (step, vectors seen before, line) of every transfer, counted unit by unit."""
    found, units, line = [], 0, 0
    count = 8 if schedule.by == "columns" else 6
    reads = count if schedule.reads == "all" else schedule.reads
    for step, vectors in enumerate(steps):
        for v in range(1, vectors + 1):
            if schedule.unit == "vector" or (schedule.unit == "sample" and v % positions == 0):
                units += 1
                if units % schedule.every == 0:
                    found += [(step, v, (line + k) % count) for k in range(reads)]
                    line += reads
        if schedule.unit == "batch":
            units += 1
            if units % schedule.every == 0:
                found += [(step, vectors, (line + k) % count) for k in range(reads)]
                line += reads
    return found


@given(
    every=st.integers(1, 7),
    unit=st.sampled_from(["batch", "sample", "vector"]),
    reads=st.one_of(st.integers(1, 6), st.just("all")),
    by=st.sampled_from(["columns", "rows"]),
    positions=st.integers(1, 4),
    images=st.lists(st.integers(1, 12), min_size=1, max_size=6),
)
def test_transfers_come_when_they_are_due(every, unit, reads, by, positions, images):
    schedule = Schedule(every, unit, reads, by)
    table, found = Timetable(schedule, PLACE), []
    steps = [n * positions for n in images]
    for step, vectors in enumerate(steps):
        for lines, after in table.pass_vectors(vectors, positions):
            assert len(set(lines.numbers)) == len(lines.numbers)
            assert (np.diff(after) >= 0).all()
            found += [(step, int(v), n) for n, v in zip(lines.numbers, after, strict=True)]
        if (due := table.pass_batch()) is not None:
            found += [(step, vectors, n) for n in due.numbers]
    assert found == walked(schedule, steps, positions)


def test_random_order_starts_anywhere_and_repeats_itself():
    tables = [Timetable(Schedule(1, "batch", 2, order="random"), PLACE) for _ in range(2)]
    one, other = ([table.pass_batch().numbers for _ in range(2000)] for table in tables)
    assert one == other
    assert all(b == (a + 1) % 8 for a, b in one)
    counts = np.bincount([a for a, _ in one], minlength=8)
    assert np.abs(counts - 250).max() < 75  # 5 sigma of 2,000 draws in 8 bins


# ---- filters


@given(
    reads=st.lists(EIGHTHS, min_size=1, max_size=40),
    momentum=st.sampled_from([0.0, 0.25, 0.875]),
    forget=st.booleans(),
    most=st.integers(1, 4),
)
def test_a_buffer_gives_what_it_takes(reads, momentum, forget, most):
    part = BufferFilter(Buffer(1.0, momentum, forget, most=most), PLACE, (1, 1))
    lines, one, given_, held = Lines((0,)), torch.ones(2), 0.0, 0.0
    for read in reads:
        pulses = part(lines, torch.full((2, 1, 1), read), one)
        before = held + np.float32(read)
        assert float(pulses[0]) == np.clip(np.trunc(np.float32(before)), -most, most)
        held = float(part.held[1])
        given_ += float(pulses[0])
        if pulses[0] == 0:
            assert held == pytest.approx(before, abs=1e-5)
            assert abs(held) < 1
        else:
            expected = momentum * before if forget else before - (1 - momentum) * float(pulses[0])
            assert held == pytest.approx(expected, abs=1e-5)
    if momentum == 0 and not forget:  # nothing is lost
        assert given_ + held == pytest.approx(sum(reads), abs=1e-3)


@given(st.lists(EIGHTHS, min_size=1, max_size=30), st.sampled_from([0.0, 0.5, 0.875]))
def test_an_average_moves_towards_its_reads(reads, momentum):
    part, held = AverageFilter(Average(momentum, most=3), PLACE, (1, 1)), 0.0
    for read in reads:
        pulses = part(Lines((0,)), torch.full((2, 1, 1), read), torch.tensor([1.0, 5.0]))
        held = momentum * held + (1 - momentum) * read
        assert float(part.held[0]) == pytest.approx(held, abs=1e-5)
        wanted = part.held[:, 0, 0] * torch.tensor([1.0, 5.0])
        assert pulses[:, 0, 0].tolist() == wanted.trunc().clamp(-3, 3).tolist()


def test_theta_is_a_step_of_the_slow_array_or_what_the_granularity_says():
    steps = (np.array([0.1, 0.2]), np.array([0.01, 0.03]))
    part = BufferFilter(Buffer(threshold=(1.0, 2.0), granularity=(0.0, 1000.0)), PLACE, (8, 6))
    np.testing.assert_allclose(part.theta(steps, 8.0), [0.01, 2 * 0.2 * 1000 / 8])


# ---- chopper and reference


def test_signs_switch_with_their_probability():
    part = Signs(Chopper((0.1, 0.0)), PLACE, 8)
    switches, reads = 0, 4000
    for n in range(reads):
        lines = Lines((n % 8,))
        before = part.signs.clone()
        sign, _ = part.read_(lines)
        np.testing.assert_array_equal(sign, before[:, [n % 8]])
        changed = part.signs != before
        assert not bool(changed[1].any())
        assert bool(part.switched[0, n % 8]) == bool(changed[0, n % 8])
        switches += int(changed.sum())
    assert abs(switches - 400) < 5 * (4000 * 0.09) ** 0.5


def test_signs_tell_that_they_switched_once():
    part = Signs(Chopper(0.5, "regular"), PLACE, 8)
    told = [[bool(v) for v in part.read_(Lines((3,)))[1][:, 0]] for _ in range(6)]
    assert [t[0] for t in told] == [False, False, True, False, True, False]


def test_chips_have_draws_of_their_own_and_keep_them_alone():
    both, alone = (Signs(Chopper(0.3), Place("part", (6, 8), 0, chips), 8) for chips in ((4, 7), (7,)))
    for n in range(50):
        for part in (both, alone):
            part.read_(Lines((n % 8, (n + 1) % 8)))
        np.testing.assert_array_equal(both.signs[1:], alone.signs)
    assert bool((both.signs[0] != both.signs[1]).any())


def test_the_last_period_is_no_reference_before_it_has_ended():
    part = PeriodMean(LastPeriod(1.0), Chopper(0.5, "regular"), PLACE, (8, 6))
    lines, read = Lines((2,)), torch.full((2, 1, 6), 3.0)
    no, yes = torch.zeros(2, 1, dtype=torch.bool), torch.ones(2, 1, dtype=torch.bool)
    assert not part.relative(lines, read, no).any()
    assert not part.relative(lines, read + 1, no).any()
    np.testing.assert_allclose(part.relative(lines, read + 2, yes), 5 - 3.5)
    np.testing.assert_allclose(part.relative(lines, read, no), 3 - 3.5)


# ---- reading


@pytest.mark.parametrize("by", ["columns", "rows"])
@pytest.mark.parametrize(
    "change",
    [{}, {"input_noise": 0.1}, {"bound_management": "iterative"}, {"noise_management": "max-abs"}, {"ideal": True},
     {"weight_noise": 0.1}, {"output_bound": 0.5}],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("numbers", [(2, 3, 4), (4, 0, 2)])
def test_a_read_is_a_product_with_a_one_hot_vector(by, change, numbers):
    array = Array(ArraySettings(even()), PLACE)
    array.write_(torch.randn(2, 6, 8))
    periphery = Periphery(**({"noise_management": "none", "bound_management": "none"} | change))
    reader, lines = Reader(array, periphery, by), Lines(numbers)
    reader(Lines((1,)))
    read = reader(lines)
    weights = array.visible if by == "columns" else array.visible.transpose(1, 2)
    x = torch.zeros(2, 3, weights.shape[2])
    x[:, range(3), numbers] = 1.0
    out = torch.empty(2, 3, weights.shape[1])
    tile = array.tile_list[0]
    multiply(bind(periphery, 2), weights.contiguous(), x, Draws(tile.role_keys["transfer"], 0, 0, 1), out)
    np.testing.assert_allclose(read, out, atol=1e-6)
    assert tile.calls["transfer"] == 1
    reader.end()
    reader(lines)
    assert tile.calls["transfer"] == 2


def test_lines_that_follow_each_other_are_views():
    kept = torch.arange(24.0).reshape(2, 4, 3)
    assert Lines((1, 2)).of(kept).data_ptr() == kept[:, 1:].data_ptr()
    np.testing.assert_array_equal(Lines((3, 0)).of(kept), kept[:, [3, 0]])
    Lines((3, 0)).put(kept, torch.zeros(2, 2, 3))
    assert not kept[:, [0, 3]].any()
    assert kept[:, 1:3].all()
