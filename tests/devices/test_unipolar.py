"""Single devices that pulses can only raise: each is a side of the pair law of its formula; down pulses do nothing."""

from __future__ import annotations

import numpy as np
import pytest

from devices.faulty import GoodUnipolar
from mho.characterize import characterize, number_of_states, pulses_across, response, steps_by_state
from mho.devices import (
    Faults,
    JumpStep,
    OneSided,
    PhaseChange,
    SoftBounds,
    Spread,
    UnipolarJump,
    UnipolarPhaseChange,
    UnipolarSoftBounds,
    law,
    where,
)
from mho.devices.base import Device, MeanDraw, law_arguments
from mho.errors import SettingsError
from mho.tiles.draw import TileDraw
from mho.tiles.tile import Tile
from mho.units import Window

SINGLE = {UnipolarSoftBounds: OneSided, UnipolarJump: JumpStep, UnipolarPhaseChange: PhaseChange}
KINDS = pytest.mark.parametrize("kind", SINGLE, ids=lambda kind: kind.__name__)
NUMBERS = {"dw_min": 0.013, "w_max": 0.9, "c2c": 0.7}
CASES = [
    (UnipolarSoftBounds, {}),
    (UnipolarJump, {"jump": 0.3}),
    (UnipolarJump, {"jump": 0.3, "delay": 4.0}),
    (UnipolarPhaseChange, {"rise": 9.0, "decay": 3.0, "c2c_add": 0.01, "c2c_slope": 0.05}),
]


def given(device):
    """Return the law's arguments of the mean device."""
    cells = device.cells(MeanDraw())
    return [np.float64(np.asarray(cells[n]).item()) for n in law_arguments(type(device))]


@pytest.mark.parametrize(("kind", "fields"), CASES)
def test_a_device_is_one_side_of_its_pair_pulse_by_pulse(kind, fields):
    one, pair = kind(**NUMBERS, **fields), SINGLE[kind](**NUMBERS, **fields, upper=2.0)
    alone, both = given(one), given(pair)
    g, w, minus = 0.0, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)
    for xi in np.random.default_rng(0).standard_normal(400):
        g = one.pulse(g, True, xi, *alone)
        w, minus = pair.pulse(w[0], True, xi, *w[1:], *both), pair.pulse(minus[0], False, xi, *minus[1:], *both)
        assert g == w[0] == -minus[0]
    assert 0.3 < g <= 0.9 + 1e-7


@KINDS
def test_a_down_pulse_leaves_every_state_as_it_is(kind):
    device = kind()
    state = np.float32([-3.0, 0.0, 1e-9, 0.4, 1.7, 90.0])
    for xi in (-6.0, 0.0, 3.0):
        np.testing.assert_array_equal(device.pulse(state, np.full(6, False), np.float32(xi), *given(device)), state)


@KINDS
def test_a_device_says_that_it_is_unipolar_and_has_no_symmetry_point(kind):
    assert kind.unipolar
    assert kind().symmetry_point() is None
    assert not any(pair.unipolar for pair in SINGLE.values())
    assert "unipolar" not in vars(kind())  # not a parameter


def test_the_granularity_is_the_step_up_at_zero_without_the_jump():
    assert GoodUnipolar().granularity(2) == pytest.approx([0.01, 0.01])
    assert UnipolarSoftBounds(dw_min=[0.01, 0.03]).granularity(2) == pytest.approx([0.01, 0.03])
    assert UnipolarJump(dw_min=0.01, jump=0.6).granularity(2) == pytest.approx([0.01, 0.01])
    assert UnipolarPhaseChange(dw_min=0.01, rise=9.0).granularity() == pytest.approx([0.1])
    assert OneSided(dw_min=0.01).granularity() == pytest.approx([0.01])


@pytest.mark.parametrize("delay", [0, 1, 5])
def test_the_jump_comes_once_after_its_delay_and_takes_its_share_of_the_range(delay):
    device = UnipolarJump(dw_min=0.01, w_max=0.8, c2c=0.0, jump=0.25, delay=delay)
    found = response(device, 30, devices=1)
    steps = np.diff(found.mean[0, :31])
    assert np.flatnonzero(steps > 0.1).tolist() == [delay]
    assert steps[delay] == pytest.approx(0.2 + 0.01, abs=1e-3)


def test_every_device_draws_its_own_step_and_range():
    device = UnipolarJump(dw_min=Spread(0.01, d2d=0.2), w_max=Spread(0.7, d2d=0.1))
    cells = device.cells(TileDraw(0, (0,), "t", (1, 64, 64)))
    assert cells["a"].std() == pytest.approx(0.002, rel=0.05)
    assert cells["top"].mean() == pytest.approx(0.7, rel=0.01)
    assert cells["top"].std() == pytest.approx(0.07, rel=0.05)


@pytest.mark.parametrize(
    ("kind", "fields", "name"),
    [
        (UnipolarSoftBounds, {"dw_min": 0.0}, "dw_min"),
        (UnipolarSoftBounds, {"w_max": -1.0}, "w_max"),
        (UnipolarJump, {"jump": 1.0}, "jump"),
        (UnipolarJump, {"delay": -1.0}, "delay"),
        (UnipolarJump, {"c2c": -1.0}, "c2c"),
        (UnipolarPhaseChange, {"c2c_slope": float("inf")}, "c2c_slope"),
    ],
)
def test_impossible_fields_are_named(kind, fields, name):
    with pytest.raises(SettingsError) as error:
        kind(**fields)
    assert [field for field, _ in error.value.problems] == [name]


