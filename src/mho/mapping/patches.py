"""Convolutions as matrix products: every output position is a vector, the patch of the padded input it sees."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import torch
from torch import Tensor

from mho.errors import ShapeError
from mho.kernels.product import Patched, fold, unfold


@dataclass(frozen=True)
class Window:
    """The geometry of a convolution in any number of dimensions: kernel size, stride and dilation per dimension."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]

    def positions(self, spatial: tuple[int, ...]) -> tuple[int, ...]:
        """Return the output size for a padded input size; raise ShapeError where the kernel does not fit."""
        out = []
        for size, k, s, d in zip(spatial, self.kernel, self.stride, self.dilation, strict=True):
            reach = d * (k - 1) + 1
            if size < reach:
                raise ShapeError(
                    f"a kernel that reaches over {reach} values does not fit a padded input of {tuple(spatial)}; "
                    "give a larger input, more padding or a smaller kernel"
                )
            out.append((size - reach) // s + 1)
        return tuple(out)


@dataclass(frozen=True)
class Patches:
    """Where the patches of one input shape lie in memory: element k of patch p is at start[p] + offset[k].

    start: (positions,) int32; offset: (channels * kernel,) int32; size: elements of a padded image; output: positions
    per dimension.
    """

    start: Tensor
    offset: Tensor
    size: int
    output: tuple[int, ...]

    def to(self, device: torch.device) -> Patches:
        """Return the same patches, located on a device."""
        return replace(self, start=self.start.to(device), offset=self.offset.to(device))

    def take(self, images: Tensor) -> Tensor:
        """Return patches (images, positions, channels * kernel) of flattened padded images (images, size)."""
        return unfold(images, self.start, self.offset)

    def of(self, images: Tensor) -> Patched:
        """Return the patches of flattened padded images (chips, images, size), to be taken when they are multiplied."""
        return Patched(images, self.start, self.offset)

    def put(self, patches: Tensor) -> Tensor:
        """Return the sum of patches (images, positions, channels * kernel) in padded images (images, size)."""
        return fold(patches, self.size, self.start, self.offset)


def locate(window: Window, channels: tuple[int, int], shape: tuple[int, ...], channels_last: bool) -> Patches:
    """Return the patches of padded images of `shape` (channels, *spatial) that see channels first to last of them.

    The elements of a patch are ordered as a convolution's weight: channel, then kernel position. Raises ShapeError
    where the kernel does not fit.
    """
    spatial = shape[1:]
    output = window.positions(spatial)
    strides = np.cumprod((1, *spatial[::-1]))[:-1][::-1]
    pixel, channel = (shape[0], 1) if channels_last else (1, int(np.prod(spatial)))
    starts = _grid(output, window.stride, strides * pixel)
    kernel = _grid(window.kernel, window.dilation, strides * pixel)
    planes = np.arange(*channels) * channel
    offset = (planes[:, None] + kernel[None, :]).reshape(-1)
    return Patches(
        torch.from_numpy(starts.astype(np.int32)),
        torch.from_numpy(offset.astype(np.int32)),
        int(np.prod(shape)),
        output,
    )


def _grid(counts: tuple[int, ...], steps: tuple[int, ...], strides: np.ndarray) -> np.ndarray:
    return np.array(
        [sum(i * s * w for i, s, w in zip(at, steps, strides, strict=True)) for at in product(*map(range, counts))]
    )
