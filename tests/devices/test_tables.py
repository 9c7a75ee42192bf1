"""Tables that laws read: interpolation on every kind of array, the laws built on it, and what is told of wrong ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mho.characterize import Sample, steps_by_state
from mho.config import AnalogConfig
from mho.config.toml import dump, loads
from mho.devices import ConstantStep, Device, Nodes, PiecewiseStep, Spread, Table, TabularStep, interpolate, law
from mho.errors import ConfigError, LawError
from mho.tiles.tile import Tile

VALUES = st.lists(st.floats(-2, 2, width=32), min_size=1, max_size=6)
POSITION = st.floats(-9, 9, width=32)


@given(VALUES, POSITION)
def test_numpy_and_torch_interpolate_as_a_broken_line(values, position):
    table, at = np.float32(values), np.float32([position])
    wanted = np.interp(position, np.arange(len(values)), values)
    found = interpolate(table, at)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [wanted], atol=1e-6)
    np.testing.assert_array_equal(interpolate(torch.tensor(table), torch.tensor(at)), found)
    assert abs(interpolate(table, position) - wanted) < 1e-6


def test_every_chip_reads_its_own_table():
    table = np.float32([[0, 1, 2], [10, 20, 40]])
    at = np.float32(np.arange(24).reshape(2, 3, 4) / 10)
    for chip in range(2):
        np.testing.assert_array_equal(interpolate(table, at)[chip], interpolate(table[chip], at[chip]))
        there = interpolate(torch.tensor(table), torch.tensor(at))
        np.testing.assert_array_equal(there[chip], interpolate(table[chip], at[chip]))


@pytest.mark.parametrize("kind", [np.float32, torch.tensor])
def test_what_is_no_number_stays_none(kind):
    found = interpolate(kind([1.0, 2.0]), kind([np.nan, np.inf, -np.inf]))
    np.testing.assert_array_equal(found, [np.nan, 2.0, 1.0])


def test_torch_finds_gradients_of_the_table_and_of_the_position():
    table = torch.tensor([0.0, 1.0, 4.0], requires_grad=True)
    position = torch.tensor([0.25, 1.5, 7.0, -3.0], requires_grad=True)
    interpolate(table, position).sum().backward()
    assert position.grad.tolist() == [1.0, 3.0, 0.0, 0.0]
    assert table.grad.tolist() == [0.75 + 1.0, 0.25 + 0.5, 0.5 + 1.0]


def test_a_table_of_another_shape_is_refused():
    with pytest.raises(LawError, match="Table"):
        interpolate(np.zeros((2, 1, 1, 1)), np.zeros(2))
    for wrong in ("a", [], [[1, 2], [3]], [np.nan], np.zeros((1, 1, 1))):
        with pytest.raises(ConfigError, match="table"):
            Table(wrong)
    with pytest.raises(ConfigError, match="2 rows over chips, but there are 3 chips"):
        Table([[1, 2], [3, 4]]).over_chips(3)


def test_a_tile_refuses_tables_that_the_law_does_not_read():
    class Confused(Device):
        sizes: Nodes = (0.1, 0.2)

        def cells(self, draw):
            return {"sizes": Table(self.sizes), "dw": Table(self.sizes)}

        @law
        def pulse(w, up, xi, sizes, dw):
            return w + interpolate(sizes, w) * dw

    with pytest.raises((ConfigError, LawError), match=r"tables for \['sizes', 'dw'\], but the law reads \['sizes'\]"):
        Tile(Confused(), (2, 3), name="t")


def test_nodes_of_one_are_a_constant_step():
    given = {"dw_min": Spread(0.01, d2d=0.2), "w_max": Spread(0.5, d2d=0.2)}
    one = Sample(PiecewiseStep(nodes_up=[1], nodes_down=[1], **given), 20, seed=3)
    other = Sample(ConstantStep(**given), 20, seed=3)
    for n in range(60):
        xi = one.noise("noise", 0)[n]
        one.pulse_(n % 3 > 0, xi)
        other.pulse_(n % 3 > 0, xi)
    np.testing.assert_allclose(one.state, other.state, atol=1e-12)
    assert np.ptp(one.state) > 0.1


def test_piecewise_steps_are_the_nodes_and_lines_between_them():
    device = PiecewiseStep(dw_min=0.01, w_max=1.0, w_min=-1.0, nodes_up=[2, 1, 0.5], nodes_down=[1, 1, 3])
    sample = Sample(device, mean=True)
    state = np.array([[[-1.0, -0.5, 0.0, 0.5, 0.9]]])
    np.testing.assert_allclose(sample.moved(state, True) - state, [[[0.02, 0.015, 0.01, 0.0075, 0.0055]]], rtol=1e-5)
    np.testing.assert_allclose(state - sample.moved(state, False), [[[0, 0.01, 0.01, 0.02, 0.028]]], atol=1e-8)


def test_the_tabular_law_has_the_measured_mean_and_spread():
    tables = {"up_mean": (0.02, 0.01), "down_mean": (0.01, 0.02), "up_std": (0.001, 0.004), "down_std": (0.005, 0.0)}
    sample = Sample(TabularStep(w_max=1.0, w_min=-1.0, scale=1.0, **tables), mean=True)
    xi = np.random.default_rng(0).standard_normal((1, 1, 40_000))
    state = np.full_like(xi, -0.5)
    up, down = (sample.moved(state, way, xi) - state for way in (True, False))
    assert abs(up.mean() - 0.0175) < 5 * 0.00175 / 200
    assert abs(up.std() / 0.00175 - 1) < 0.02
    assert abs(down.mean() + 0.0125) < 5 * 0.00375 / 200
    assert abs(down.std() / 0.00375 - 1) < 0.02


def test_a_table_of_every_chip_is_written_to_a_file_and_read():
    config = AnalogConfig(device=PiecewiseStep(nodes_up=[[1, 2], [2, 1]], nodes_down=[1, 1]))
    assert loads(dump(config), AnalogConfig) == config
    up = steps_by_state(config.device, chips=(0, 1)).up
    assert up[0, 5] < up[0, -5]
    assert up[1, 5] > up[1, -5]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"nodes_up": [1, 2]}, "nodes_down: found 5 nodes, but nodes_up has 2"),
        ({"nodes_up": [1, 1, 1, 1, -1]}, "nodes_up: found -1, but values are sizes"),
        ({"nodes_up": "steep"}, "nodes_up: a table is a list of numbers"),
        ({"nodes_up": [np.inf] * 5}, "nodes_up: a table holds NaN or infinity"),
    ],
)
def test_impossible_nodes_are_refused_by_name(given, words):
    with pytest.raises(ConfigError, match=words):
        PiecewiseStep(**given)
