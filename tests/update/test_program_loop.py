"""Closed-loop programming: every law reaches its tolerance, limits hold, what happens is counted, chips are apart."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mho.config.laws import laws
from mho.devices import Capacitor, ConstantStep, Faults, SoftBounds, UnipolarJump, UnipolarSoftBounds
from mho.errors import ConfigError, NotFiniteError, ShapeError
from mho.tiles.cell import Cell
from mho.update.program import program_, read
from mho.update.program_settings import Program
from update.program_cases import PAIR, assert_same, chip_of, held, ideal, made, rising, targets

LONG = Program(iterations=150)
LAWS = laws()


def reachable(array, target, share=0.85):
    """Return the weights whose own devices can hold them, each with some room, as the law's bounds say."""
    sides = []
    for tile in array.tile_list:
        low, high = (b.expand_as(tile.state) for b in tile.bounds())
        wanted = target.unsqueeze(1) * tile.gains.sign().view(1, -1, 1, 1)
        wanted = wanted.clamp_min(0.0) if tile.one_sided else wanted
        sides.append(((share * low <= wanted) & (wanted <= share * high)).all(1))
    return torch.stack(sides).all(0)


def worst(array, target):
    """Return the largest error of any weight, in mean steps of one device."""
    size = torch.from_numpy(array.step_size / array.unit).float().view(-1, 1, 1) * array.cell.gain
    return float(((target - array.visible).abs() / size).max())


@pytest.mark.parametrize("strategy", ["tune", "rewrite"])
@pytest.mark.parametrize("law", LAWS)
def test_every_law_gets_within_half_a_step(law, strategy):
    device = LAWS[law]()
    array = made(device, PAIR if device.unipolar else Cell())
    target = targets(array, 0.4)
    inside = reachable(array, target)
    assert inside.float().mean() > 0.9
    target = torch.where(inside, target, torch.zeros(()))
    done = program_(array, target, Program(iterations=150, strategy=strategy))
    assert worst(array, target) <= 0.5
    assert done.missed == 0
    assert 0 < done.std < done.most <= 0.5 * array.step_size


@pytest.mark.parametrize(
    "cell",
    [Cell(devices=3), Cell(devices=3, combine="sum"), Cell(pair="differential"), Cell(pair="differential", devices=2)],
    ids=lambda c: f"{c.pair}-{c.devices}-{c.combine}",
)
def test_every_cell_of_devices_that_go_both_ways(cell):
    array = made(SoftBounds(), cell)
    target = targets(array, 0.3)
    target = torch.where(reachable(array, target / array.unit), target, torch.zeros(()))
    assert program_(array, target, LONG).missed == 0
    assert worst(array, target) <= 0.5


@pytest.mark.parametrize("cell", [Cell(pair="one-sided", devices=2), Cell(pair="one-sided", minus=UnipolarJump())])
def test_every_cell_of_devices_that_only_rise(cell):
    array = made(UnipolarSoftBounds(), cell)
    target = targets(array, 0.4)
    assert program_(array, target, LONG).missed == 0
    assert (array.visible - target).abs().max() <= 0.5 * max(0.001, 0.005 if cell.minus else 0.0)


@pytest.mark.parametrize("cell", [Cell(), Cell(pair="differential"), Cell(devices=4), Cell(reference="column")])
def test_ideal_devices_take_the_nearest_number_of_steps_at_once(cell):
    array = made(ideal(), cell)
    target = targets(array, 0.1)
    size = 0.001 * cell.gain
    done = program_(array, target, Program(pulses=10_000))
    steps = torch.round(target / size)
    torch.testing.assert_close(array.visible, steps * size, atol=2e-5, rtol=0)
    assert done.iterations.tolist() == [1]
    assert done.pulses.tolist() == [int(steps.abs().sum())]
    counts = array.tile_list[0].counts[0]
    assert (counts.amax(0) - counts.amin(0)).max() <= 1  # shared evenly
    assert torch.equal(counts.sum(0), steps[0].abs().int())


def test_the_side_that_moves_the_weight_the_right_way_gets_the_pulses():
    array = made(rising(), PAIR)
    for target, side in ((0.4, 0), (0.1, 1)):
        before = array.tile_list[0].counts.clone()
        program_(array, torch.full_like(array.visible, target), LONG)
        sent = array.tile_list[0].counts - before
        assert (sent[:, side] > 0).all()
        assert sent[:, 1 - side].max() <= 1  # where the last step went too far


