"""With ideal periphery and update a layer is torch's: output, input gradient and one step of SGD."""

import copy

import pytest
import torch
from torch import nn

import mho
from mho.optim import AnalogSGD
from nn.networks import close, ideal

MAPPINGS = [
    {},
    {"max_rows": 3, "max_columns": 4},
    {"bias": "digital", "max_rows": 2},
    {"devices": 3, "combine": "average"},
    {"devices": 2, "combine": "sum", "max_columns": 5},
    {"scaling": "fixed", "scale": 0.5},
    {"scaling": "tile", "fill": 0.1, "max_rows": 3, "max_columns": 4},
    {"scaling": "output", "fill": 0.1},
    {"scaling": "output", "fill": 0.1, "bias": "digital", "max_columns": 3},
]


def name_of(mapping):
    return "-".join(f"{k}={v}" for k, v in mapping.items()) or "default"


def check_step(layer, x, config, *, lr=0.02):
    """Fail unless the analog copy of `layer` does on x what `layer` does."""
    plain = copy.deepcopy(layer)
    analog = mho.convert_to_analog(layer, config)
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    out, expected = analog(ours), plain(theirs)
    assert out.shape == expected.shape
    close(out, expected)
    d = torch.randn_like(expected)
    one, other = AnalogSGD(analog.parameters(), lr=lr), torch.optim.SGD(plain.parameters(), lr=lr)
    out.backward(d)
    expected.backward(d)
    close(ours.grad, theirs.grad)
    one.step()
    other.step()
    back = mho.convert_to_digital(analog)
    close(back.weight, plain.weight)
    if plain.bias is not None:
        close(back.bias, plain.bias)
    assert (back.weight - layer.weight).abs().max() > 1e-3  # it did move


@pytest.mark.parametrize("mapping", MAPPINGS, ids=name_of)
@pytest.mark.parametrize("bias", [True, False])
def test_linear(mapping, bias):
    check_step(nn.Linear(9, 7, bias=bias), torch.randn(5, 9), ideal(**mapping))


@pytest.mark.parametrize("shape", [(9,), (1, 9), (4, 9), (2, 3, 9), (0, 9)])
def test_linear_takes_any_leading_shape(shape):
    layer = nn.Linear(9, 7)
    analog = mho.convert_to_analog(layer, ideal())
    x = torch.randn(shape, requires_grad=True)
    out = analog(x)
    close(out, layer(x))
    out.sum().backward()
    assert x.grad.shape == x.shape


@pytest.mark.parametrize("mapping", MAPPINGS, ids=name_of)
def test_conv2d_mappings(mapping):
    check_step(nn.Conv2d(3, 4, 3, padding=1), torch.randn(2, 3, 6, 5), ideal(**mapping))


CONVOLUTIONS = {
    "stride": {"stride": 2},
    "uneven": {"kernel_size": (3, 1), "stride": (1, 2), "padding": (2, 0)},
    "dilation": {"dilation": 2, "padding": 2},
    "uneven dilation": {"kernel_size": (2, 3), "dilation": (1, 2)},
    "groups": {"groups": 2},
    "depthwise": {"groups": 4, "padding": 1},
    "same": {"padding": "same"},
    "same, even kernel": {"padding": "same", "kernel_size": 4},
    "same, dilated": {"padding": "same", "kernel_size": (4, 3), "dilation": (1, 3)},
    "valid": {"padding": "valid"},
    "reflect": {"padding": 2, "padding_mode": "reflect"},
    "replicate": {"padding": (1, 2), "padding_mode": "replicate"},
    "circular": {"padding": 1, "padding_mode": "circular"},
    "same, circular": {"padding": "same", "kernel_size": 4, "padding_mode": "circular"},
    "no bias": {"bias": False, "groups": 2, "stride": 2},
    "point": {"kernel_size": 1},
}


@pytest.mark.parametrize("options", CONVOLUTIONS.values(), ids=CONVOLUTIONS)
@pytest.mark.parametrize(
    "mapping", [{}, {"max_rows": 3, "max_columns": 7, "scaling": "tile", "fill": 0.1}], ids=name_of
)
def test_conv2d_geometry(options, mapping):
    options = {"kernel_size": 3} | options
    check_step(nn.Conv2d(4, 8, **options), torch.randn(2, 4, 9, 8), ideal(**mapping))


@pytest.mark.parametrize(
    "options", [{}, {"stride": 2, "padding": 1}, {"groups": 2, "dilation": 2}, {"padding": "same"}]
)
@pytest.mark.parametrize("dimensions", [1, 3])
def test_conv1d_and_3d(options, dimensions):
    kind = {1: nn.Conv1d, 3: nn.Conv3d}[dimensions]
    spatial = {1: (11,), 3: (5, 6, 7)}[dimensions]
    check_step(kind(2, 4, 3, **options), torch.randn(2, 2, *spatial), ideal(max_columns=10))


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_last_input(channels):
    layer = nn.Conv2d(channels, 4, 3)
    x = torch.randn(2, channels, 6, 5)
    check_step(layer, x.to(memory_format=torch.channels_last), ideal())
    check_step(layer, x.transpose(2, 3).contiguous().transpose(2, 3), ideal())
    check_step(
        nn.Conv3d(channels, 2, 2),
        torch.randn(2, channels, 3, 4, 5).to(memory_format=torch.channels_last_3d),
        ideal(),
    )


