"""The analog product on the CPU (torch multiplies between two passes of ours), and what convolutions need.

The passes that stand for themselves go to the GPU with their tensors.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from mho.kernels.arguments import Block, block
from mho.kernels.build import plain_kernels
from mho.kernels.cpu import address, entry, workspace
from mho.kernels.launch import launch, threads

PARALLEL = 16_384
"""Elements from which a pass over them is shared by threads: below, entering the pool costs more than it gains."""


CHUNK = 1024
"""Numbers that a thread takes through all steps at a time: they stay in its nearest cache."""

APART = 1 << 17
"""Inputs of a chip from which its product is done on its own: below, the calls cost more than the cache gains."""

CACHED = 1 << 20
"""About how many inputs (4 MiB) a part of a large product has."""


@dataclass
class Converters:
    """The constants of one product's periphery, per chip, in the form that the kernels read.

    table: (chips, 16) float32: input range, DAC step, 1/step, input noise, scale, -, -, -,
    output bound, ADC step, 1/step, output noise, weight noise squared, -, -, -. numbers: what the table began with,
    and begins with on another device (`on`).
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
    numbers: np.ndarray
    elsewhere: dict[torch.device, Tensor] = field(default_factory=dict, init=False)

    def on(self, device: torch.device) -> Tensor:
        """Return the table on a device: its own one there, which is kept, and where "running-max" writes its scale."""
        if device.type == "cpu":
            return self.table
        found = self.elsewhere.get(device)
        if found is None:
            found = self.elsewhere[device] = torch.tensor(self.numbers, device=device)
        return found

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"elsewhere": {}}


