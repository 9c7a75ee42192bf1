"""The analog product on the CPU (torch multiplies between two passes of ours), and what convolutions need."""

from __future__ import annotations

import threading
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
    plan = Plan(chips, vectors if which is None else which.shape[1], (width, 0), bias, converters)
    plan.before.set(factors=address(factors), which=address(which))
    finite = plan.prepare(x, draws)
    return plan.inputs, plan.scales, plan.norms, finite


def finish_(
    y: Tensor, scales: Tensor, norms: Tensor, converters: Converters, draws: Draws, out: Tensor, *, adding: bool,
    which: Tensor | None = None,
) -> tuple[Tensor, int]:  # fmt: skip
    """Write (or add) finished outputs into `out`; return which vectors reached the bound and how many.

    y: (chips, vectors, rows), changed in place. `which`: (chips, vectors) int64, the vector of `out` that each row is.
    """
    chips, vectors, rows = y.shape
    plan = Plan(chips, vectors, (0, rows), False, converters)
    plan.after.set(y=y.data_ptr(), scales=scales.data_ptr(), norms=norms.data_ptr(), which=address(which))
    return plan.saturated, plan.finish_(draws, out, adding=adding)


class Plan:
    """The buffers and filled arguments of a product of one shape, for calls that differ in data and draws only.

    inputs: (chips, vectors, width + bias), what enters the array; outputs: (chips, vectors, rows), what comes out;
    scales, norms: (chips, vectors); saturated: uint8, which vectors reached the bound.
    """

    def __init__(
        self, chips: int, vectors: int, size: tuple[int, int], bias: bool, converters: Converters
    ) -> None:  # fmt: skip
        width, rows = size
        self.inputs = torch.empty(chips, vectors, width + bias)
        self.outputs = torch.empty(chips, vectors, rows)
        self.scales = torch.empty(chips, vectors)
        self.norms = torch.empty(chips, vectors) if converters.weight_noise else self.scales
        self.saturated = torch.empty(chips, vectors, dtype=torch.uint8)
        self.table = converters.table
        self.before, self.after = Block("product", "prepare"), Block("product", "finish")
        shared = {
            "total": chips * vectors, "vectors": vectors, "scales": self.scales.data_ptr(),
            "norms": self.norms.data_ptr(), "constants": self.table.data_ptr(),
        }  # fmt: skip
        self.before.set(
            **shared, columns=width, bias=bias, out=self.inputs.data_ptr(), scaled=converters.scaled,
            converts=converters.dac, noisy=converters.input_noise, stochastic=converters.dac_stochastic,
            needs_norm=converters.weight_noise, factors=0, which=0,
        )  # fmt: skip
        self.after.set(
            **shared, rows=rows, y=self.outputs.data_ptr(), bounded=converters.bounded, converts=converters.adc,
            noisy=converters.output_noise or converters.weight_noise, stochastic=converters.adc_stochastic,
            weighs=converters.weight_noise, saturated=self.saturated.data_ptr(), which=0,
        )  # fmt: skip
        self.total, self.width, self.rows = chips * vectors, width, rows
        self.busy = threading.Lock()

    def prepare(self, x: Tensor, draws: Draws) -> bool:
        """Fill `inputs` and `scales` from x (chips, vectors, width), may be strided; return whether x was finite."""
        workers, grain = _share(self.total, self.total * self.width)
        chip_stride, row_stride, _ = x.stride()
        self.before.set(
            chip_stride=chip_stride, row_stride=row_stride, x=x.data_ptr(), grain=grain, bad=0,
            keys=draws.keys.data_ptr(), call=draws.call, repeat=draws.repeat, first=draws.first,
        )  # fmt: skip
        launch(entry(plain_kernels("product"), "prepare"), self.before, workers)
        return not self.before.get("bad")

    def finish_(self, draws: Draws, out: Tensor, *, adding: bool) -> int:
        """Write (or add) the finished `outputs` into `out`, may be strided; return how many vectors saturated."""
        workers, grain = _share(self.total, self.total * self.rows)
        chip_stride, row_stride, _ = out.stride()
        self.after.set(
            chip_stride=chip_stride, row_stride=row_stride, out=out.data_ptr(), grain=grain, adding=adding,
            keys=draws.keys.data_ptr(), call=draws.call, repeat=draws.repeat, first=draws.first,
            scratch=workspace("noise", (self.rows + 3) // 4 * 16 * workers).data_ptr(),
        )  # fmt: skip
        launch(entry(plain_kernels("product"), "finish"), self.after, workers)
        return self.after.hits


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
