"""The analog product on the CPU: inputs are prepared, torch multiplies, outputs are finished; and what convolutions need."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mho.kernels.build import plain_kernels
from mho.kernels.cpu import entry, workspace
from mho.kernels.launch import arguments, launch, threads

PARALLEL = 16_384
"""Elements from which a pass over them is shared by threads: below, entering the pool costs more than it gains."""


@dataclass
class Converters:
    """The constants of one product's periphery, per chip, in the form that the kernels read.

    table: (chips, 16) float32: input range, DAC step, 1/step, input noise, scale, -, -, -,
    output bound, ADC step, 1/step, output noise, weight noise squared, -, -, -.
    """

    table: Tensor
    scaled: bool
    dac: bool
    dac_stochastic: bool
    input_noise: bool
    bounded: bool
    adc: bool
    adc_stochastic: bool
    output_noise: bool
    weight_noise: bool


@dataclass
class Draws:
    """Where a product's noise is drawn: keys (chips, 2), the number of the call, the repeat and the first vector."""

    keys: Tensor
    call: int
    repeat: int = 0
    first: int = 0


def _arguments(name: str, total: int, vectors: int, width: int, work: int) -> tuple[np.ndarray, int, int]:
    a, address = arguments(name)
    workers = threads() if work > PARALLEL else 1
    a[2:5] = (total, vectors, width)
    a[10] = total if workers == 1 else max(1, total // (4 * workers))
    return a, address, workers


def _run(name: str, a: np.ndarray, address: int, workers: int) -> None:
    """Enter a kernel; its tickets stand at the end of its arguments, away from what the threads read."""
    a[0], a[1] = address + 8 * 80, address + 8 * 81
    launch(entry(plain_kernels("product"), name), address, workers)


def peaks(x: Tensor, bias: bool) -> tuple[Tensor, bool]:
    """Return the largest abs(x) of every vector, (chips, vectors), and whether all of x is finite."""
    chips, vectors, width = x.shape
    out = torch.empty(chips, vectors)
    a, at, workers = _arguments("peaks", chips * vectors, vectors, width, x.numel())
    a[5:10] = (bias, x.stride(0), x.stride(1), x.data_ptr(), out.data_ptr())
    _run("peaks", a, at, workers)
    return out, a[11] == 0


def prepare(
    x: Tensor, bias: bool, converters: Converters, draws: Draws, *, factors: Tensor | None = None,
    which: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor, bool]:  # fmt: skip
    """Return the array's inputs (chips, vectors, width + bias), scales, squared norms, and whether x was finite.

    `factors`: (chips, vectors), by which the scales are multiplied. `which`: (chips, vectors) int64, the vectors of x.
    """
    chips, vectors, width = x.shape
    if which is not None:
        vectors = which.shape[1]
    out = torch.empty(chips, vectors, width + bias)
    scales = torch.empty(chips, vectors)
    norms = torch.empty(chips, vectors) if converters.weight_noise else scales
    a, at, workers = _arguments("prepare", chips * vectors, vectors, width, out.numel())
    a[5:10] = (bias, x.stride(0), x.stride(1), x.data_ptr(), scales.data_ptr())
    a[12:19] = (
        out.data_ptr(), norms.data_ptr(), converters.table.data_ptr(), draws.keys.data_ptr(),
        draws.call, draws.repeat, draws.first,
    )  # fmt: skip
    a[19:24] = (
        converters.scaled, converters.dac, converters.input_noise, converters.dac_stochastic,
        converters.weight_noise,
    )  # fmt: skip
    a[24] = factors.data_ptr() if factors is not None else 0
    a[26] = which.data_ptr() if which is not None else 0
    _run("prepare", a, at, workers)
    return out, scales, norms, a[11] == 0


def finish_(
    y: Tensor, scales: Tensor, norms: Tensor, converters: Converters, draws: Draws, out: Tensor, *, adding: bool,
    which: Tensor | None = None,
) -> tuple[Tensor, int]:  # fmt: skip
    """Write (or add) finished outputs into `out`; return which vectors reached the bound and how many.

    y: (chips, vectors, rows), changed in place. `which`: (chips, vectors) int64, the vector of `out` that each row is.
    """
    chips, vectors, rows = y.shape
    saturated = torch.empty(chips, vectors, dtype=torch.uint8)
    a, at, workers = _arguments("finish", chips * vectors, vectors, rows, y.numel())
    a[6:10] = (out.stride(0), out.stride(1), y.data_ptr(), scales.data_ptr())
    a[12:19] = (
        out.data_ptr(), norms.data_ptr(), converters.table.data_ptr(), draws.keys.data_ptr(),
        draws.call, draws.repeat, draws.first,
    )  # fmt: skip
    noisy = converters.output_noise or converters.weight_noise
    a[19:24] = (converters.bounded, converters.adc, noisy, converters.adc_stochastic, converters.weight_noise)
    a[24:26] = (saturated.data_ptr(), adding)
    a[26] = which.data_ptr() if which is not None else 0
    a[27] = workspace("noise", (rows + 3) // 4 * 16 * workers).data_ptr()
    a[28] = at + 8 * 82
    _run("finish", a, at, workers)
    return saturated, int(a[82])


def unfold(images: Tensor, start: Tensor, offset: Tensor) -> Tensor:
    """Return patches (images, positions, elements) of flattened padded images (images, size)."""
    count, size = images.shape
    out = torch.empty(count, start.numel(), offset.numel())
    a, at, workers = _arguments("unfold", count, start.numel(), offset.numel(), out.numel())
    a[5], a[8], a[9] = size, images.data_ptr(), start.data_ptr()
    a[12], a[13] = out.data_ptr(), offset.data_ptr()
    _run("unfold", a, at, workers)
    return out


def fold(patches: Tensor, size: int, start: Tensor, offset: Tensor) -> Tensor:
    """Return the sum of patches (images, positions, elements) into flattened images (images, size)."""
    count = patches.shape[0]
    out = torch.zeros(count, size)
    a, at, workers = _arguments("fold", count, start.numel(), offset.numel(), patches.numel())
    a[5], a[8], a[9] = size, out.data_ptr(), start.data_ptr()
    a[12], a[13] = patches.data_ptr(), offset.data_ptr()
    _run("fold", a, at, workers)
    return out


def normals(keys: Tensor, shape: tuple[int, ...], call: int = 0) -> Tensor:
    """Return standard normal draws of shape (chips, ...), chip c under key c, other ones for every call number."""
    out = torch.empty(shape)
    size = out.numel() // shape[0]
    a, at, workers = _arguments("normals", shape[0], size, 0, out.numel())
    a[10] = 4096
    a[12], a[15], a[16] = out.data_ptr(), keys.data_ptr(), call
    _run("normals", a, at, workers)
    return out


def leak_(state: Tensor, keep: Tensor, reset: Tensor) -> None:
    """Move every device towards its reset value, in place: w <- r + (w - r) keep; keep, reset per device or chip."""
    chips = state.shape[0]
    size = state.numel() // chips
    a, at, workers = _arguments("leak", chips, size, keep.dim() > 1, state.numel())
    a[5], a[8], a[9], a[12] = reset.dim() > 1, state.data_ptr(), keep.data_ptr(), reset.data_ptr()
    a[10] = 1 << 14
    _run("leak", a, at, workers)