@dataclass(frozen=True)
class Patched:
    """Vectors that are patches of images, taken when they enter the array: (chips, images * positions, elements).

    images: (chips, images, size), flat and padded; start: (positions,) int32 and offset: (elements,) int32, so that
    element k of patch p is at start[p] + offset[k]. Indexed as a tensor of that shape, with all vectors.
    """

    images: Tensor
    start: Tensor
    offset: Tensor

    @property
    def shape(self) -> torch.Size:
        """Return chips, vectors and elements."""
        chips, images, _ = self.images.shape
        return torch.Size((chips, images * self.start.numel(), self.offset.numel()))

    def __getitem__(self, index: tuple[slice, slice, slice]) -> Patched:
        chips, _, elements = index
        return Patched(self.images[chips], self.start, self.offset[elements])

    def split(self, elements: int) -> Iterator[tuple[int, int, Tensor]]:
        """Return the patches of some images after the other: the first and last vector, and about `elements` of them.

        Without images there is one empty piece.
        """
        chips, images, _ = self.images.shape
        positions, width = self.start.numel(), self.offset.numel()
        many = max(1, elements // max(1, chips * positions * width))
        for first in range(0, max(1, images), many):
            some = self.images[:, first : first + many]
            taken = unfold(some.flatten(0, 1), self.start, self.offset)
            count = some.shape[1] * positions
            yield first * positions, first * positions + count, taken.view(chips, count, width)


Vectors = Tensor | Patched
"""Inputs of a product, (chips, vectors, elements)."""


@dataclass
class Draws:
    """Where a product's noise is drawn: keys (chips, 2), the number of the call, the repeat and the first vector.

    tick: on a GPU, one int64 that is added to the number of the call.
    """

    keys: Tensor
    call: int
    repeat: int = 0
    first: int = 0
    tick: Tensor | None = None


class How(NamedTuple):
    """What a product is made with: constants on the device, and the bound management with its repeats at most.

    counts: int64, (2,), on the device: reads and repeats so far.
    """

    converters: Converters
    management: str
    repeats: int
    precision: str
    counts: Tensor


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


def peaks(x: Vectors, bias: bool) -> tuple[Tensor, bool]:
    """Return the largest abs(x) of every vector, (chips, vectors), and whether all of x is finite.

    On a GPU this is not looked at, and said to be so: the number of a vector that is not finite is not, either.
    """
    if (x.images if isinstance(x, Patched) else x).is_cuda:
        from mho.kernels.gpu.product import peaks as on_gpu

        return on_gpu(x, bias), True
    chips, vectors, width = x.shape
    out = torch.empty(chips, vectors)
    workers, grain = _share(chips * vectors, chips * vectors * width)
    values, places = _places(x)
    a = _run(
        "peaks", workers, total=chips * vectors, vectors=vectors, columns=width, bias=bias, grain=grain, bad=0,
        chip_stride=values.stride(0), row_stride=values.stride(1), x=values.data_ptr(), scales=out.data_ptr(), **places,
    )  # fmt: skip
    return out, not a.get("bad")


def _places(x: Vectors) -> tuple[Tensor, dict[str, int]]:
    """Return the tensor that holds the values of x, and what tells a kernel where the vectors lie in it."""
    if isinstance(x, Patched):
        at = {"start": x.start.data_ptr(), "offset": x.offset.data_ptr(), "positions": x.start.numel()}
        return x.images, at
    return x, {"start": 0}


class Some(NamedTuple):
    """Some vectors of some chips: `chips` (n,) int64, and of each of these its `vectors` (n, most) int64, or -1."""

    chips: Tensor
    vectors: Tensor


def prepare_some(
    x: Vectors, some: Some, bias: bool, converters: Converters, draws: Draws, *, factors: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the array's inputs for some vectors of x, (n, most, width + bias), their scales and squared norms.

    converters, draws: those of the chips, in their order. `factors`: (n, most), by which the scales are multiplied.
    """
    n, most = some.vectors.shape
    plan = Plan(n, most, (x.shape[2], 0), bias, converters, whole=True)
    plan.before.set(factors=address(factors), which=some.vectors.data_ptr(), owners=some.chips.data_ptr())
    plan.prepare(x, draws, Part(0, n, 0, most))
    return plan.inputs, plan.scales, plan.norms


def finish_some_(
    y: Tensor, some: Some, read: tuple[Tensor, Tensor], converters: Converters, draws: Draws, out: Tensor
) -> Tensor:
    """Write the finished outputs of some vectors into `out`; return which of them reached the bound, (n, most) uint8.

    y: (n, most, rows), changed in place. read: the scales and squared norms that `prepare_some` gave.
    """
    n, most, rows = y.shape
    scales, norms = read
    plan = Plan(n, most, (0, rows), False, converters, whole=True)
    plan.after.set(
        scales=scales.data_ptr(), norms=norms.data_ptr(), which=some.vectors.data_ptr(), owners=some.chips.data_ptr()
    )
    plan.finish_(y, draws, out, Part(0, n, 0, most), adding=False)
    return plan.saturated


class Part(NamedTuple):
    """What is multiplied at a time: the chips and the vectors, each from the first to before the last."""

    chip: int
    last_chip: int
    vector: int
    last_vector: int


class Plan:
    """The buffers and filled arguments of a product of one shape, for calls that differ in data and draws only.

    A large product is done part by part, so that what enters the array is still in the cache when it is multiplied;
    `whole` keeps it in one. parts: in order; inputs: (chips, vectors, width + bias) of a part, what enters the array;
    outputs: (chips, vectors, rows), room for what comes out; scales, norms: (chips, vectors) of a part; saturated:
    uint8, (chips, vectors) of the product, which vectors reached the bound.
    """

    def __init__(
        self, chips: int, vectors: int, size: tuple[int, int], bias: bool, converters: Converters, *,
        whole: bool = False,
    ) -> None:  # fmt: skip
        width, rows = size
        self.parts = _parts(chips, vectors, 0 if whole else width + bias)
        n, most = (self.parts[0].last_chip, self.parts[0].last_vector) if self.parts else (chips, vectors)
        self.inputs = torch.empty(n, most, width + bias)
        self.outputs = torch.empty(n, most, rows)
        self.scales = torch.empty(n, most)
        self.norms = torch.empty(n, most) if converters.weight_noise else self.scales
        self.saturated = torch.empty(chips, vectors, dtype=torch.uint8)
        self.table = converters.table
        self.before, self.after = Block("product", "prepare"), Block("product", "finish")
        shared = {"scales": self.scales.data_ptr(), "norms": self.norms.data_ptr()}
        self.before.set(
            **shared, columns=width, bias=bias, out=self.inputs.data_ptr(), scaled=converters.scaled,
            converts=converters.dac, noisy=converters.input_noise, stochastic=converters.dac_stochastic,
            needs_norm=converters.weight_noise, factors=0, which=0,
        )  # fmt: skip
        self.after.set(
            **shared, rows=rows, bounded=converters.bounded, converts=converters.adc,
            noisy=converters.output_noise or converters.weight_noise, stochastic=converters.adc_stochastic,
            weighs=converters.weight_noise, marks_stride=vectors, which=0,
        )  # fmt: skip
        self.width, self.rows = width + bias, rows
        self.busy = threading.Lock()

    def prepare(self, x: Vectors, draws: Draws, part: Part) -> bool:
        """Fill `inputs` and `scales` from a part of x, may be strided; return whether that was finite."""
        values, places = _places(x)
        self.before.set(**places, bad=0)
        self._launch("prepare", self.before, draws, part, values, self.width)
        return not self.before.get("bad")

    def finish_(self, y: Tensor, draws: Draws, out: Tensor, part: Part, *, adding: bool) -> int:
        """Write (or add) outputs y (chips, vectors, rows) of a part, finished in place, into `out`, may be strided.

        Return how many vectors saturated.
        """
        marks = self.saturated.data_ptr() + part.chip * self.saturated.shape[1]
        self.after.set(y=y.data_ptr(), adding=adding, saturated=marks)
        self._launch("finish", self.after, draws, part, out, self.rows)
        return self.after.hits

    def _launch(self, name: str, a: Block, draws: Draws, part: Part, values: Tensor, width: int) -> None:
        """Enter a kernel that reads or writes `values`, width numbers a vector, for a part."""
        vectors = part.last_vector - part.vector
        total = vectors * (part.last_chip - part.chip)
        workers, grain = _share(total, total * width)
        chunk = max(1, min(grain, CHUNK // max(1, width)))
        chip_stride, row_stride, _ = values.stride()
        a.set(
            total=total, vectors=vectors, begin=part.vector, grain=grain, chunk=chunk, chip_stride=chip_stride,
            row_stride=row_stride, values=values.data_ptr() + 4 * part.chip * chip_stride, call=draws.call,
            constants=self.table.data_ptr() + 64 * part.chip, keys=draws.keys.data_ptr() + 8 * part.chip,
            repeat=draws.repeat, first=draws.first,
            scratch=workspace("product", 4 * (8 * width + 24) * chunk * workers).data_ptr(),
        )  # fmt: skip
        launch(entry(plain_kernels("product"), name), a, workers)


def _parts(chips: int, vectors: int, width: int) -> list[Part]:
    """Return how a product is split: small ones not at all, others by chip, and then evenly into runs of vectors."""
    if vectors * width < APART:
        return [Part(0, chips, 0, vectors)]
    count = max(1, round(vectors * width / CACHED))
    size = -(-vectors // count)
    runs = [(first, min(first + size, vectors)) for first in range(0, vectors, size)]
    return [Part(chip, chip + 1, *run) for chip in range(chips) for run in runs]


def unfold(images: Tensor, start: Tensor, offset: Tensor) -> Tensor:
    """Return patches (images, positions, elements) of flattened padded images (images, size), may be strided."""
    if images.is_cuda:
        from mho.kernels.gpu.passes import unfold as on_gpu

        return on_gpu(images, start, offset)
    images = images.contiguous()
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
    if patches.is_cuda:
        from mho.kernels.gpu.passes import fold as on_gpu

        return on_gpu(patches, size, start, offset)
    count = patches.shape[0]
    out = torch.zeros(count, size)
    workers, _ = _share(count, patches.numel())
    _run(
        "fold", workers, total=count, positions=start.numel(), elements=offset.numel(), size=size,
        image=out.data_ptr(), start=start.data_ptr(), patches=patches.data_ptr(), offset=offset.data_ptr(),
    )  # fmt: skip
    return out


def normals(keys: Tensor, shape: tuple[int, ...], call: int = 0, tick: Tensor | None = None) -> Tensor:
    """Return standard normal draws of shape (chips, ...), chip c under key c, other ones for every call number.

    They are on the device of the keys. tick: one int64 that is added to the number of the call.
    """
    if keys.is_cuda:
        from mho.kernels.gpu.passes import normals as on_gpu

        return on_gpu(keys, shape, call, tick)
    if tick is not None:
        call += int(tick)
    out = torch.empty(shape)
    size = out.numel() // shape[0]
    workers, _ = _share(shape[0], out.numel())
    _run("normals", workers, total=shape[0], size=size, grain=4096, out=out.data_ptr(), keys=keys.data_ptr(), call=call)
    return out


def leak_(state: Tensor, keep: Tensor, reset: Tensor) -> None:
    """Move every device towards its reset value, in place: w <- r + (w - r) keep; keep, reset per device or chip."""
    if state.is_cuda:
        from mho.kernels.gpu.passes import leak_ as on_gpu

        on_gpu(state, keep, reset)
        return
    chips = state.shape[0]
    size = state.numel() // chips
    workers, _ = _share(chips, state.numel())
    _run(
        "leak", workers, total=chips, size=size, keeps=keep.dim() > 1, resets=reset.dim() > 1, state=state.data_ptr(),
        keep=keep.data_ptr(), grain=1 << 14, reset=reset.data_ptr(),
    )  # fmt: skip
