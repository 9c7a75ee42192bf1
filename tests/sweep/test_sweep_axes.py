"""Axes, their samples, and SWEEP.toml: what is read, what is refused."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mho.errors import ConfigError
from mho.sweep import dump, loads
from mho.sweep.axes import read_axis, samples
from sweep.small import text

GRID = '[[grid]]\n[grid.axes]\n"device.dw_min" = '


def values(given: object) -> list[object]:
    return [one for (one,) in read_axis("dw_min", given).values()]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ([0.1, 0.2], [0.1, 0.2]),
        ({"from": 0, "to": 1, "points": 3}, [0.0, 0.5, 1.0]),
        ({"from": 0.1, "to": 0.5, "step": 0.1}, [0.1, 0.2, 0.3, 0.4, 0.5]),
        ({"from": 1, "to": 0.1, "step": -0.3}, [1.0, 0.7, 0.4, 0.1]),
        ({"from": 0.0, "to": 1.0, "step": 0.4}, [0.0, 0.4, 0.8]),
        ({"from": 0.001, "to": 0.1, "points": 3, "scale": "log"}, [0.001, 0.01, 0.1]),
        ({"from": 5, "to": 5, "points": 1}, [5.0]),
    ],
)
def test_values_of_an_axis(written, expected):
    assert values(written) == expected


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ([], "empty"),
        (3, "expected a list"),
        ({"from": 1}, "to must be a finite number"),
        ({"from": 1, "to": 2, "points": 1}, "at least 2"),
        ({"from": 1, "to": 2, "pints": 3}, "'points'"),
        ({"from": 0, "to": 2, "points": 3, "scale": "log"}, "above 0"),
        ({"from": 0, "to": 2, "step": -1}, "do not lead"),
        ({"from": 0, "to": 2, "step": 1, "points": 3}, "without points"),
        ({"from": 0, "to": 2, "points": 3, "scale": "cubic"}, "linear or log"),
        ([object()], "cannot stand in a file"),
        ([float("nan")], "expected finite numbers, found nan"),
        ([0.1, 0.2, 0.1], "0.1 stands twice"),
        ([1, 1.0], "1.0 stands twice"),
        ([{"pulses": 5}, {"pulses": 5}], "stands twice"),
    ],
)
def test_axes_that_cannot_be(written, why):
    with pytest.raises(ConfigError, match=why):
        read_axis("dw_min", written)


def test_values_that_differ_are_not_taken_for_the_same():
    given = [1, True, 2**63, 2**63 + 1, "1", ["init"], ["init", "order"]]
    assert values(given) == given


def test_fields_in_step():
    axis = read_axis("device.w_max, device.w_min", [[0.6, -0.6], [0.8, -0.8]])
    assert axis.fields == ("device.w_max", "device.w_min")
    assert axis.values() == [(0.6, -0.6), (0.8, -0.8)]
    with pytest.raises(ConfigError, match="a list of 2"):
        read_axis("device.w_max, device.w_min", [[0.6]])


@given(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6), st.integers(2, 50), st.sampled_from(["linear", "log"]))
def test_a_range_has_its_ends_and_goes_one_way(start, stop, points, scale):
    found = values({"from": start, "to": stop, "points": points, "scale": scale}) if start != stop else [start, stop]
    assert (found[0], found[-1]) == (start, stop)
    steps = np.sign(np.diff(found))
    assert set(steps) <= {0.0, np.sign(stop - start)}


@given(st.text(max_size=200))
def test_any_text_is_a_sweep_or_a_reason(text):
    with suppress(ConfigError):  # any other exception is a fault
        loads(text)


def test_samples_repeat_and_fill_the_axes():
    for method in ("random", "sobol"):
        shares = samples(method, 3, 100, 7)
        assert np.array_equal(shares, samples(method, 3, 100, 7))
        assert not np.array_equal(shares, samples(method, 3, 100, 8))
        assert shares.shape == (100, 3)
        assert 0 <= shares.min() < shares.max() < 1
    # A Sobol sequence puts 64 points one into each 64th of every axis.
    shares = samples("sobol", 2, 64, 0)
    assert all(len(set((shares[:, k] * 64).astype(int))) == 64 for k in range(2))


def test_a_written_sweep_is_the_same_sweep():
    sweep = loads(text() + '[search]\ntrials = 10\ncost = "1 / lr"\ntargets = ["cost", "penalty"]\n')
    assert loads(dump(sweep)) == sweep
    assert dump(loads(dump(sweep))) == dump(sweep)


def test_names_without_quotes_are_the_same_names():
    plain = loads("[set]\nmapping.max_rows = 64\n[[grid]]\naxes.device.dw_min.d2d = [0.1, 0.2]\n")
    assert plain.settings == {"mapping.max_rows": 64}
    assert plain.grids[0].axes[0].fields == ("device.dw_min.d2d",)
    layers = loads('[[grid]]\n[grid.axes.layers."encoder.0"]\n"device.dw_min" = [0.1]\n')
    assert layers.grids[0].axes[0].fields == ('layers."encoder.0"."device.dw_min"',)


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("seeds = 2", "no points"),
        ("seads = 2\n" + GRID + "[1]", "'seeds'"),
        ("[[grid]]\nname = 'a'", "no axes"),
        ("[[grid]]\naxis.dw_min = [1]", "'axes'"),
        (GRID + "[]", "empty"),
        ("seeds = 0\n" + GRID + "[1]", "at least 1"),
        ("seeds = 9\nmax_chips = 8\n" + GRID + "[1]", "max_chips"),
        ("baseline = 'ideal'\n" + GRID + "[1]", "digital"),
        ("baseline = 200\n" + GRID + "[1]", "from 0 to 100, found 200"),
        ("baseline = -0.1\n" + GRID + "[1]", "from 0 to 100"),
        ("threshold = -1\n" + GRID + "[1]", "at least 0, found -1"),
        (GRID + "[1]\n[search]\nfoo = 1", r"\[search\] has no setting 'foo'"),
        ("preset = 'ideal'\nconfig = 'a.toml'\n" + GRID + "[1]", "keep one"),
        ("[set]\nchips = 3\n" + GRID + "[1]", "seeds"),
        (GRID + "[1]\n" + GRID + "[2]", "different names"),
        (GRID + "[1]\n[[grid]]\nmethod = 'sobol'\naxes.lr = [1, 2]", "needs points"),
        (GRID + "[1]\n[[grid]]\nmethod = 'soboll'\naxes.lr = [1, 2]", "sobol"),
        (GRID + "[1]\n[[grid]]\npoints = 3\naxes.lr = [1, 2]", "method"),
        (GRID + "[1", "not valid TOML"),
    ],
)
def test_sweeps_that_cannot_be(written, why):
    with pytest.raises(ConfigError, match=why):
        loads(written)
