"""Exact products of chips' inputs and weights: on the CPU by the faster of torch's two libraries."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

LARGE = 1 << 20
"""Multiplications from which oneDNN is asked: below, its longer way in costs more than it gains."""


@lru_cache(maxsize=1)
def _linear() -> Callable[..., Tensor] | None:
    """Return oneDNN's x W^T, or None where torch was built without it.

    torch.mm is MKL's, which does not use AVX-512 on AMD's processors: there oneDNN is twice as fast.
    """
    if not torch.backends.mkldnn.is_available():
        return None
    packet = getattr(torch.ops.mkldnn, "_linear_pointwise", None)
    return None if packet is None else packet.default


def matmul(x: Tensor, weights: Tensor, out: Tensor | None = None, *, precision: str = "float32") -> Tensor:
    """Return x (chips, vectors, columns) times the transposed weights (chips, rows, columns).

    `out`: room for the result, (chips, vectors, rows), that may be used. precision: "float32", "bf16" (both rounded to
    bfloat16, the result not), or "tf32", which on a CPU is "float32".
    """
    if x.is_cuda:
        from mho.kernels.gpu.matmul import matmul as on_gpu

        return on_gpu(x, weights, precision)
    if precision == "bf16":
        x, weights = x.bfloat16().float(), weights.bfloat16().float()
    if x.shape[0] > 1:
        return torch.bmm(x, weights.transpose(1, 2), out=out)
    matrix = weights[0]
    linear = _linear() if x.shape[1] * matrix.numel() >= LARGE and _dense(matrix) else None
    if linear is not None:
        return linear(x[0], matrix, None, "none", [], "").unsqueeze(0)
    return torch.mm(x[0], matrix.t(), out=None if out is None else out[0]).unsqueeze(0)


def _dense(matrix: Tensor) -> bool:
    """Return whether a matrix fills its memory; for others, as without a bias column, oneDNN is 20 times slower."""
    return matrix.is_contiguous() or matrix.t().is_contiguous()
