"""Analog layers with a sparse digital memory beside the array, whose output is added to the array's."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mho.nn import AnalogLayer, convert_to_digital
from mho.nn.conv import AnalogConv
from mho.nn.convert import PlainLayer

CONVOLUTIONS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}


class Adapted(nn.Module):
    r"""An analog layer and, beside its array, a digital value for some of its weights: y = analog(x) + S x.

    $$y_k = A_k(x_k) + S_k x_k, \qquad (S_k)_{ij} = q(v_{k,(i,j)}) \text{ at the chosen positions, else } 0$$

    with k the chip, A the product of the array with its converters and noise, and q the grid of `quantised`. The sparse
    product is exact. Inputs and outputs are those of the layer, chip-major.

    layer: the analog layer, left as it is. positions: (values,) int64, ascending, of the row-major weight matrix
    (out, in [+ 1 for a bias in the array]); a convolution's is (out channels, in channels per group x kernel).
    values: a parameter (chips, values), in weight units, 0 at first. bits: their width, None for float32.
    forward_vectors, backward_vectors: products of the layer so far on each chip, forward and (for inputs that need a
    gradient) backward.
    """

    positions: Tensor

    def __init__(self, layer: AnalogLayer, positions: Tensor, bits: int | None = 8) -> None:
        super().__init__()
        self.layer, self.bits = layer, bits
        self.register_buffer("positions", positions.to(layer.device))
        self.values = nn.Parameter(torch.zeros(len(layer.chips), positions.numel(), device=layer.device))
        self.forward_vectors = self.backward_vectors = 0
        self.train(layer.training)

    @property
    def size(self) -> int:
        """The number of weights in the layer's arrays of one chip."""
        return weights_of(self.layer)

    def forward(self, x: Tensor) -> Tensor:
        """Return the array's output plus that of the sparse memory; raise what the layer raises."""
        out: Tensor = self.layer(x)
        vectors = out.numel() // (self.layer.out_size * len(self.layer.chips))
        self.forward_vectors += vectors
        if torch.is_grad_enabled() and x.requires_grad:
            self.backward_vectors += vectors
        return out + self.correction(x) if self.positions.numel() else out

    def correction(self, x: Tensor) -> Tensor:
        """Return what the sparse memory adds for an input of the layer, in the type of `values`."""
        x, matrix = x.to(self.values.dtype), self.matrix()
        weight, bias = matrix, None
        if self.layer.array_bias:
            weight, bias = matrix[:, :, :-1], matrix[:, :, -1]
        if isinstance(self.layer, AnalogConv):
            return _convolve(x, weight, bias, self.layer)
        out = x.reshape(len(weight), -1, weight.shape[2]) @ weight.transpose(1, 2)
        if bias is not None:
            out = out + bias.unsqueeze(1)
        return out.reshape(*x.shape[:-1], weight.shape[1])

    def matrix(self) -> Tensor:
        """Return the quantised values in place, (chips, out, in [+ bias]), 0 elsewhere."""
        flat = self.values.new_zeros(len(self.values), self.size)
        full = flat.index_copy(1, self.positions, quantised(self.values, self.bits))
        return full.view(len(self.values), self.layer.out_size, -1)

    @torch.no_grad()
    def settle_(self) -> None:
        """Write the quantised values in place of those of the training: what the digital memory holds."""
        self.values.copy_(quantised(self.values, self.bits))

    @torch.no_grad()
    def to_digital(self, chip: int) -> nn.Module:
        """Return the plain layer of one chip with the sum of both as its weights, for `mho.convert_to_digital`."""
        plain, extra = convert_to_digital(self.layer, chip), self.matrix()[chip]
        assert isinstance(plain, PlainLayer)
        if self.layer.array_bias:
            assert plain.bias is not None
            plain.bias += extra[:, -1]
            extra = extra[:, :-1]
        plain.weight += extra.view_as(plain.weight)
        return plain

    def extra_repr(self) -> str:
        """Return the size of the memory for printing."""
        return f"values={self.positions.numel()} of {self.size}, bits={self.bits}"


class _OnGrid(torch.autograd.Function):
    """Round to whole steps; the gradient passes straight through."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, step: Tensor) -> Tensor:
        return (values / step).round() * step

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad, None


def quantised(values: Tensor, bits: int | None) -> Tensor:
    """Return values (chips, n) rounded to `bits` bits: whole numbers up to 2^(bits - 1) - 1 either way times a step.

    The step is shared by the values of a chip and layer: the smallest power of two at which the largest value fits
    (block floating point), so nothing is clipped and rounding again changes nothing. Gradients pass straight through.
    `bits` None returns the values. Source of the straight-through gradient: Bengio et al., arXiv 1308.3432 (2013).
    """
    if bits is None or values.shape[1] == 0:
        return values
    largest = values.detach().abs().amax(1, keepdim=True) / (2 ** (bits - 1) - 1)
    mantissa, exponent = torch.frexp(largest)  # mantissa in [0.5, 1): a power of two exactly at 0.5
    step = torch.ldexp(torch.ones_like(largest), exponent - (mantissa <= 0.5).to(exponent.dtype))
    return _OnGrid.apply(values, step)


def _convolve(x: Tensor, weight: Tensor, bias: Tensor | None, layer: AnalogConv) -> Tensor:
    """Return the convolution of every chip's part of x with its own weights (chips, out, in x kernel)."""
    if any(layer.padding):
        x = F.pad(x, layer.padding, mode="constant" if layer.padding_mode == "zeros" else layer.padding_mode)
    function = CONVOLUTIONS[layer.dimensions]
    kernels = weight.view(*weight.shape[:2], -1, *layer.kernel_size)
    outputs = [
        function(
            part, kernels[k], None if bias is None else bias[k],
            stride=layer.window.stride, dilation=layer.window.dilation, groups=layer.groups,
        )
        for k, part in enumerate(x.chunk(len(weight)))
    ]  # fmt: skip
    return torch.cat(outputs)


def weights_of(layer: AnalogLayer) -> int:
    """Return the number of weights that the arrays of one chip hold, with the biases that are in the array."""
    return layer.out_size * (layer.in_size + layer.array_bias)
