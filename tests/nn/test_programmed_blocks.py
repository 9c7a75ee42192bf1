"""What a layer does while its blocks show programmed conductances in place of their arrays."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import mho
from mho.errors import MhoError
from mho.nn import AnalogConv2d, AnalogLinear

IDEAL = mho.preset("ideal")


class Shown(nn.Module):
    """Shows a constant in place of the arrays of a block."""

    def __init__(self, visible: Tensor) -> None:
        super().__init__()
        self.register_buffer("visible", visible)


def put(layer: mho.AnalogLayer, value: float) -> None:
    """Program every block of a layer to a constant."""
    for grid in layer.grid_list:
        for block in grid.block_list:
            block.programmed = Shown(torch.full_like(block.visible, value))


def layers() -> list[mho.AnalogLayer]:
    """Return a linear layer on several tiles and a convolution."""
    config = IDEAL.with_({"mapping.max_rows": 3, "mapping.max_columns": 4})
    return [
        AnalogLinear(6, 5, config=config, name="fc", chips=2),
        AnalogConv2d(1, 2, 3, config=IDEAL, name="conv", chips=2),
    ]


@pytest.mark.parametrize("layer", layers(), ids=["linear", "conv"])
def test_products_forward_and_back_see_programmed_conductances_and_the_arrays_again_without(layer):
    x = torch.rand(4, 6) if isinstance(layer, AnalogLinear) else torch.rand(4, 1, 3, 3)
    x.requires_grad_(True)
    trained = layer(x).detach()
    put(layer, 0.25)
    y = layer(x)
    expected = 0.25 * (x.detach().flatten(1).sum(1) + 1.0)  # the bias column shows 0.25 too
    torch.testing.assert_close(y.flatten(1), expected.unsqueeze(1).expand(4, y[0].numel()))
    (back,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(back, torch.full_like(x, 0.25 * y[0].numel()))
    assert torch.equal(layer.get_weights()[0], torch.full_like(layer.get_weights()[0], 0.25))
    for grid in layer.grid_list:
        for block in grid.block_list:
            block.programmed = None
    assert torch.equal(layer(x), trained)


def test_a_programmed_layer_refuses_pulses_and_moves_nothing():
    layer = layers()[0]
    opt = mho.optim.AnalogSGD(layer.parameters(), lr=0.1)
    put(layer, 0.25)
    layer(torch.rand(4, 6)).sum().backward()
    before = [tile.state.clone() for tile in layer.analog_tiles()]
    with pytest.raises(MhoError, match=r"layer 'fc' is programmed.*mho\.restore\(model\)"):
        opt.step()
    assert all(torch.equal(a, tile.state) for a, tile in zip(before, layer.analog_tiles(), strict=True))


def test_weights_are_not_set_where_they_would_not_be_seen():
    layer = layers()[0]
    put(layer, 0.25)
    with pytest.raises(MhoError, match=r"layer 'fc' is programmed.*mho\.restore\(model\)"):
        layer.set_weights(torch.zeros(5, 6), torch.zeros(5))


def test_programmed_conductances_are_part_of_the_state():
    layer = layers()[0]
    put(layer, 0.25)
    assert any(".programmed.visible" in name for name in layer.state_dict())
