"""What ranks give each other before an optimizer moves anything: x and d of analog layers, and digital gradients."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from mho.errors import RankError
from mho.nn.layer import AnalogLayer
from mho.nn.ranks import Ranks, check_place

Kept = list[tuple[Tensor, int]]
"""Tensors, each with the dimension in which its samples lie."""


def exchange_(ranks: Ranks, layers: Sequence[AnalogLayer], params: Sequence[Tensor]) -> None:
    """Give every layer x and d of all ranks' samples, in the order of one process, and parameters the summed gradients.

    Raises RankError, naming what differs, where the ranks did not do the same; then nothing is changed.
    """
    for layer in layers:
        check_place(layer.device)
    kept = [part for layer in layers for part in layer.kept()]
    given = [p.grad for p in params if p.grad is not None]
    counts = _agreed(ranks, layers, kept, params)
    summed = [] if ranks.averaged else [g for g in given if g.dtype == torch.float32]
    whole, sums = _through(ranks, kept, counts, summed)
    at = 0
    for layer in layers:
        many = 2 * len(layer.pending)
        layer.replace_(whole[at : at + many])
        at += many
    for grad, total in zip(summed, sums, strict=True):
        grad.copy_(total)
    for grad in given:
        if not ranks.averaged and grad.dtype != torch.float32:
            grad.copy_(ranks.sum(grad))


def _agreed(ranks: Ranks, layers: Sequence[AnalogLayer], kept: Kept, params: Sequence[Tensor]) -> list[list[int]]:
    """Return how many vectors every rank has of every kept tensor; raise RankError where they cannot go together."""
    structure = _structure(layers, params, with_gradients=ranks.averaged)
    counts = [x.shape[dim] for x, dim in kept]
    marks = torch.tensor([zlib.crc32(repr(structure).encode()), zlib.crc32(repr(counts).encode())])
    found = torch.stack(ranks.collect(marks, [2] * ranks.size))
    if not bool((found[:, 0] == marks[0]).all()):
        raise RankError(_difference(ranks.objects(structure)))
    if bool((found[:, 1] == marks[1]).all()):
        return [counts] * ranks.size
    if ranks.part is None or ranks.even:
        raise RankError(_uneven(ranks.objects([(layer.name, len(layer.pending)) for layer in layers]), ranks, counts))
    each = ranks.collect(torch.tensor(counts), [len(counts)] * ranks.size)
    return [one.tolist() for one in each]


def _structure(
    layers: Sequence[AnalogLayer], params: Sequence[Tensor], *, with_gradients: bool
) -> dict[str, tuple[Any, ...]]:
    """Return by name what must be the same on all ranks in this step."""
    found: dict[str, tuple[Any, ...]] = {}
    for layer in layers:
        shapes = [tuple(x.shape[:dim] + x.shape[dim + 1 :]) for x, dim in layer.kept()]
        found[f"layer {layer.name!r}"] = (f"step {layer.analog_tiles()[0].steps}", f"x and d {shapes}")
    for number, p in enumerate(params):
        told: tuple[Any, ...] = (f"shape {tuple(p.shape)}", "no gradient" if p.grad is None else "a gradient")
        if with_gradients and p.grad is not None:
            told += (f"checksum {zlib.crc32(p.grad.detach().contiguous().numpy().tobytes()):08x} of its gradient",)
        found[f"digital parameter {number}"] = told
    return found


def _difference(structures: list[dict[str, tuple[Any, ...]]]) -> str:
    """Return in what the first rank that differs from rank 0 does so."""
    ours = structures[0]
    rank, theirs = next((r, s) for r, s in enumerate(structures) if s != ours)
    name = next(n for n in [*ours, *theirs] if ours.get(n) != theirs.get(n))
    told = [" ".join(map(str, s[name])) if name in s else "nothing" for s in (ours, theirs)]
    return (
        f"the ranks of one model must do the same in every step, but in this one {name} has {told[0]} on rank 0 and "
        f"{told[1]} on rank {rank}; nothing was moved. Run the same layers and steps on every rank; with ddp=True, "
        "call the model through torch's DistributedDataParallel"
    )


def _uneven(named: list[Any], ranks: Ranks, counts: list[int]) -> str:
    each = ranks.objects(counts)
    at = next(k for k in range(len(counts)) if len({one[k] for one in each}) > 1)
    names = [name for name, many in named[0] for _ in range(2 * many)]
    told = ", ".join(f"{one[at]} on rank {rank}" for rank, one in enumerate(each))
    return (
        f"a batch is divided evenly over the {ranks.size} ranks, but layer {names[at]!r} got other numbers of vectors "
        f"({told}); nothing was moved. Give all ranks as many samples: DistributedSampler(..., drop_last=True) and "
        "DataLoader(..., drop_last=True)"
    )


def _through(ranks: Ranks, kept: Kept, counts: list[list[int]], grads: list[Tensor]) -> tuple[list[Tensor], list[Any]]:
    """Return the whole of every kept tensor and the sum of every gradient, from one exchange."""
    own = [x.reshape(-1) for x, _ in kept] + [g.reshape(-1) for g in grads]
    if not own:
        return [], []
    shapes = [list(_shapes(kept, one)) for one in counts]
    extra = sum(g.numel() for g in grads)
    totals = [sum(_size(shape) for shape in rank) + extra for rank in shapes]
    flats = ranks.collect(torch.cat(own), totals)
    pieces: list[list[Tensor]] = []
    for flat, rank in zip(flats, shapes, strict=True):
        sizes = [*(_size(shape) for shape in rank), *(g.numel() for g in grads)]
        pieces.append(list(flat.split(sizes)))
    whole = [
        torch.cat([piece[k].view(shape[k]) for piece, shape in zip(pieces, shapes, strict=True)], dim=dim)
        for k, (_, dim) in enumerate(kept)
    ]
    sums = []
    for k, grad in enumerate(grads, len(kept)):
        total = pieces[0][k].clone()
        for piece in pieces[1:]:
            total += piece[k]
        sums.append(total.view(grad.shape))
    return whole, sums


def _shapes(kept: Kept, counts: list[int]) -> Iterator[list[int]]:
    """Return the shapes of the kept tensors on a rank that has so many vectors of each."""
    for (x, dim), count in zip(kept, counts, strict=True):
        yield [*x.shape[:dim], count, *x.shape[dim + 1 :]]


def _size(shape: list[int]) -> int:
    return int(torch.Size(shape).numel())
