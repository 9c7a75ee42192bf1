"""Number of states, asymmetry and drawn parameters against what the laws give in closed form."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mho.characterize import characterize, number_of_states, steps_by_state
from mho.devices import ConstantStep, Device, SoftBounds, Spread, catalogue, law, maximum, minimum, where
from mho.errors import LawError

BOUNDS = {"w_max": Spread(0.6), "w_min": Spread(-0.6)}


class Doubling(Device):
    """A law without bounds that leaves the numbers after a while."""

    def cells(self, draw: Any) -> dict[str, Any]:
        return {"size": 1.0}

    @law
    def pulse(w, up, xi, size):  # type: ignore[no-untyped-def]
        """Go on twice as far."""
        return w + where(up, size, -size) * (1.0 + w * w)


class UpOnly(Device):
    """A device that down pulses do not move."""

    def cells(self, draw: Any) -> dict[str, Any]:
        return {"size": 0.01}

    @law
    def pulse(w, up, xi, size):  # type: ignore[no-untyped-def]
        """Go up only."""
        return minimum(maximum(w + where(up, size, 0.0), -1.0), 1.0)


@pytest.mark.parametrize("ratio", [1.0, 2.0])
def test_states_of_constant_steps(ratio: float) -> None:
    found = number_of_states(ConstantStep(dw_min=Spread(0.001), up_down=Spread(ratio), c2c=0.0, **BOUNDS))
    up, down = 0.002 * ratio / (1 + ratio), 0.002 / (1 + ratio)
    assert found.by_step == pytest.approx(1200, rel=1e-5)
    assert found.pulses_up == pytest.approx(1.2 / up, abs=1)
    assert found.pulses_down == pytest.approx(1.2 / down, abs=1)
    assert found.distinct == found.pulses_up + 1  # without noise every pulse makes a level of its own


@pytest.mark.parametrize("noise", [0.3, 1.0])
def test_levels_told_apart_of_constant_steps(noise: float) -> None:
    device = ConstantStep(dw_min=Spread(1e-4), up_down=Spread(1.0), c2c=noise, **BOUNDS)
    # Variance n (noise dw)^2, levels 2 noise sqrt(n) pulses apart: integral of dn over that, sqrt(n) / noise.
    assert number_of_states(device).distinct == pytest.approx(12_000**0.5 / noise, rel=0.05)


def test_write_noise_takes_levels() -> None:
    device = ConstantStep(dw_min=Spread(0.001), up_down=Spread(1.0), c2c=0.0, write_noise=10.0, **BOUNDS)
    assert number_of_states(device).distinct == pytest.approx(1200 / 20, abs=2)  # 2 x 10 steps apart


def test_states_of_soft_bounds() -> None:
    device = SoftBounds(dw_min=Spread(0.006), up_down=Spread(1.0), c2c=0.0, **BOUNDS)
    found = number_of_states(device)
    assert found.by_step == pytest.approx(200, rel=0.01)
    # From -b, b - w = 2b (1 - a/b)^n; the step a (1 - w/b) is below 0.05 a from n = ln(40) / -ln(1 - a/b) on.
    assert found.pulses_up == pytest.approx(np.log(40) / -np.log(0.99), abs=2)
    assert found.pulses_down == found.pulses_up


def test_noise_of_soft_bounds_is_forgotten() -> None:
    """The variance obeys v <- (1 - a/b)^2 v + (c a (1 - w/b))^2, so it leaves more levels."""
    soft = SoftBounds(dw_min=Spread(0.001), up_down=Spread(1.0), c2c=0.3, **BOUNDS)
    assert number_of_states(soft).distinct > 1.2 * 1200**0.5 / 0.3


@pytest.mark.parametrize("ratio", [1.0, 1.5, 3.0])
def test_asymmetry(ratio: float) -> None:
    constant = steps_by_state(ConstantStep(dw_min=Spread(0.01), up_down=Spread(ratio), **BOUNDS), devices=3)
    assert constant.asymmetry == pytest.approx((ratio - 1) / (ratio + 1), abs=1e-5)
    assert constant.device_asymmetry == pytest.approx(np.full((1, 3), (ratio - 1) / (ratio + 1)), abs=1e-5)
    soft = steps_by_state(SoftBounds(dw_min=Spread(0.001), up_down=Spread(ratio), **BOUNDS), devices=3)
    u = np.linspace(-1, 1, 100_001)
    up, down = ratio * (1 - u), 1 + u
    assert soft.asymmetry == pytest.approx(np.mean(np.abs(up - down) / (up + down)), abs=0.01)
    assert soft.symmetry == pytest.approx(0.6 * (ratio - 1) / (ratio + 1), abs=1e-5)


def test_one_direction_only() -> None:
    found = characterize(UpOnly(), devices=4)
    assert found.steps.asymmetry == pytest.approx(1)
    assert np.isnan(found.steps.symmetry).all()
    assert np.isnan(found.mean["up / down step at w = 0"]).all()
    assert found.parameters == {}


def test_parameters_are_those_drawn() -> None:
    device = SoftBounds(dw_min=Spread(0.002, d2d=0.2), up_down=Spread(1.2, d2d=0.05), w_max=Spread(0.6, d2d=0.1))
    found = characterize(device, devices=500)
    dw, top = found.parameters["dw_min"][0], found.parameters["w_max"][0]
    assert dw.mean() == pytest.approx(0.002, rel=0.03)
    assert dw.std() == pytest.approx(0.0004, rel=0.1)
    np.testing.assert_allclose(found.drawn["step at w = 0"][0], dw, rtol=1e-5)
    np.testing.assert_allclose(found.drawn["highest state"][0], top, rtol=0.05)
    assert "highest state" not in found.parameters  # it is w_max, which is shown
    assert found.mean["up / down step at w = 0"] == pytest.approx(1.2, rel=1e-5)
    ratio = found.parameters["up / down step at w = 0"][0]
    assert np.median(ratio) == pytest.approx(1.2, rel=0.02)


def test_shorter_response_does_not_shorten_the_range() -> None:
    device = ConstantStep(dw_min=Spread(0.01), **BOUNDS)
    short, whole = characterize(device, 20, devices=5), characterize(device, devices=5)
    assert short.response.turn == 20
    np.testing.assert_array_equal(short.steps.device_high, whole.steps.device_high)


@pytest.mark.parametrize("row", catalogue.devices(), ids=lambda row: row.name)
def test_every_published_device_has_numbers(row: catalogue.Published) -> None:
    found = characterize(row.device, devices=20)
    assert np.isfinite(found.response.mean).all()
    assert (found.response.low <= found.response.high).all()
    for values in (found.states.by_step, found.states.pulses_up, found.states.distinct, found.steps.asymmetry):
        assert np.isfinite(values).all()
        assert (values >= 0).all()
    if hasattr(row.device, "w_min"):
        width = row.device.w_max.mean - row.device.w_min.mean
        assert found.steps.high - found.steps.low == pytest.approx(width, rel=0.05)
    if row.device.shifted:
        assert found.steps.symmetry == pytest.approx(0, abs=1e-3)


def test_a_law_that_leaves_the_numbers_is_named() -> None:
    with pytest.raises(LawError, match=r"Doubling.pulse gives NaN or infinity"), np.errstate(all="ignore"):
        characterize(Doubling(), devices=3)


def test_an_argument_that_cells_do_not_give_is_named() -> None:
    class Missing(UpOnly):
        """Lacks an argument."""

        def cells(self, draw: Any) -> dict[str, Any]:
            return {"sise": 0.1}

        def granularity(self, chips: int = 1) -> np.ndarray:
            return np.full(chips, 0.1)

    with pytest.raises(LawError, match=r"takes size, which cells\(\) does not return; it returns sise"):
        characterize(Missing(), devices=3)
