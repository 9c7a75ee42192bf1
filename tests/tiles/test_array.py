"""Arrays: what a cell of any shape shows, how it is written, and which of its devices pulses move."""

from __future__ import annotations

import pytest
import torch

from mho import ArraySettings, Cell, Refresh
from mho.devices import ConstantStep, Faults, SoftBounds, Spread, UnipolarSoftBounds
from mho.errors import ConfigError
from mho.tiles.array import Array
from mho.tiles.place import Place
from mho.update import Update
from mho.update.apply import apply_update_
from mho.update.moving import gains, prepare_array

ROWS, COLUMNS, CHIPS = 5, 7, 2
UP = UnipolarSoftBounds(dw_min=Spread(0.001), w_max=Spread(1.0), c2c=0.0)
BOTH = ConstantStep(
    dw_min=Spread(0.001), up_down=Spread(1.0), w_max=Spread(2.0), w_min=Spread(-2.0), c2c=0.0
)  # fmt: skip
OTHER = SoftBounds(dw_min=Spread(0.002), up_down=Spread(1.0), w_max=Spread(2.0), w_min=Spread(-2.0), c2c=0.0)
CELLS = {
    "one": (BOTH, Cell()),
    "average of 3": (BOTH, Cell(devices=3)),
    "sum of 2": (BOTH, Cell(devices=2, combine="sum")),
    "one of 3 at random": (BOTH, Cell(devices=3, pulsed="random")),
    "one of 2 pairs in turn": (BOTH, Cell(devices=2, pulsed="turn", pair="differential")),
    "differential": (BOTH, Cell(pair="differential")),
    "differential of two laws": (BOTH, Cell(pair="differential", minus=OTHER)),
    "one-sided": (UP, Cell(pair="one-sided")),
    "one-sided pairs, average of 2": (UP, Cell(pair="one-sided", devices=2)),
    "one-sided of two devices": (UP, Cell(pair="one-sided", minus=UP.__class__(dw_min=Spread(0.002), c2c=0.0))),
    "own references": (BOTH, Cell(reference="device", reference_value=Spread(0.1, d2d=0.2))),
    "a reference column": (BOTH, Cell(reference="column", reference_value=Spread(0.1, d2d=0.2))),
}


def array(device, cell, chips=CHIPS):
    return Array(ArraySettings(device, cell), Place("a", (ROWS, COLUMNS), 3, tuple(range(chips))))


@pytest.fixture(params=CELLS, name="made")
def made_(request):
    return array(*CELLS[request.param])


def shown(a):
    """The weight by its definition: sum over devices of gain (g - ref)."""
    total = torch.zeros(len(a.place.chips), ROWS, COLUMNS)
    for tile in a.tile_list:
        reference = tile.reference if tile.reference is not None else torch.zeros_like(tile.state)
        total += ((tile.state - reference) * tile.gains.view(1, -1, 1, 1)).sum(1)
    return total


def move_(a, x, d, lr, trains="stochastic"):
    update = Update(trains=trains)
    for step in prepare_array(a, x, d, gains(a, update)(lr), update):
        apply_update_(step)
    a.show_()
    a.rest_()


def sample(batch=4, chips=CHIPS):
    return torch.rand(chips, batch, COLUMNS) - 0.5, torch.rand(chips, batch, ROWS) - 0.5


def test_a_product_sees_the_sum_of_gains_times_devices_less_references(made):
    move_(made, *sample(), 0.1)
    torch.testing.assert_close(made.visible, shown(made), rtol=0, atol=1e-6)
    assert made.visible.abs().max() > 0.001


def test_what_is_written_is_shown(made):
    weights = torch.rand(CHIPS, ROWS, COLUMNS) - 0.5
    assert made.write_(weights).tolist() == [0.0, 0.0]
    torch.testing.assert_close(made.visible, weights, rtol=0, atol=1e-6)


def test_a_pulse_moves_the_weight_in_its_direction_by_the_step_size(made):
    """Every cell of chips 0 to 99 gets the same x d, of which lr makes 0.01 in the mean, from weight 0."""
    a = array(made.settings.device, made.cell, chips=100)
    x, d = torch.full((100, 1, COLUMNS), 0.5), torch.full((100, 1, ROWS), -0.4)
    d[:, :, ::2] *= -1
    a.write_(torch.zeros(100, ROWS, COLUMNS))
    move_(a, x, d, 0.05)
    change = a.visible.mean(dim=(0, 2)) / (-0.05 * 0.5 * d[0, 0])
    assert change.sub(1).abs().max() < 0.1, change  # 700 cells of about 10 pulses each: sigma of a row is 0.012
    tight = made.step_size[0] / a.unit
    assert 0 < tight <= 0.002


@pytest.mark.parametrize("name", [n for n in CELLS if "two" not in n])
def test_an_ideal_update_is_exact_whatever_the_cell(name):
    a = array(*CELLS[name])
    start = 0.2 * (torch.rand(CHIPS, ROWS, COLUMNS) - 0.5)
    a.write_(start)
    x, d = sample()
    move_(a, x, d, 0.05, trains="ideal")
    expected = start - 0.05 * torch.einsum("cbr,cbw->crw", d, x)
    torch.testing.assert_close(a.visible, expected, rtol=0, atol=1e-6)


