"""The fuse: one layer's NaN or infinity leaves every layer unmoved, and no number comes to the host for it."""

from __future__ import annotations

from torch import Tensor

from mho.kernels.cells import Fuse
from mho.kernels.gpu.compiling import kernels, start

BLOCK = 1024
"""Numbers of a program."""


def check(fuse: Fuse | None, *tensors: Tensor) -> None:
    """Blow a layer's fuse where one of these float32 tensors holds NaN or infinity; nothing without a fuse."""
    if fuse is None:
        return
    for tensor in tensors:
        if size := tensor.numel():
            kernel = kernels("triton_finite").finite
            start(kernel, (-(-size // BLOCK),), tensor.contiguous(), fuse.flags, fuse.place, size, BLOCK=BLOCK)


def fuses(fuse: Fuse | None) -> int:
    """Return how many flags a kernel looks at."""
    return 0 if fuse is None else fuse.flags.numel()