def test_the_response_is_up_then_a_reset_then_up_again():
    found = response(UnipolarSoftBounds(dw_min=0.01, w_max=1.0, c2c=0.0), 120, devices=2)
    expected = 1 - 0.99 ** np.arange(121)
    reset = len(found.pulses) // 2
    assert found.pulses[reset - 1] == found.pulses[reset] == found.turn == 120
    np.testing.assert_allclose(found.mean[0, :reset], expected[found.pulses[:reset]], atol=1e-6)
    np.testing.assert_allclose(found.mean[0, reset:], expected[found.pulses[reset:] - 120], atol=1e-6)
    assert found.pulses[-1] == 240


def test_the_second_way_up_has_noise_of_its_own_and_a_reset_device_has_no_write_noise():
    noisy = response(UnipolarSoftBounds(dw_min=0.01, write_noise=3.0), 50, devices=4)
    first, second = noisy.traces[0, 0, :51], noisy.traces[0, 0, 51:]
    assert first[0] == second[0] == 0
    assert not np.array_equal(first, second)


def test_a_reset_gives_further_states_their_first_values():
    class Counting(Device):
        """A unipolar device whose fourth pulse after a reset steps ten times as far."""

        unipolar = True
        state = {"count": 0.0}  # noqa: RUF012

        def cells(self, draw):
            return {"size": 0.01}

        @law
        def pulse(w, up, xi, count, size):
            new = w + where(count == 3.0, 10.0 * size, size)
            return where(up, new, w), count + where(up, 1.0, 0.0)

    found = response(Counting(), 6, devices=1)
    steps = np.diff(found.mean[0])
    expected = [0.01, 0.01, 0.01, 0.1, 0.01, 0.01]
    np.testing.assert_allclose(steps, [*expected, -0.15, *expected], atol=1e-6)


def test_the_numbers_of_a_unipolar_device():
    device = UnipolarSoftBounds(dw_min=0.01, w_max=1.0, c2c=0.0)
    needed = np.log(20) / -np.log(0.99)  # (1 - dw)^n = 5 %
    assert pulses_across(device) == pytest.approx(1.4 * needed, abs=3)
    states, steps = number_of_states(device), steps_by_state(device, devices=3)
    assert states.by_step == pytest.approx(100, rel=0.02)
    assert states.pulses_up == pytest.approx(needed, abs=2)
    assert np.isnan(states.pulses_down).all()
    assert states.distinct == states.pulses_up + 1
    assert steps.low == 0
    np.testing.assert_allclose(steps.up[0], 0.01 * (1 - steps.state), rtol=1e-4)
    np.testing.assert_array_equal(steps.down, 0)
    assert np.isnan(steps.symmetry).all()
    assert np.isnan(steps.device_symmetry).all()


def test_a_state_without_a_step_is_no_symmetry_point_of_a_unipolar_device():
    class Threshold(GoodUnipolar):
        """A device that does not move between 0.31 and 0.34, which its steps of 0.05 pass over."""

        @law
        def pulse(w, up, xi, dw, top):
            step = where((w > 0.31) & (w < 0.34), 0.0, 5.0 * dw)
            return where(up, where(w + step > top, top, w + step), w)

    found = steps_by_state(Threshold(), devices=3)
    assert (found.up[0] == 0).any()
    assert np.isnan(found.symmetry).all()
    assert np.isnan(found.device_symmetry).all()


def test_a_jump_does_not_count_as_a_step():
    device = UnipolarJump(dw_min=Spread(0.01, d2d=0.1), w_max=1.0, jump=0.4)
    found = characterize(device, devices=5)
    assert found.mean["step at w = 0"] == pytest.approx(0.41)
    assert found.mean["granularity"] == pytest.approx(0.01)
    assert found.mean["states (range / step)"] == pytest.approx(100, rel=0.05)
    assert found.mean["states (range / step)"] == pytest.approx(found.states.by_step)
    assert np.isnan(found.drawn["states (range / step)"]).all()
    assert "granularity" not in characterize(UnipolarSoftBounds(), 50, devices=2).mean


def test_stuck_devices_have_no_negative_states():
    device = UnipolarSoftBounds(w_max=1.0, faults=Faults(dead=0.1, stuck=0.4, range=1.0))
    tile = Tile(device, (40, 50), name="t", gains=(1.0, -1.0), paired=True, one_sided=True)
    frozen, fixed = tile.frozen.bool(), tile.fixed
    stuck = fixed[frozen & (fixed != 0)]
    assert stuck.min() >= 0
    assert stuck.mean() == pytest.approx(0.5, abs=0.03)
    assert len(stuck) == pytest.approx(0.4 * 4000, rel=0.1)
    assert frozen.sum() == pytest.approx(0.5 * 4000, rel=0.1)


def test_a_window_of_a_unipolar_device_begins_at_zero():
    window = UnipolarSoftBounds(window=Window(2e-6, 22e-6)).window
    assert window == Window(2e-6, 22e-6, from_zero=True)
    assert window.to_siemens(np.array([0.0, 0.5, 1.0])) == pytest.approx([2e-6, 12e-6, 22e-6])
    assert window.to_weight(12e-6) == pytest.approx(0.5)
    assert Window(2e-6, 22e-6).to_siemens(np.array([-1.0, 0.0, 1.0])) == pytest.approx([2e-6, 12e-6, 22e-6])
    with pytest.raises(SettingsError, match=r"window: begins at w = 0, as that of a unipolar device"):
        SoftBounds(window=window)
