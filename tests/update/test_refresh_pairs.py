"""The refresh of one-sided pairs: those that are due are reset, their difference stays, all of it is counted."""

from __future__ import annotations

import pytest
import torch

from mho.devices import Faults, Spread, UnipolarJump, UnipolarSoftBounds
from mho.tiles.cell import Cell, Refresh
from mho.update.refresh import pairs_due, refresh_
from update.program_cases import assert_same, chip_of, made, rising

IDEAL = Refresh(every=1, above=0.75, write="ideal")


def filled(refresh, device=None, *, seed=1, **cell):
    """Return an array whose sides are anywhere in their ranges, the same on every chip."""
    chips = cell.pop("chips", (0,))
    array = made(device or rising(), Cell(pair="one-sided", refresh=refresh, **cell), chips=chips)
    generator = torch.Generator().manual_seed(seed)
    for tile in array.tile_list:
        free = torch.ones_like(tile.state) if tile.frozen is None else (tile.frozen == 0).float()
        share = torch.rand(tile.state.shape[1:], generator=generator).expand_as(tile.state)
        tile.state.mul_(1 - free).add_(free * share * tile.bounds()[1])
        tile.show_()
    array.show_()
    return array


@pytest.mark.parametrize("cell", [{}, {"devices": 2}, {"minus": UnipolarJump(c2c=0.0)}], ids=["one", "two", "laws"])
def test_ideal_refresh_keeps_every_weight_and_empties_the_smaller_sides(cell):
    array = filled(IDEAL, **cell)
    weights, due = array.visible.clone(), pairs_due(array, IDEAL)
    before = [tile.state.clone() for tile in array.tile_list]
    assert 0.2 < due.float().mean() < 0.8
    assert torch.equal(refresh_(array), due.flatten(1).sum(1))
    torch.testing.assert_close(array.visible, weights, atol=1e-6, rtol=0)
    for k, tile in enumerate(array.tile_list):
        sides = due.repeat_interleave(2, dim=1) if len(before) == 1 else due
        assert torch.equal(tile.state[~sides], before[k][~sides])
    plus, minus = (
        (array.tile_list[0].state[:, ::2], array.tile_list[0].state[:, 1::2])
        if len(before) == 1
        else (array.tile_list[0].state, array.tile_list[1].state)
    )
    assert torch.minimum(plus, minus)[due].max() == 0
    assert sum(int(tile.resets) for tile in array.tile_list) == 2 * int(due.sum())
    assert int(array.totals()) == 0


def test_refresh_by_pulses_writes_back_to_half_a_step():
    refresh = Refresh(every=1, above=0.75, write="pulses")
    array = filled(refresh)
    weights, due = array.visible.clone(), pairs_due(array, refresh)
    small = due[:, 0] & (weights.abs() < 0.7)
    refresh_(array)
    assert (array.visible - weights)[small].abs().max() <= 0.001 + 1e-6
    torch.testing.assert_close(array.visible[~due[:, 0]], weights[~due[:, 0]])
    assert int(array.tile_list[0].resets) == 2 * int(due.sum())
    assert int(array.totals()) == int(array.tile_list[0].counts.sum()) > 0


def test_only_every_so_many_steps():
    array = filled(Refresh(every=3, above=0.5, write="ideal"))
    found = []
    for _ in range(6):
        found.append(refresh_(array) is not None)
        array.rest_()
    assert found == [False, False, True, False, False, True]
    plain = made(rising(), Cell(pair="one-sided"))
    assert refresh_(plain) is None


def test_the_share_is_of_the_device_s_own_range_and_may_differ_between_chips():
    wide = UnipolarSoftBounds(dw_min=0.002, w_max=Spread(1.0, d2d=0.3), c2c=0.0)
    array = filled(Refresh(every=1, above=(0.3, 0.9), write="ideal"), wide, chips=(0, 1))
    due = pairs_due(array, array.cell.refresh)
    share = array.tile_list[0].state / array.tile_list[0].cell_top
    most = share.amax(1, keepdim=True)
    assert torch.equal(due, torch.stack((most[0] > 0.3, most[1] > 0.9)))


@pytest.mark.parametrize("write", ["ideal", "pulses"])
def test_pairs_with_a_frozen_side_are_left(write):
    array = filled(Refresh(every=1, above=0.5, write=write), UnipolarSoftBounds(faults=Faults(dead=0.3)))
    tile = array.tile_list[0]
    frozen = (tile.frozen > 0).any(1, keepdim=True).expand_as(tile.state)
    before = tile.state.clone()
    refresh_(array)
    assert torch.equal(tile.state[frozen], before[frozen])
    assert not torch.equal(tile.state, before)


def test_a_device_that_jumps_is_as_new_after_its_reset():
    """After the refresh the smaller side is at 0: its next pulse jumps again."""
    array = filled(IDEAL, UnipolarJump(dw_min=Spread(0.005), w_max=1.0, c2c=0.0))
    due = pairs_due(array, IDEAL)
    refresh_(array)
    assert (array.tile_list[0].state.amin(1, keepdim=True)[due] == 0).all()


def test_a_chip_alone_is_refreshed_as_among_others():
    refresh = Refresh(every=1, above=0.6, write="pulses")
    many, alone = (
        filled(refresh, UnipolarSoftBounds(), chips=(0, 1, 2)),
        filled(refresh, UnipolarSoftBounds(), chips=(1,)),
    )
    for _ in range(2):
        for array in (many, alone):
            refresh_(array)
            array.rest_()
    here, there = chip_of(many, 1), chip_of(alone, 0)
    assert all(torch.equal(here[key], there[key]) for key in there)


def test_a_refresh_repeats():
    one, two = (filled(Refresh(every=1, write="pulses"), UnipolarSoftBounds()) for _ in range(2))
    refresh_(one), refresh_(two)
    assert_same(one, two)
