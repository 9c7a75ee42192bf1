"""Rounding that gradients pass straight through: converters and weights on levels, as training sees them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class _Rounded(torch.autograd.Function):
    """Round to the nearest whole number, ties to even; the gradient passes straight through (Bengio et al. 2013)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.round()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad


def rounded(x: Tensor) -> Tensor:
    """Return x rounded to whole numbers, with the gradient of x itself."""
    out: Tensor = _Rounded.apply(x)
    return out


def converted(x: Tensor, reach: Tensor, bits: int | None) -> Tensor:
    r"""Return x clipped to +-reach and, with bits, on 2^bits - 2 steps over that range, zero among them.

    $$y = r \frac{\mathrm{round}(n\,\mathrm{clip}(x/r, -1, 1))}{n}, \qquad n = 2^{b-1} - 1$$

    Gradients, with rounding passed straight through: dy/dx = 1 inside the range and 0 outside; dy/dr = y/r - x/r inside
    and the sign of x outside, which is learned step size quantisation (Esser et al., ICLR 2020) and, without bits,
    PACT (Choi et al. 2018). reach: positive, broadcast to x.
    """
    inside = (x / reach).clamp(-1.0, 1.0)
    if bits is not None:
        steps = 2 ** (bits - 1) - 1
        inside = rounded(inside * steps) / steps
    return inside * reach


def on_levels(weight: Tensor, reach: Tensor, levels: int) -> Tensor:
    """Return weights on the nearest of `levels` values, evenly spaced over +-reach with both ends included.

    The gradient passes straight through, also for what lies beyond the ends. An even number of levels has none at 0.
    """
    steps = levels - 1
    on = ((weight.detach() / reach).clamp(-1.0, 1.0) + 1.0).mul_(steps / 2).round_().mul_(2 / steps).sub_(1.0)
    return straight(weight, on * reach)


def straight(weight: Tensor, seen: Tensor) -> Tensor:
    """Return the values of `seen` with the gradient of `weight`."""
    out: Tensor = _Straight.apply(weight, seen.detach())
    return out


class _Straight(torch.autograd.Function):
    """Other values, the gradient straight through."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, seen: Tensor) -> Tensor:
        return seen.view_as(seen)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad, None