def test_input_sizes_may_change_between_calls():
    layer = nn.Conv2d(2, 3, 3)
    analog = mho.convert_to_analog(layer, ideal())
    small, large = torch.randn(2, 2, 5, 5), torch.randn(1, 2, 8, 6)
    outs = [analog(x) for x in (small, large, small)]
    for out, x in zip(outs, (small, large, small), strict=True):
        close(out, layer(x))
    plain = copy.deepcopy(layer)
    sum(o.sum() for o in outs[:2]).backward()
    (plain(small).sum() + plain(large).sum()).backward()
    AnalogSGD(analog.parameters(), lr=0.01).step()
    close(mho.convert_to_digital(analog).weight, plain.weight - 0.01 * plain.weight.grad, 1e-4)


def test_large_convolution_is_unfolded_in_blocks(monkeypatch):
    """A step of a convolution too large to unfold at once is the same, bit for bit."""
    torch.manual_seed(1)
    layer, x = nn.Conv2d(2, 3, 3), torch.randn(6, 2, 6, 6)
    results = []
    for limit in (1 << 24, 700):
        monkeypatch.setattr("mho.nn.conv.PATCH_ELEMENTS", limit)
        model = mho.convert_to_analog(layer, mho.AnalogConfig())
        out = model(x)
        opt = AnalogSGD(model.parameters(), lr=0.05)
        out.square().sum().backward()
        opt.step()
        results.append((out.detach(), model.weight.clone()))
    assert torch.allclose(results[0][0], results[1][0], atol=1e-5)
    assert (results[0][1] != results[1][1]).float().mean() < 0.02  # an ADC code may flip with the order of sums


SPLIT = {"max_columns": 4, "max_rows": 3}


@pytest.mark.parametrize(
    "mapping", [{}, SPLIT, {"scaling": "output", "fill": 0.1}, {"scaling": "tile", "fill": 0.1, **SPLIT}], ids=name_of
)
def test_learned_factors_and_conductances_move_by_their_own_gradients(mapping):
    """weight = scale x learned x conductance: torch finds the gradients of both, the scale is divided out."""
    analog = mho.convert_to_analog(nn.Linear(9, 7), ideal(learn_scale=True, **mapping))
    grid = analog.grids[0]
    with torch.no_grad():
        grid.learned.uniform_(0.5, 2.0)
    x, d = torch.randn(5, 9), torch.randn(5, 7)
    analog(x).backward(d)
    learned = grid.learned.detach().clone().requires_grad_()
    held = [block.visible[0].clone().requires_grad_() for block in grid.block_list]
    scale = torch.ones(grid.learned.shape[1], 7) if grid.scale is None else grid.scale[0]
    ones = torch.cat((x, torch.ones(5, 1)), dim=1)
    out = torch.zeros(5, 7)
    for k, (r0, r1), (c0, c1), j, biased in grid.spans:
        part = grid.row_parts.index((r0, r1))
        factor = learned[0, j, r0:r1] if mapping.get("scaling") == "output" else learned[0, j, part]
        product = ones[:, c0 : c1 + biased] @ held[k].T * factor * scale[j, r0:r1]
        out = out + nn.functional.pad(product, (r0, 7 - r1))
    out.backward(d)
    close(grid.learned.grad, learned.grad)
    AnalogSGD(analog.parameters(), lr=0.01).step()
    close(grid.learned.detach(), learned.detach() - 0.01 * learned.grad)
    for k, (r0, r1), _, j, _ in grid.spans:
        step = held[k].grad / scale[j, r0:r1].unsqueeze(1) ** 2
        close(grid.block_list[k].visible[0], held[k].detach() - 0.01 * step)


def test_frozen_layers_stay_frozen():
    """A layer whose weight needs no gradient is converted, passes errors on, and does not move."""
    net = nn.Sequential(nn.Linear(4, 5), nn.Linear(5, 6), nn.Linear(6, 2))
    for p in net[1].parameters():
        p.requires_grad_(False)
    model = mho.convert_to_analog(net, ideal())
    before = [layer.weight.clone() for layer in model]
    model(torch.randn(3, 4)).sum().backward()
    AnalogSGD(model.parameters(), lr=0.1).step()
    moved = [not torch.equal(layer.weight, b) for layer, b in zip(model, before, strict=True)]
    assert moved == [True, False, True]
    assert not copy.deepcopy(model)[1].pulses.requires_grad