def test_one_sided_pairs_only_rise_and_count_the_side_that_did():
    a = array(UP, Cell(pair="one-sided"))
    (tile,) = a.tile_list
    x, d = torch.ones(CHIPS, 1, COLUMNS), torch.ones(CHIPS, 1, ROWS)
    d[:, :, 0] = -1.0
    move_(a, x, d, 0.003)
    plus, minus = tile.state[:, 0], tile.state[:, 1]
    assert (plus[:, 0] > 0).all()
    assert (plus[:, 1:] == 0).all()
    assert (minus[:, 0] == 0).all()
    assert (minus[:, 1:] > 0).all()
    assert torch.equal(tile.counts.bool(), tile.state > 0)
    assert tile.counts.sum() == tile.totals.sum()


def test_resets_put_chosen_devices_to_zero_and_are_counted():
    a = array(UnipolarSoftBounds(faults=Faults(stuck=0.5, range=0.3)), Cell(pair="one-sided"))
    (tile,) = a.tile_list
    assert (tile.state[tile.frozen > 0] >= 0).all()
    assert (tile.state[tile.frozen > 0] <= 0.3).all()
    move_(a, *sample(), 0.5)
    before, which = tile.state.clone(), torch.zeros_like(tile.state, dtype=torch.bool)
    which[0, :, 1] = True
    a.reset_([which])
    free = which & (tile.frozen == 0)
    assert (tile.state[free] == 0).all()
    assert torch.equal(tile.state[~free], before[~free])
    assert tile.resets.tolist() == [int(free[0].sum()), 0]
    torch.testing.assert_close(a.visible, shown(a), rtol=0, atol=1e-6)
    a.reset_()
    assert (a.visible[(tile.frozen == 0).all(dim=1)] == 0).all()


def test_a_reference_column_is_shared_by_the_devices_of_a_row():
    a, own = array(*CELLS["a reference column"]), array(*CELLS["own references"])
    reference = a.tile_list[0].reference
    assert (reference == reference[..., :1]).all()
    assert reference[:, 0, :, 0].std() > 0.005
    assert own.tile_list[0].reference[0, 0, 0].std() > 0.005
    assert not torch.equal(reference[0], reference[1])


def test_the_reach_of_a_cell():
    bounded = SoftBounds(w_max=Spread(0.6), w_min=Spread(-0.4))
    for device, cell, reach in (
        (bounded, Cell(), 0.4),
        (bounded, Cell(devices=3), 0.4),
        (bounded, Cell(devices=3, combine="sum"), 1.2),
        (bounded, Cell(pair="differential"), 0.8),
        (bounded, Cell(pair="differential", minus=bounded), 0.8),
        (UP, Cell(pair="one-sided"), 1.0),
        (UP, Cell(pair="one-sided", minus=UnipolarSoftBounds(w_max=Spread(0.5))), 0.75),
        (bounded, Cell(reference="device", reference_value=Spread(0.1)), 0.5),
    ):
        assert array(device, cell).reach.tolist() == pytest.approx([reach] * CHIPS, rel=1e-5), (device, cell)


def test_saved_and_loaded_arrays_go_on_alike(made):
    other = array(made.settings.device, made.cell)
    move_(made, *sample(), 0.1)
    other.load_state_dict(made.state_dict())
    step = sample()
    for one in (made, other):
        move_(one, *step, 0.1)
    assert torch.equal(made.visible, other.visible)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ArraySettings(UP), r'pair: is "none", but pulses can only raise.*cell.pair = "one-sided"'),
        (lambda: ArraySettings(UP, Cell(pair="differential")), r'pair: is "differential", but pulses can only raise'),
        (lambda: ArraySettings(BOTH, Cell(pair="one-sided")), r"its pulses also lower it; give cell.pair"),
        (lambda: ArraySettings(UP, Cell(pair="one-sided", minus=BOTH)), r"the minus ConstantStep upwards only"),
        (lambda: Cell(minus=BOTH), r'minus: is a device of the minus side of a pair, but pair is "none"'),
        (lambda: Cell(refresh=Refresh()), r"refresh: is for pairs that pulses can only raise"),
        (lambda: Cell(reference_value=0.3), r'reference_value: has no use with reference = "none"'),
        (lambda: Cell(devices=0, pair="twin"), r"(?s)devices: must be.*pair: is one of none, differential, one-sided"),
        (lambda: Refresh(every=0, above=2.0, write="now"), r"(?s)every: .*above: .*write: "),
        (lambda: ArraySettings("pcm"), r"an array has a device and a cell, found 'pcm'"),
    ],
)
def test_impossible_cells_are_refused_with_what_would_work(make, message):
    with pytest.raises(ConfigError, match=message):
        make()
