"""A tile with reference devices: what a product sees, pulses, writing, and saving."""

from __future__ import annotations

import pytest
import torch

from mho.devices import SoftBounds, Spread
from mho.errors import NotFiniteError, ShapeError
from mho.tiles.tile import Tile
from mho.update import Update
from mho.update.apply import apply_update_, prepare_update


def tile(gains=(1.0,), **fields):
    return Tile(SoftBounds(dw_min=0.01, **fields), (5, 7), name="t", chips=(0, 1), gains=gains)


def step_(t, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x, d = torch.randn(2, 3, 7, generator=generator), torch.randn(2, 3, 5, generator=generator)
    apply_update_(prepare_update(t, x, d, torch.full((2,), 20.0), update=Update()))
    t.rest_()


@pytest.mark.parametrize("gains", [(1.0,), (2.0, 0.5)])
@pytest.mark.parametrize("write_noise", [0.0, 0.5])
def test_products_see_the_difference_to_the_reference(gains, write_noise):
    t, plain = tile(gains, write_noise=write_noise), tile(gains, write_noise=write_noise)
    reference = 0.1 * torch.randn(t.state.shape, generator=torch.Generator().manual_seed(1))
    t.set_reference_(reference)
    for one in (t, plain):
        step_(one)
    assert torch.equal(t.state, plain.state)  # a reference moves nothing
    expected = plain.visible - (reference * torch.tensor(gains).view(1, -1, 1, 1)).sum(1)
    torch.testing.assert_close(t.visible, expected, rtol=0, atol=1e-6)


def test_writing_goes_to_the_reference_plus_the_weight_within_the_devices_own_bounds():
    t = tile(w_max=Spread(0.6), w_min=Spread(-0.6))
    t.set_reference_(torch.full(t.state.shape, 0.2))
    clipped = t.write_(torch.full((2, 5, 7), 0.3))
    assert clipped.tolist() == [0.0, 0.0]
    torch.testing.assert_close(t.state, torch.full(t.state.shape, 0.5))
    torch.testing.assert_close(t.visible, torch.full((2, 5, 7), 0.3))
    assert t.write_(torch.full((2, 5, 7), 0.5)).tolist() == [1.0, 1.0]  # only 0.4 is left above the reference
    torch.testing.assert_close(t.visible, torch.full((2, 5, 7), 0.4))


def test_references_are_saved_and_loaded_with_the_tile():
    t, other = tile(), tile()
    t.set_reference_(torch.full(t.state.shape, 0.2))
    step_(t)
    other.load_state_dict(t.state_dict())
    for one in (t, other):
        step_(one, 1)
    assert torch.equal(t.visible, other.visible)
    fresh = tile()
    other.load_state_dict(fresh.state_dict())
    assert other.reference is None
    assert torch.equal(other.visible, fresh.visible)


def test_impossible_references_are_refused():
    t = tile()
    with pytest.raises(ShapeError, match="references"):
        t.set_reference_(torch.zeros(2, 5, 7))
    with pytest.raises(NotFiniteError, match="references"):
        t.set_reference_(torch.full(t.state.shape, float("nan")))
    assert t.reference is None
