"""The analog product on the CPU (torch multiplies between two passes of ours), and what convolutions need."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mho.kernels.arguments import Block, block
from mho.kernels.build import plain_kernels
from mho.kernels.cpu import address, entry, workspace
from mho.kernels.launch import launch, threads

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


def _share(total: int, work: int) -> tuple[int, int]:
    """Return on how many threads `total` pieces run, and how many a thread takes at a time."""
    workers = threads() if work > PARALLEL else 1
    return workers, total if workers == 1 else max(1, total // (4 * workers))


def _run(name: str, workers: int, **values: int) -> Block:
    """Enter a kernel with these arguments and return them as it left them."""
    a = block("product", name)
    a.set(**values)
    launch(entry(plain_kernels("product"), name), a, workers)
    return a


def peaks(x: Tensor, bias: bool) -> tuple[Tensor, bool]:
    """Return the largest abs(x) of every vector, (chips, vectors), and whether all of x is finite."""
    chips, vectors, width = x.shape
    out = torch.empty(chips, vectors)
    workers, grain = _share(chips * vectors, x.numel())
    a = _run(
        "peaks", workers, total=chips * vectors, vectors=vectors, columns=width, bias=bias, chip_stride=x.stride(0),
        row_stride=x.stride(1), x=x.data_ptr(), scales=out.data_ptr(), grain=grain, bad=0,
    )  # fmt: skip
    return out, not a.get("bad")


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
    workers, grain = _share(chips * vectors, out.numel())
    a = _run(
        "prepare", workers, total=chips * vectors, vectors=vectors, columns=width, bias=bias,
        chip_stride=x.stride(0), row_stride=x.stride(1), x=x.data_ptr(), scales=scales.data_ptr(), grain=grain, bad=0,
        out=out.data_ptr(), norms=norms.data_ptr(), constants=converters.table.data_ptr(),
        keys=draws.keys.data_ptr(), call=draws.call, repeat=draws.repeat, first=draws.first,
        scaled=converters.scaled, converts=converters.dac, noisy=converters.input_noise,
        stochastic=converters.dac_stochastic, needs_norm=converters.weight_noise, factors=address(factors),
        which=address(which),
    )  # fmt: skip
    return out, scales, norms, not a.get("bad")


def finish_(
    y: Tensor, scales: Tensor, norms: Tensor, converters: Converters, draws: Draws, out: Tensor, *, adding: bool,
    which: Tensor | None = None,
) -> tuple[Tensor, int]:  # fmt: skip
    """Write (or add) finished outputs into `out`; return which vectors reached the bound and how many.

    y: (chips, vectors, rows), changed in place. `which`: (chips, vectors) int64, the vector of `out` that each row is.
    """
    chips, vectors, rows = y.shape
    saturated = torch.empty(chips, vectors, dtype=torch.uint8)
    workers, grain = _share(chips * vectors, y.numel())
    a = _run(
        "finish", workers, total=chips * vectors, vectors=vectors, rows=rows, chip_stride=out.stride(0),
        row_stride=out.stride(1), y=y.data_ptr(), scales=scales.data_ptr(), grain=grain, out=out.data_ptr(),
        norms=norms.data_ptr(), constants=converters.table.data_ptr(), keys=draws.keys.data_ptr(), call=draws.call,
        repeat=draws.repeat, first=draws.first, bounded=converters.bounded, converts=converters.adc,
        noisy=converters.output_noise or converters.weight_noise, stochastic=converters.adc_stochastic,
        weighs=converters.weight_noise, saturated=saturated.data_ptr(), adding=adding, which=address(which),
        scratch=workspace("noise", (rows + 3) // 4 * 16 * workers).data_ptr(),
    )  # fmt: skip
    return saturated, a.hits


def unfold(images: Tensor, start: Tensor, offset: Tensor) -> Tensor:
    """Return patches (images, positions, elements) of flattened padded images (images, size)."""
    count, size = images.shape
    out = torch.empty(count, start.numel(), offset.numel())
    workers, _ = _share(count, out.numel())
    _run(
        "unfold", workers, total=count, positions=start.numel(), elements=offset.numel(), size=size,
        image=images.data_ptr(), start=start.data_ptr(), out=out.data_ptr(), offset=offset.data_ptr(),
    )  # fmt: skip
    return out


def fold(patches: Tensor, size: int, start: Tensor, offset: Tensor) -> Tensor:
    """Return the sum of patches (images, positions, elements) into flattened images (images, size)."""
    count = patches.shape[0]
    out = torch.zeros(count, size)
    workers, _ = _share(count, patches.numel())
    _run(
        "fold", workers, total=count, positions=start.numel(), elements=offset.numel(), size=size,
        image=out.data_ptr(), start=start.data_ptr(), patches=patches.data_ptr(), offset=offset.data_ptr(),
    )  # fmt: skip
    return out


def normals(keys: Tensor, shape: tuple[int, ...], call: int = 0) -> Tensor:
    """Return standard normal draws of shape (chips, ...), chip c under key c, other ones for every call number."""
    out = torch.empty(shape)
    size = out.numel() // shape[0]
    workers, _ = _share(shape[0], out.numel())
    _run("normals", workers, total=shape[0], size=size, grain=4096, out=out.data_ptr(), keys=keys.data_ptr(), call=call)
    return out


def leak_(state: Tensor, keep: Tensor, reset: Tensor) -> None:
    """Move every device towards its reset value, in place: w <- r + (w - r) keep; keep, reset per device or chip."""
    chips = state.shape[0]
    size = state.numel() // chips
    workers, _ = _share(chips, state.numel())
    _run(
        "leak", workers, total=chips, size=size, keeps=keep.dim() > 1, resets=reset.dim() > 1, state=state.data_ptr(),
        keep=keep.data_ptr(), grain=1 << 14, reset=reset.data_ptr(),
    )  # fmt: skip
