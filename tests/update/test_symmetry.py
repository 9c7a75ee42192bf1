"""The symmetry point that is computed from a law is the one of closed forms, where there is one."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
import torch

from mho.devices import ConstantStep, Device, LinearStep, Spread, exp, law, maximum, minimum, where
from mho.update.symmetry import symmetry_points
from update.arrays import Rates, array, soft


@pytest.mark.parametrize("ratio", [0.5, 1.0, 1.5, 2.0, 3.0])
def test_the_mean_device_has_its_point_at_b_times_r_minus_1_over_r_plus_1(ratio):
    found = symmetry_points(array(soft(ratio, d2d=0.0)))
    assert not found.missing.any()
    np.testing.assert_allclose(found.points, 0.6 * (ratio - 1) / (ratio + 1), atol=2e-6)


@pytest.mark.parametrize("dw", [0.001, 0.05])
def test_every_device_has_its_own_point(dw):
    tile = array(soft(d2d=0.3, dw=dw), chips=(0, 1))
    found, exact = symmetry_points(tile), Rates(tile)
    fine = (exact.p < 1) & (exact.q < 1)  # a pulse of the others ends at the bound
    assert fine.mean() > 0.99
    assert not found.missing.numpy()[fine].any()
    np.testing.assert_allclose(found.points.numpy()[fine], exact.point[fine], atol=2e-6)


class Curved(Device):
    """Steps that fall exponentially up and linearly down, with a state that halves both: no closed form."""

    state: ClassVar = {"age": 1.0}
    dw_min: Spread = Spread(0.01, d2d=0.3)

    def cells(self, draw):
        return {"dw": draw(self.dw_min), "bottom": -1.0, "top": 1.0}

    @law
    def pulse(w, up, xi, age, dw, bottom, top):
        step = where(up, dw * exp(-2.0 * w), -dw * (1.0 + 0.5 * w)) * (1.0 + 0.0 * xi) / age
        return minimum(maximum(w + step, bottom), top), age


class Unbounded(Curved):
    """The same law without arrays named `bottom` and `top`."""

    def cells(self, draw):
        return {"dw": draw(self.dw_min), "low": -1.0, "high": 1.0}

    @law
    def pulse(w, up, xi, age, dw, low, high):
        step = where(up, dw * exp(-2.0 * w), -dw * (1.0 + 0.5 * w)) * (1.0 + 0.0 * xi) / age
        return minimum(maximum(w + step, low), high), age


@pytest.mark.parametrize("device", [Curved(), Unbounded()])
def test_a_law_without_closed_form_balances_at_its_point(device):
    found = symmetry_points(array(device))
    assert not found.missing.any()
    w = found.points.double().numpy()
    np.testing.assert_allclose(np.exp(-2 * w), 1 + 0.5 * w, rtol=1e-5)


def test_linear_steps_balance_at_their_point():
    device = LinearStep(
        up_down=Spread(1.2), gamma_up=Spread(0.8), gamma_down=Spread(0.6), w_max=Spread(1.0), w_min=-1.0
    )
    tile = array(device)
    points, missing = symmetry_points(tile)
    assert missing.float().mean() < 0.01
    w = points.double().numpy()
    up, down = (type(device).pulse(w, np.full(w.shape, d), np.zeros(w.shape), *_cells(tile)) - w for d in (True, False))
    np.testing.assert_allclose((up + down)[~missing.numpy()], 0, atol=1e-6 * np.abs(up).max())


def _cells(tile):
    from mho.devices.base import law_arguments

    arrays = [getattr(tile, f"cell_{n}").double() for n in law_arguments(type(tile.device))]
    return [(a.reshape(-1, 1, 1, 1) if a.dim() == 1 else a).numpy() for a in arrays]


def test_constant_steps_balance_nowhere_or_everywhere():
    device = ConstantStep(up_down=Spread(1.0, d2d=0.2))
    tile = array(device)
    found = symmetry_points(tile)
    low, high = tile.bounds()
    rising = tile.cell_a_up > tile.cell_a_down
    assert found.missing.all()  # that steps end at a wall makes no balance
    torch.testing.assert_close(found.points, torch.where(rising, high, low))
    even = symmetry_points(array(ConstantStep(up_down=Spread(1.0))))
    assert not even.missing.any()
    assert torch.equal(even.points, torch.zeros_like(even.points))
