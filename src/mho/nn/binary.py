"""Binarised layers: weights and activations of +1 and -1, trained through latent weights (straight-through sign)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from mho.errors import ConfigError
from mho.kernels.product import normals
from mho.nn.drawn import Drawn
from mho.random import make_key


def signs(x: Tensor) -> Tensor:
    """Return +1 where x >= 0 and -1 elsewhere."""
    return torch.where(x >= 0, 1.0, -1.0).to(x)


class _StraightSign(torch.autograd.Function):
    """The sign, whose gradient is 1 where abs(x) <= 1 and 0 elsewhere."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return signs(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return grad * (x.abs() <= 1.0)


class _StraightFlip(torch.autograd.Function):
    """Signs times a mask of +1 and -1, with the gradient of what comes out: that of the bit as it was read."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, mask: Tensor) -> Tensor:
        return x * mask

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad, None


def straight_sign(x: Tensor) -> Tensor:
    """Return the signs of x, +1 at 0; the gradient passes where abs(x) <= 1 (straight-through estimator).

    Reference: Hubara, Courbariaux, Soudry, El-Yaniv & Bengio, Binarized Neural Networks, NeurIPS 2016, equation 4.
    """
    return _StraightSign.apply(x)


class Sign(nn.Module):
    """The activation of a binarised network: +1 or -1, with the straight-through gradient."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the signs of x."""
        return straight_sign(x)


class BitErrors(Drawn):
    """Flips a share `rate` of signs at every forward pass of training, so that a network learns to bear bit errors.

    The draws are keyed by (seed, name, call); calls are counted and saved, so a resumed training repeats. Gradients
    pass unchanged. When evaluating, nothing is flipped. Raises ConfigError unless 0 <= rate < 1/2.
    """

    def __init__(self, rate: float, *, seed: int, name: str) -> None:
        super().__init__([make_key(seed, 0, name, "bit errors")], "bit error call")
        self.rate, self.bound = checked_rate(rate), quantile(rate)

    def forward(self, x: Tensor) -> Tensor:
        """Return the signs x with errors in training, x itself otherwise."""
        if not self.training or self.rate == 0:
            return x
        z = self.draw((1, *x.shape), x.device)[0]
        return _StraightFlip.apply(x, torch.where(z < self.bound, -1.0, 1.0).to(x))


def checked_rate(rate: float) -> float:
    """Return a bit error rate; raise ConfigError unless 0 <= rate < 1/2."""
    if not (isinstance(rate, (int, float)) and 0 <= rate < 0.5):
        raise ConfigError(
            f"a bit error rate of {rate!r} was asked for, but a bit that is wrong half of the time holds "
            "nothing; give a share from 0 to below 0.5"
        )
    return float(rate)


def quantile(rate: float) -> float:
    """Return the standard normal number below which a share `rate` of draws lie."""
    from scipy.special import ndtri

    return float(ndtri(rate)) if rate > 0 else -math.inf


def flipped(stored: Tensor, rate: float, keys: Tensor) -> Tensor:
    """Return signs (chips, ...) int8 read from bits that are wrong independently with a probability.

    stored: the signs that were written, of any shape; keys: (chips, 2), from which each chip draws its errors.
    """
    z = normals(keys.to(stored.device), (len(keys), *stored.shape))
    return torch.where(z < quantile(checked_rate(rate)), -stored, stored).to(torch.int8)


class BinaryLinear(nn.Linear):
    """A linear layer that computes with the signs of its weight: y = x sign(W)^T (+ b).

    `weight` holds latent weights, which the optimizer moves; at each forward pass of training they are clipped to
    [-1, 1] first, so that none runs away from its sign. Unlike `torch.nn.Linear` it has no bias unless asked for: a
    batch normalisation usually follows. `errors`: what is done to the signs before the product (see `BitErrors`).
    Reference: Courbariaux et al., arXiv 1602.02830 (2016).
    """

    errors: nn.Module | None

    def __init__(self, in_features: int, out_features: int, bias: bool = False, **options: Any) -> None:
        super().__init__(in_features, out_features, bias=bias, **options)
        self.register_module("errors", None)

    def forward(self, x: Tensor) -> Tensor:
        """Return the product with the signs of the weight."""
        return nn.functional.linear(x, _binarised(self), self.bias)


class BinaryConv2d(nn.Conv2d):
    """A 2d convolution that computes with the signs of its weight; `weight` and `errors` as in `BinaryLinear`."""

    errors: nn.Module | None

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, bias: bool = False, **options: Any
    ) -> None:  # fmt: skip
        super().__init__(in_channels, out_channels, kernel_size, bias=bias, **options)
        self.register_module("errors", None)

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution with the signs of the weight."""
        return self._conv_forward(x, _binarised(self), self.bias)


def _binarised(layer: BinaryLinear | BinaryConv2d) -> Tensor:
    if layer.training:
        with torch.no_grad():
            layer.weight.clamp_(-1.0, 1.0)
    bits = straight_sign(layer.weight)
    return bits if layer.errors is None else layer.errors(bits)


def binary_layers(model: nn.Module) -> dict[str, BinaryLinear | BinaryConv2d]:
    """Return the binarised layers of a model by name."""
    return {name: m for name, m in model.named_modules() if isinstance(m, (BinaryLinear, BinaryConv2d))}


def train_with_errors_(model: nn.Module, rate: float, *, seed: int = 0) -> nn.Module:
    """Let all binarised layers of a model see bit errors of this rate in training, in place; return the model."""
    for name, layer in binary_layers(model).items():
        layer.errors = BitErrors(rate, seed=seed, name=name)
    return model


def stored_signs(model: nn.Module, read: Callable[[str, Tensor], Tensor]) -> dict[str, Tensor]:
    """Return what is read from memories that hold the signs of a model, by layer: for `mho.nn.stored.with_weights`.

    read(name, signs): gets a layer's signs and returns what every chip reads, (chips, ...) of the same shape.
    """
    return {name: read(name, signs(layer.weight.detach())) for name, layer in binary_layers(model).items()}
