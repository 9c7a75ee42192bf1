"""Compensation of drift: what an array answers to calibration inputs now, against just after it was programmed."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mho.inference.settings import Compensation

MOST = 100.0
"""The largest factor: what is left of a smaller answer is noise."""


def factors(before: Sequence[Tensor], after: Sequence[Tensor], kind: Compensation) -> list[Tensor]:
    """Return for every array what its outputs are to be multiplied by, (chips, 1 or rows, 1); 1 for kind "none".

    before, after: the weights that each array of a model shows, (chips, rows, columns), just after programming and now,
    with the noise of reading. The calibration inputs drive one input line after another, with 1, so that an answer y is
    a column of what the array shows. The factor is the least-squares estimate of what the answers shrank by,

        factor = sum y_before^2 / sum y_before y_after

    over an array ("tile"), one output line of an array, whose weighted sum one converter reads ("column"), or all
    arrays of a chip ("global"). Noise of the later reading averages out; that of the first one makes the factor too
    large by its share of the power. It is 1 where no answer was there before or none is left, and at most 100.
    """
    if kind == "none":
        return [b.new_ones(b.shape[0], 1, 1) for b in before]
    pairs = zip(before, after, strict=True)
    sums = [torch.stack([(b * b).sum(2), (b * a).sum(2)]).double() for b, a in pairs]
    if kind == "global":
        whole = sum(s.sum(2, keepdim=True) for s in sums)
        return [_factor(whole) for _ in sums]  # type: ignore[arg-type]
    return [_factor(s if kind == "column" else s.sum(2, keepdim=True)) for s in sums]


def _factor(sums: Tensor) -> Tensor:
    then, now = sums
    seen = (then > 0) & (now > 0)
    ratio = then / torch.where(seen, now, torch.ones_like(now))
    return torch.where(seen, ratio.clamp_max(MOST), torch.ones_like(ratio)).float().unsqueeze(2)