def made_pair(plus, minus, **options):
    array = made(rising(**options), PAIR)
    array.tile_list[0].state[:, 0], array.tile_list[0].state[:, 1] = plus, minus
    array.tile_list[0].show_()
    return array


def test_a_pair_is_reset_once_where_its_side_has_no_room():
    full = made_pair(0.85, 0.8)
    done = program_(full, torch.full_like(full.visible, 0.3), LONG)
    assert done.resets.tolist() == [2 * full.visible.numel()]
    assert done.missed == 0
    assert full.tile_list[0].state[:, 1].max() < 0.01
    some = made_pair(0.5, 0.4)
    assert program_(some, torch.full_like(some.visible, 0.3), LONG).resets == 0
    never = made_pair(0.85, 0.0)  # nothing is gained by a reset where the other side is empty
    done = program_(never, torch.full_like(never.visible, 0.97), Program(iterations=40))
    assert done.resets == 0


def test_a_pair_is_reset_once_in_a_call():
    array = made(UnipolarSoftBounds(dw_min=0.05, w_max=1.0, c2c=1.0), PAIR)
    array.tile_list[0].state[:, 0], array.tile_list[0].state[:, 1] = 0.7, 0.6
    array.tile_list[0].show_()
    settings = Program(iterations=60, tolerance=0.02)  # so that noise carries weights past their target, and back
    program_(array, torch.full_like(array.visible, 0.93), settings)
    assert int(array.tile_list[0].resets) == 2 * array.visible.numel()


def test_rewriting_resets_every_chosen_weight():
    array = made_pair(0.5, 0.4)
    which = torch.zeros_like(array.visible, dtype=torch.bool)
    which[:, :5] = True
    done = program_(array, torch.full_like(array.visible, 0.2), Program(strategy="rewrite"), which=which)
    assert done.resets.tolist() == [2 * int(which.sum())]
    assert array.tile_list[0].state[:, 1, :5].max() < 0.01
    torch.testing.assert_close(array.visible[:, 5:], torch.full_like(array.visible[:, 5:], 0.1))
    assert array.tile_list[0].counts[:, :, 5:].sum() == 0


def test_what_an_array_shows_may_be_its_target():
    array = made(rising(), PAIR)
    array.write_(torch.full_like(array.visible, 0.25))
    program_(array, array.visible, Program(strategy="rewrite"))
    assert (array.visible - 0.25).abs().max() <= 0.001


def test_limits_of_pulses():
    array = made(ideal())
    target = torch.full_like(array.visible, 0.5)
    program_(array, target, Program(iterations=3, pulses=7))
    assert (array.tile_list[0].counts == 21).all()
    torch.testing.assert_close(array.visible, torch.full_like(target, 0.021))
    done = program_(array, target, Program(iterations=30, pulses=7, total=40))
    assert (array.tile_list[0].counts == 61).all()
    assert done.missed == 1
    assert done.pulses.tolist() == [40 * target.numel()]


def test_a_weight_is_left_alone_once_a_reading_found_it_near_enough():
    """Readings that stray later do not call it back."""
    array = made(ideal())
    first = read(array, 0.0004, 0)
    done = program_(array, torch.zeros_like(array.visible), Program(read_noise=0.0004, iterations=50))
    away = first.abs() > 0.0005
    assert 0 < away.sum() < away.numel() // 2
    assert torch.equal(array.tile_list[0].counts[:, 0] > 0, away)
    assert torch.equal(done.read[~away], first[~away])


def test_readings_have_the_noise_they_state():
    array = made(ideal(), size=(100, 120), chips=(0, 1))
    noise = read(array, (0.01, 0.03), 0)
    assert noise.std(dim=(1, 2)).tolist() == pytest.approx([0.01, 0.03], rel=0.03)
    assert abs(float(noise.mean())) < 5 * 0.022 / 24_000**0.5
    assert not torch.equal(noise, read(array, (0.01, 0.03), 1))
    assert torch.equal(noise, read(array, (0.01, 0.03), 0))


def test_noise_of_readings_stays_in_what_is_programmed():
    """Where the tolerance is far below the noise, no weight is nearer than readings tell; halving averages."""
    exact, blurred = (
        program_(made(ideal(0.0005)), targets(made(ideal()), 0.3), Program(read_noise=s, iterations=60, pulses=600))
        for s in (0.0, 0.01)
    )
    assert exact.most <= 0.00026
    assert 0.001 < blurred.std < 0.01


