"""Portions of a prepared update: some of its vectors, and of these some of the lines, with other signs."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor

from mho.update.apply import Move, Prepared


def portion(
    step: Prepared, vectors: tuple[int, int], factors: Tensor, by: Literal["columns", "rows"]
) -> Prepared:  # fmt: skip
    """Return the update by vectors first to last, whose input (or, by rows, error) lines are multiplied by factors.

    factors: (chips or 1, vectors or 1, lines), 1, -1, or 0 for what another portion holds. Draws are keyed by cell and
    vector and rates stay those of the whole, so the portions of an update have the pulses of the whole.
    """
    return Prepared(step.tile, step.scheme, [_move(move, vectors, factors, by) for move in step.moves])


def _move(move: Move, vectors: tuple[int, int], factors: Tensor, by: str) -> Move:
    first, last = vectors
    s, rates = move.samples, move.rates
    whole = last - first == s.x.shape[1]
    x, d = (s.x, s.d) if whole else (s.x[:, first:last], s.d[:, first:last])
    factor = factors[move.chips] if factors.shape[0] > 1 else factors
    bias = s.bias
    if by == "columns":
        if bias:  # the input of the bias is multiplied, too
            x, bias = torch.cat((x, x.new_ones(*x.shape[:2], 1)), dim=2), False
        x = x * factor
    else:
        d = d * factor
    if rates is not None and not whole:
        cut = {
            name: getattr(rates, name).view(s.x.shape[:2])[:, first:last].flatten().contiguous()
            for name in ("x_rate", "d_rate", "length")
        }
        rates = replace(rates, **cut)
    samples = replace(s, x=x.contiguous(), d=d.contiguous(), bias=bias, first=s.first + first)
    return Move(move.trains, move.chips, samples, rates)
