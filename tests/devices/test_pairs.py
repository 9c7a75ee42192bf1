"""One-sided pairs: what a pulse raises, the refresh, the jump, and weights written by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mho.devices import JumpStep, OneSided, PhaseChange, Spread
from mho.devices.base import MeanDraw, law_arguments
from mho.tiles.draw import TileDraw
from mho.tiles.tile import Tile

QUIET = {"c2c": 0.0}


class Pulsed:
    """The mean device of a pair, pulsed one by one."""

    def __init__(self, device, w=0.0, common=0.0):
        self.device = device
        cells = device.cells(MeanDraw())
        self.given = [np.float64(np.asarray(cells[n]).item()) for n in law_arguments(type(device))]
        self.w, self.common, self.refreshes = w, common, 0.0

    def pulse(self, up, xi=0.0, times=1):
        for _ in range(times):
            new = self.device.pulse(self.w, up, xi, self.common, self.refreshes, *self.given)
            self.w, self.common, self.refreshes = (float(v) for v in new)
        return self

    @property
    def sides(self):
        return self.common + max(self.w, 0.0), self.common + max(-self.w, 0.0)


def test_an_up_pulse_raises_one_side_and_a_down_pulse_the_other():
    pair = Pulsed(OneSided(dw_min=0.01, **QUIET))
    pair.pulse(True)
    assert pair.sides == pytest.approx((0.01, 0.0))
    pair.pulse(False, times=2)
    assert pair.sides == pytest.approx((0.01, 0.01 + 0.01 * 0.99))
    pair.pulse(True, xi=1.0)  # without noise, whatever is drawn
    assert pair.sides[0] == pytest.approx(0.01 + 0.01 * 0.99)


def test_steps_shrink_as_a_side_fills_and_end_at_its_range():
    pair = Pulsed(OneSided(dw_min=0.05, w_max=0.8, **QUIET)).pulse(True, times=40)
    assert pair.sides[0] == pytest.approx(0.8 * (1 - (1 - 0.05 / 0.8) ** 40))
    pair.pulse(True, times=2000)
    assert pair.sides[0] <= 0.8 + 1e-7
    assert pair.refreshes == 0  # the other side is empty: a refresh would free nothing


def test_a_refresh_keeps_the_weight_empties_the_smaller_side_and_is_counted():
    pair = Pulsed(OneSided(dw_min=0.01, w_max=2.0, **QUIET), w=0.98, common=0.51)  # 1.49 of 1.5, 0.51 of 0.5
    pair.pulse(False)
    assert pair.refreshes == 0
    before = pair.w
    pair.pulse(True, times=3)
    assert pair.refreshes == 0
    for _ in range(20):
        if pair.refreshes == 0:
            before = pair.w
            pair.pulse(True)
    assert (pair.refreshes, pair.common) == (1, 0)
    assert 0 < pair.w - before < 0.01  # the pulse itself, and nothing else
    assert pair.w == pytest.approx(1.5 - 0.51, abs=0.02)


def test_thresholds_are_shares_of_the_mean_range():
    for upper, lower, due in ((0.75, 0.25, False), (0.6, 0.25, True), (0.6, 0.45, False)):
        pair = Pulsed(OneSided(dw_min=0.001, upper=upper, lower=lower, **QUIET), w=0.25, common=0.4)
        assert (pair.pulse(True).refreshes == 1) == due


def test_refreshes_keep_a_pair_able_to_go_either_way():
    pair = Pulsed(OneSided(dw_min=0.02, **QUIET))
    for _ in range(500):
        pair.pulse(True).pulse(False)
    assert pair.refreshes > 2
    stuck = Pulsed(OneSided(dw_min=0.02, upper=2.0, **QUIET))
    for _ in range(500):
        stuck.pulse(True).pulse(False)
    assert stuck.refreshes == 0
    assert min(stuck.sides) > 0.99  # both full: no step is left
    assert abs(Pulsed(pair.device, pair.w, pair.common).pulse(True).w - pair.w) > 100 * abs(
        stuck.w - Pulsed(stuck.device, stuck.w, stuck.common).pulse(True).w
    )


@pytest.mark.parametrize("kind", [OneSided, JumpStep, PhaseChange])
@pytest.mark.parametrize("w", [-0.9, -0.2, 0.0, 0.4, 0.9])
def test_a_weight_written_by_hand_keeps_its_value_whatever_the_common_part_was(kind, w):
    device = kind(dw_min=1e-4, w_max=1.0, upper=2.0, **QUIET, **({"jump": 0.0} if kind is JumpStep else {}))
    step = 1e-4 * (1 + 28 * (kind is PhaseChange))
    for common in (0.0, 0.3, 0.99):
        after = Pulsed(device, w, common).pulse(True)
        assert 0 <= after.w - w <= step
        assert max(after.sides) <= 1 + 1e-9
        assert after.common <= 1 - abs(w) + step


def test_both_sides_have_spreads_of_their_own():
    device = OneSided(dw_min=Spread(0.01, d2d=0.3), w_max=Spread(1.0, d2d=0.1))
    sides = device.cells(TileDraw(0, (0,), "t", (1, 64, 64)))
    for one, other in (("a_up", "a_down"), ("top", "bottom")):
        assert abs(np.corrcoef(sides[one].ravel(), sides[other].ravel())[0, 1]) < 0.08
        assert abs(sides[one]).std() == pytest.approx(abs(sides[other]).std(), rel=0.1)


def curve(device, pulses):
    pair, read = Pulsed(device), [0.0]
    read += [pair.pulse(True).w for _ in range(pulses)]
    return np.array(read)


@pytest.mark.parametrize("delay", [0, 1, 5])
def test_the_jump_comes_once_after_its_delay(delay):
    with_jump = curve(JumpStep(dw_min=0.01, jump=0.3, delay=delay, **QUIET), 30)
    steps = np.diff(with_jump)
    assert np.flatnonzero(steps > 0.1).tolist() == [delay]
    assert steps[delay] == pytest.approx(0.3 + 0.01, abs=6e-4)
    without = curve(JumpStep(dw_min=0.01, jump=0.0, **QUIET), 30)
    np.testing.assert_allclose(with_jump[: delay + 1], without[: delay + 1])
    assert with_jump[-1] < 1


def test_the_jump_sets_the_dynamic_range_that_is_left_and_not_the_granularity():
    small, large = (curve(JumpStep(dw_min=0.01, jump=j, **QUIET), 3000) for j in (0.1, 0.6))
    assert small[-1] == pytest.approx(large[-1], abs=1e-6)
    assert small[-1] - small[1] == pytest.approx(0.89, abs=1e-3)
    assert large[-1] - large[1] == pytest.approx(0.39, abs=1e-3)
    assert JumpStep(dw_min=0.01, jump=0.6).granularity(2) == pytest.approx([0.01, 0.01])


def test_a_refreshed_side_jumps_again():
    pair = Pulsed(JumpStep(dw_min=0.01, jump=0.2, upper=0.5, lower=0.1, **QUIET), w=0.298, common=0.195)
    pair.pulse(True)
    assert (pair.refreshes, pair.common) == (0, pytest.approx(0.195))
    pair.pulse(True)
    assert (pair.refreshes, pair.common) == (1, 0)
    before = pair.w
    assert before - pair.pulse(False).w > 0.2


def test_the_first_pulse_jumps_whatever_its_noise():
    for xi in (-3.0, 0.0, 3.0):
        assert Pulsed(JumpStep(dw_min=0.01, jump=0.2, c2c=0.3)).pulse(True, xi).w > 0.2


def test_noise_does_not_let_a_side_slip_past_its_jump():
    device = JumpStep(dw_min=0.01, jump=0.2, delay=3, c2c=1.0)
    generator = np.random.default_rng(0)
    for _ in range(200):
        pair, largest = Pulsed(device), 0.0
        for _ in range(60):
            before = pair.w
            largest = max(largest, pair.pulse(True, generator.standard_normal()).w - before)
        assert largest > 0.15


def test_a_phase_change_step_decays_as_fitted_with_the_noise_of_the_fit():
    pair = Pulsed(PhaseChange(c2c=0.6))
    for g in (0.0, 0.5, 1.9):
        step = 0.01 * (1 + 27.235 * np.exp(-2.5 * g))
        quiet, noisy = (Pulsed(pair.device, g).pulse(True, xi).w for xi in (0.0, 0.5))
        assert quiet == pytest.approx(min(g + step, 2.0), rel=1e-6)
        if g < 1:
            assert noisy - quiet == pytest.approx(0.6 * (step + 0.042 + 0.108 * g) * 0.5, rel=1e-5)
    step = 0.01 * (1 + 27.235 * np.exp(-2.5 * 0.4))  # of G- = 0.4 beside G+ = 0.5
    quiet, noisy = (Pulsed(pair.device, 0.1, 0.4).pulse(False, xi).w for xi in (0.0, 1.0))
    assert quiet == pytest.approx(0.1 - step, rel=1e-5)
    assert quiet - noisy == pytest.approx(0.6 * (step + 0.042 + 0.108 * 0.4), rel=1e-5)


def test_a_tile_of_pairs_writes_keeps_and_counts():
    tile = Tile(OneSided(dw_min=Spread(0.01, d2d=0.3)), (8, 8), name="pairs")
    weights = torch.linspace(-0.5, 0.5, 64).view(1, 8, 8)
    assert tile.write_(weights).item() == 0
    torch.testing.assert_close(tile.visible, weights)
    names = [n for n in tile.state_dict() if n.startswith("extra_")]
    assert names == ["extra_common", "extra_refreshes"]
