"""Responses and step sizes of devices against what the laws give in closed form."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mho.characterize import pulses_across, response, steps_by_state
from mho.devices import ConstantStep, Device, SoftBounds, Spread, law
from mho.errors import ConfigError

PLAIN = {"w_max": Spread(0.6), "w_min": Spread(-0.6), "up_down": Spread(1.0)}


class Counting(Device):
    """Steps that halve after the fifth pulse: a law with extra state."""

    state = {"count": 0.0}  # noqa: RUF012

    def cells(self, draw: Any) -> dict[str, Any]:
        return {"size": 0.01}

    @law
    def pulse(w, up, xi, count, size):  # type: ignore[no-untyped-def]
        """Step, and count."""
        step = np.where(count < 5, size, size / 2)
        return w + np.where(up, step, -step), count + 1


def test_constant_steps_are_straight_lines() -> None:
    device = ConstantStep(dw_min=Spread(0.001), c2c=0.0, **PLAIN)
    found = response(device, 1300, devices=5)
    expected = np.where(
        found.pulses <= 1300, np.minimum(-0.6 + 0.001 * found.pulses, 0.6),
        np.maximum(0.6 - 0.001 * (found.pulses - 1300), -0.6),
    )  # fmt: skip
    np.testing.assert_allclose(found.mean[0], expected, atol=1e-6)
    np.testing.assert_array_equal(found.low, found.high)
    assert found.traces.shape == (1, 3, len(found.pulses))
    assert found.pulses[-1] == 2 * found.turn == 2600


def test_soft_bounds_are_approached_exponentially() -> None:
    device = SoftBounds(dw_min=Spread(0.006), c2c=0.0, **PLAIN)
    found = response(device, 400, devices=2)
    start = -0.6 * (1 - 0.99**400)
    up = found.pulses <= 400
    np.testing.assert_allclose(found.mean[0, up], 0.6 - (0.6 - start) * 0.99 ** found.pulses[up], atol=1e-6)


def test_symmetry_point_of_soft_bounds() -> None:
    device = SoftBounds(dw_min=Spread(0.002, d2d=0.3), up_down=Spread(1.2, d2d=0.05), w_max=Spread(0.6, d2d=0.1))
    found = steps_by_state(device, devices=100)
    beta = 0.2 / 2.2
    assert found.symmetry[0] == pytest.approx(2 * beta / ((1 + beta) / 0.6 + (1 - beta) / 0.6), abs=1e-6)
    assert np.isfinite(found.device_symmetry).mean() > 0.95
    assert np.nanmedian(found.device_symmetry) == pytest.approx(found.symmetry[0], abs=0.02)
    up = 0.002 * (1 + beta) * (1 - found.state / 0.6)
    np.testing.assert_allclose(found.up[0], up, rtol=1e-5)


@pytest.mark.parametrize("up_down", [1.0, 1.1])
def test_constant_steps_have_no_symmetry_point(up_down: float) -> None:
    found = steps_by_state(ConstantStep(up_down=Spread(up_down, d2d=0.02)), devices=50)
    assert np.isnan(found.symmetry).all()
    assert np.isnan(found.device_symmetry).all()
    assert found.balanced.tolist() == [up_down == 1.0]


def test_spread_noise_and_seed_show() -> None:
    device = ConstantStep()
    one, same = (response(device, 300, devices=50, seed=1) for _ in range(2))
    other = response(device, 300, devices=50, seed=2)
    np.testing.assert_array_equal(one.traces, same.traces)
    assert not np.array_equal(one.traces, other.traces)
    assert (one.high - one.low).min() > 0.01
    quiet = response(ConstantStep(c2c=0.0), 300, devices=50, seed=1)
    assert not np.array_equal(one.traces, quiet.traces)
    read = response(ConstantStep(write_noise=5.0), 300, devices=50, seed=1)
    assert 0.003 < (read.traces - one.traces).std() < 0.007


def test_chips_keep_their_own_parameters_and_draws() -> None:
    device = SoftBounds(dw_min=Spread([0.002, 0.008], d2d=0.3))
    both = response(device, 200, devices=20, chips=(0, 1))
    alone = response(SoftBounds(dw_min=Spread(0.008, d2d=0.3)), 200, devices=20, chips=(1,))
    np.testing.assert_allclose(both.mean[1], alone.mean[0], atol=1e-6)
    steps = steps_by_state(device, chips=(0, 1))
    middle = np.abs(steps.state).argmin()
    assert steps.up[1, middle] / steps.up[0, middle] == pytest.approx(4, rel=1e-5)


def test_extra_state_goes_along() -> None:
    assert pulses_across(Counting()) == 1000
    found = response(Counting(), 10, devices=1)
    # Five whole steps down, then halves: -0.05 - 5 x 0.005.
    assert found.mean[0, 0] == pytest.approx(-0.075)
    assert found.mean[0, 1] - found.mean[0, 0] == pytest.approx(0.005)
    assert steps_by_state(Counting(), 10).up[0] == pytest.approx(0.01)


def test_impossible_requests_are_refused() -> None:
    with pytest.raises(ConfigError, match="at least 1 pulse"):
        response(ConstantStep(), 0)
    with pytest.raises(ConfigError, match="at least one device"):
        response(ConstantStep(), 5, devices=0)
    with pytest.raises(ConfigError, match="2 values over chips"):
        response(SoftBounds(dw_min=Spread([0.001, 0.002])), 5, chips=(0, 1, 2))
