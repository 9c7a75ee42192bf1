"""Exact products on a GPU in a chosen precision, and the copies of weights that bfloat16 takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef

ALIGNED = 8
"""Elements of bfloat16 in 16 bytes: tensor cores want rows of matrices to begin at multiples of it."""


@dataclass
class _Copy:
    """A bfloat16 copy of a tensor's memory, (chips, rows, columns) filled up with zeros to multiples of `ALIGNED`."""

    owner: StorageWeakRef
    version: int
    values: Tensor


_copies: dict[tuple[object, ...], _Copy] = {}
"""Copies by where their weights lie; those of weights that are gone go when the next copy is made."""


def operand(weights: Tensor, precision: str) -> Tensor:
    """Return what a product multiplies for weights (chips, rows, columns): themselves, or for "bf16" a copy.

    The copy has bfloat16 values and may have more columns, of zeros. It is kept until the weights change (their
    version), and shared with the transposed weights and with those without their last column; while a CUDA graph is
    captured it is made anew, as the graph has to do.
    """
    if precision != "bf16":
        return weights
    rows, columns = weights.shape[1:]
    if weights.stride(2) != 1 and weights.stride(1) == 1:
        return _whole(weights.transpose(1, 2)).transpose(1, 2)[:, :rows]
    return _whole(weights)[:, :rows, : _aligned(columns)]


def _whole(weights: Tensor) -> Tensor:
    """Return the copy of the whole rows that weights (chips, rows, columns) are a part of."""
    rows = weights.shape[1]
    pitch = weights.stride(1)
    if weights.stride(2) == 1 and rows > 1 and weights.stride(0) == rows * pitch:
        weights = _widened(weights, pitch)
    capturing = weights.is_cuda and torch.cuda.is_current_stream_capturing()
    if capturing or weights.is_inference():
        return _filled(_room(weights), weights)
    storage = StorageWeakRef(weights.untyped_storage())
    key = (storage.cdata, weights.storage_offset(), weights.shape, weights.stride(), weights.device)
    found = _copies.get(key)
    if found is not None:  # of this storage and no other: while one is weakly held, its address is not given again
        if found.version != weights._version:
            found.version = weights._version
            _filled(found.values, weights)
        return found.values
    for old in [k for k, copy in _copies.items() if copy.owner.expired()]:
        del _copies[old]
    made = _filled(_room(weights), weights)
    _copies[key] = _Copy(storage, weights._version, made)
    return made


def _widened(weights: Tensor, pitch: int) -> Tensor:
    """Return weights with the columns that follow in memory before the next row, such as the bias."""
    chips, rows, columns = weights.shape
    held = weights.untyped_storage().nbytes() // weights.element_size() - weights.storage_offset()
    if columns == pitch or chips * rows * pitch > held:
        return weights
    return weights.as_strided((chips, rows, pitch), weights.stride())


def _room(weights: Tensor) -> Tensor:
    chips, rows, columns = weights.shape
    shape = (chips, _aligned(rows), _aligned(columns))
    make = torch.empty if shape == weights.shape else torch.zeros
    return make(shape, dtype=torch.bfloat16, device=weights.device)


def _filled(room: Tensor, weights: Tensor) -> Tensor:
    room[:, : weights.shape[1], : weights.shape[2]].copy_(weights)
    return room


def _aligned(n: int) -> int:
    return -(-n // ALIGNED) * ALIGNED


def product(x: Tensor, weights: Tensor, precision: str) -> Tensor:
    """Return x (chips, vectors, columns) times transposed weights (chips, rows, columns), float32.

    For "bf16" both are bfloat16 (weights: an `operand`); sums are single precision.
    """
    with _units(precision):
        if precision != "bf16":
            if x.shape[0] > 1:
                return torch.bmm(x, weights.transpose(1, 2))
            return torch.mm(x[0], weights[0].t()).unsqueeze(0)
        if not x.is_cuda:  # Triton's interpreter: products of two bfloat16 numbers are exact in single precision
            return torch.bmm(x.float(), weights.float().transpose(1, 2))
        if x.shape[0] > 1:
            return torch.bmm(x, weights.transpose(1, 2), out_dtype=torch.float32)
        return torch.mm(x[0], weights[0].t(), out_dtype=torch.float32).unsqueeze(0)


def matmul(x: Tensor, weights: Tensor, precision: str) -> Tensor:
    """Return x (chips, vectors, columns) times transposed weights (chips, rows, columns), both float32."""
    if precision != "bf16":
        return product(x, weights, precision)
    taken = operand(weights, precision)
    inputs = x.to(torch.bfloat16)
    if taken.shape[2] > x.shape[2]:
        inputs = torch.nn.functional.pad(inputs, (0, taken.shape[2] - x.shape[2]))
    return product(inputs, taken, precision)


@contextmanager
def _units(precision: str) -> Iterator[None]:
    """Let matrices of float32 be multiplied as `precision` says, whatever torch was told for its own layers."""
    wanted = "tf32" if precision == "tf32" else "ieee"
    before = torch.backends.cuda.matmul.fp32_precision
    if precision == "bf16" or before == wanted or (before == "none" and wanted == "ieee"):
        yield
        return
    torch.backends.cuda.matmul.fp32_precision = wanted
    try:
        yield
    finally:
        torch.backends.cuda.matmul.fp32_precision = before