@pytest.mark.parametrize("device", [ConstantStep(), UnipolarSoftBounds(), Capacitor(write_noise=0.5)])
def test_a_chip_alone_is_as_among_others(device):
    cell = PAIR if device.unipolar else Cell()
    many, alone = made(device, cell, chips=(0, 1, 2)), made(device, cell, chips=(1,))
    settings = Program(read_noise=0.001, iterations=15)
    for share, top in ((0.1, 0.5), (0.3, 0.2)):
        goal = targets(many, share)
        goal[0] *= top  # others are done earlier or later
        all_, one = program_(many, goal, settings), program_(alone, goal[1:2], settings)
        assert torch.equal(all_.read[1:2], one.read)
        for name in ("mean", "std", "most", "missed", "pulses", "resets", "iterations"):
            assert getattr(all_, name)[1] == getattr(one, name)[0]
    here, there = chip_of(many, 1), chip_of(alone, 0)
    assert all(torch.equal(here[key], there[key]) for key in there)


def test_chips_have_their_own_settings():
    array = made(ideal(), chips=(0, 1))
    done = program_(
        array, targets(array, 0.3), Program(tolerance=(0.5, 2.0), pulses=1000, step=(0.0, 0.01), iterations=40)
    )
    assert done.most[0] <= 0.00051
    assert 0.005 < done.most[1] <= 0.0201
    with pytest.raises(ConfigError, match="tolerance is a list of 3"):
        program_(array, targets(array), Program(tolerance=(1.0, 2.0, 3.0)))


def test_another_call_draws_anew():
    one, two = made(ConstantStep()), made(ConstantStep())
    target = targets(one, 0.2)
    program_(one, target, LONG)
    program_(two, torch.zeros_like(target), LONG)  # nothing to do, yet its draws are taken
    program_(two, target, LONG)
    assert not torch.equal(one.visible, two.visible)
    quiet = made(ideal())
    readings = [program_(quiet, torch.zeros_like(target), Program(tolerance=99.0, read_noise=0.01)) for _ in range(2)]
    assert not torch.equal(readings[0].read, readings[1].read)


def test_frozen_weights_are_not_counted():
    array = made(ConstantStep(faults=Faults(dead=0.3)))
    target = targets(array, 0.3)
    target = torch.where(reachable(array, target), target, torch.zeros(()))
    frozen = array.tile_list[0].frozen[:, 0] > 0
    assert 40 < frozen.sum() < 110
    done = program_(array, target, LONG)
    assert done.missed == 0
    assert done.most <= 0.0005
    assert array.visible[frozen].abs().max() == 0


def test_numbers_of_the_report():
    array = made(ideal())
    target = targets(array, 0.1)
    done = program_(array, target, Program(iterations=1, pulses=20))
    left = (target - array.visible).double()
    assert done.mean[0] == pytest.approx(float(left.mean()), abs=1e-9)
    assert done.std[0] == pytest.approx(float(left.std(correction=0)), rel=1e-6)
    assert done.most[0] == pytest.approx(float(left.abs().max()))
    assert done.missed[0] == pytest.approx(float((left.abs() > 0.0005).double().mean()), abs=0.01)


def test_what_cannot_be_moves_nothing():
    array = made(ConstantStep())
    before = held(array)
    with pytest.raises(ShapeError, match=r"shows \(1, 12, 20\), found \(1, 20, 12\)"):
        program_(array, torch.zeros(1, 20, 12))
    with pytest.raises(NotFiniteError, match="no device was changed"):
        program_(array, torch.full_like(array.visible, np.nan))
    assert all(torch.equal(value, before[key]) for key, value in array.state_dict().items())


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"iterations": 0}, "at least 1, found 0"),
        ({"pulses": 0}, "at least 1, found 0"),
        ({"pulses": 2.5}, "whole number"),
        ({"total": -1}, "at least 0, found -1"),
        ({"tolerance": 0.0}, "0.5 is what whole steps can reach"),
        ({"read_noise": -0.1}, "cannot be negative"),
        ({"step": float("nan")}, "cannot be negative or infinite"),
        ({"full": 1.5}, "at most 1, found 1.5"),
        ({"strategy": "tuned"}, "did you mean 'tune'"),
    ],
)
def test_impossible_settings_are_refused(settings, words):
    with pytest.raises(ConfigError, match=words):
        Program(**settings)


def test_the_same_call_gives_the_same_devices():
    one, two = made(UnipolarJump(), PAIR), made(UnipolarJump(), PAIR)
    for array in (one, two):
        program_(array, targets(array, 0.5), Program(read_noise=0.002))
    assert_same(one, two)
