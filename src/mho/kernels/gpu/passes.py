"""Plain passes over tensors on a GPU: patches of images, normal draws, and the leak of devices."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from mho.kernels.gpu.compiling import changed, counter, kernels, power_of_two, start
from mho.kernels.gpu.zero import ticking

BLOCK = 1024
"""Numbers of a program."""

_inverses = WeakTensorKeyDictionary()


def unfold(images: Tensor, start_: Tensor, offset: Tensor) -> Tensor:
    """Return patches (images, positions, elements) of flattened padded images (images, size), may be strided."""
    images = images.contiguous()
    count, size = images.shape
    positions, elements = start_.numel(), offset.numel()
    out = torch.empty(count, positions, elements, device=images.device)
    block = power_of_two(elements, 16, 256)
    vectors = BLOCK // block
    if out.numel():
        start(
            _passes().unfold, (-(-count * positions // vectors), -(-elements // block)), images, start_, offset, out,
            count, positions, elements, size, VECTORS=vectors, BLOCK=block,
        )  # fmt: skip
    return out


def fold(patches: Tensor, size: int, start_: Tensor, offset: Tensor) -> Tensor:
    """Return the sum of patches (images, positions, elements) into flattened images (images, size).

    A pixel's sum has a fixed order, that of the CPU: no atomics.
    """
    count = patches.shape[0]
    ends, order = _inverse(start_, offset, size)
    out = torch.empty(count, size, device=patches.device)
    block = power_of_two(size, 32, BLOCK // 4)
    if out.numel():
        start(
            _passes().fold, (count, -(-size // block)), out, patches.contiguous(), ends, order, size,
            start_.numel() * offset.numel(), BLOCK=block,
        )  # fmt: skip
    return out


def _inverse(start_: Tensor, offset: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Return for every pixel which elements of an image's patches lie on it: order[ends[i] : ends[i + 1]], rising."""
    known = _inverses.get(start_)
    if known is not None and known[0] is offset and known[1] == size:
        return known[2], known[3]
    places = (start_[:, None] + offset[None, :]).flatten()
    found, order = torch.sort(places, stable=True)
    ends = torch.searchsorted(found, torch.arange(size + 1, dtype=found.dtype, device=found.device), out_int32=True)
    order = order.to(torch.int32)
    _inverses[start_] = (offset, size, ends, order)
    return ends, order


def normals(keys: Tensor, shape: tuple[int, ...], call: int = 0, tick: Tensor | None = None) -> Tensor:
    """Return standard normal draws of shape (chips, ...), chip c under key c, other ones for every call number."""
    out = torch.empty(shape, device=keys.device)
    if not out.numel():
        return out
    size = out.numel() // shape[0]
    pieces = -(-size // BLOCK)
    start(
        _passes().normals, (shape[0] * pieces,), out, keys.contiguous(), ticking(tick, keys.device), size, pieces,
        counter(call), BLOCK=BLOCK,
    )  # fmt: skip
    return out


def leak_(state: Tensor, keep: Tensor, reset: Tensor) -> None:
    """Move every device towards its reset value, in place: w <- r + (w - r) keep; keep, reset per device or chip."""
    total = state.numel()
    if not total:
        return
    start(
        _passes().leak, (-(-total // BLOCK),), state, keep, reset, total, total // state.shape[0],
        KEEPS=int(keep.dim() > 1), RESETS=int(reset.dim() > 1), BLOCK=BLOCK,
    )  # fmt: skip
    changed(state)


def _passes() -> Any:
    return kernels("triton_passes")
