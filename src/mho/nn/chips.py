"""Chips in the batch dimension: repeat a batch over chips, split outputs by chip, sum losses over chips."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from mho.errors import ShapeError


def spread(x: Tensor, chips: int) -> Tensor:
    """Return a batch (batch, ...) repeated for every chip, (chips * batch, ...), chip-major: all of chip 0 first."""
    if chips == 1:
        return x
    return x.unsqueeze(0).expand(chips, *x.shape).reshape(chips * x.shape[0], *x.shape[1:])


def per_chip(y: Tensor, chips: int) -> Tensor:
    """Return outputs (chips * batch, ...) as (chips, batch, ...); raise ShapeError where they do not divide."""
    if y.shape[0] % chips:
        raise ShapeError(f"{y.shape[0]} outputs cannot be split over {chips} chips; was the input made by mho.spread?")
    return y.reshape(chips, y.shape[0] // chips, *y.shape[1:])


def chip_loss(loss: Callable[[Tensor, Tensor], Tensor], out: Tensor, y: Tensor, chips: int | None = None) -> Tensor:
    """Return the sum over chips of each chip's loss, so that every chip learns as it would alone.

    `out` is (chips * batch, ...); `y` the targets of one batch (then the number of chips follows from the sizes) or of
    all chips (then give `chips`). The result has no dimensions; a mean over chips would divide the learning rate by
    their number. Raises ShapeError for targets that fit neither.
    """
    n = chips if chips is not None else max(1, out.shape[0] // max(1, y.shape[0]))
    if y.shape[0] not in (out.shape[0], out.shape[0] // n):
        raise ShapeError(
            f"{out.shape[0]} outputs of {n} chip(s) need {out.shape[0] // n} targets, or {out.shape[0]} for all chips, "
            f"found {y.shape[0]}; repeat inputs with mho.spread(x, chips) and give the targets of one batch"
        )
    outputs = per_chip(out, n)
    targets = per_chip(y, n) if y.shape[0] == out.shape[0] and n > 1 else y.unsqueeze(0).expand(n, *y.shape)
    return torch.stack([loss(o, t) for o, t in zip(outputs, targets, strict=True)]).sum()
