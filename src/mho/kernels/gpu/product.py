"""The analog product on a GPU: torch multiplies between two kernels of ours, and nothing comes to the host.

What saturates is repeated by kernels that find the marked vectors themselves. Their iterative repeats differ in scale
and draws only, so all of them are tried at once, and the first that does not saturate is done.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mho.kernels.gpu.compiling import counter, kernels, power_of_two, start
from mho.kernels.gpu.matmul import operand, product
from mho.kernels.gpu.zero import ticking
from mho.kernels.product import Draws, How, Patched, Vectors

ELEMENTS = 512
"""Numbers that a program holds where vectors are short: 4 in each of 128 threads, more would leave room for few."""

LONGEST = 4096
"""Elements of a vector up to which a program reads it once and holds it; longer ones are read twice."""

HELD = 1 << 27
"""Inputs and outputs of a product that are held at a time (512 MiB); larger ones are done in runs of vectors."""

MANY = 2048
"""Programs of a repeat from which each looks through several tiles of vectors: most find nothing to do."""

MAX_GROUP = 32
"""Tiles of vectors that a program of a repeat looks through at most."""

LANES = 32
"""Vectors, or repeats of vectors, that are multiplied together by a tile of weights; at least half of it."""

TILE = (64, 64)
"""Rows and columns of a tile of weights."""

LARGE = 1 << 17
"""Weights of a chip from which the first four repeats are tried before the others: most vectors need no more."""


@dataclass(frozen=True)
class _Source:
    """Where kernels find the vectors of x: a tensor, or patches of images."""

    values: Tensor
    start: Tensor
    offset: Tensor
    positions: int
    patched: int

    @staticmethod
    def of(x: Vectors) -> _Source:
        if isinstance(x, Patched):
            return _Source(x.images, x.start, x.offset, x.start.numel(), 1)
        return _Source(x, x, x, 1, 0)

    @property
    def pointers(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.values, self.start, self.offset

    @property
    def places(self) -> tuple[int, ...]:
        return *self.values.stride(), self.positions


class _Part:
    """A run of vectors of all chips on its way through the array."""

    def __init__(self, how: How, source: _Source, draws: Draws, run: tuple[int, int], shape: tuple[int, int]) -> None:
        self.how, self.source = how, source
        self.begin, last = run
        self.chips, self.width = shape
        self.vectors = last - self.begin
        self.total = self.chips * self.vectors
        self.device = source.values.device
        converters, numbers = how.converters, (self.chips, self.vectors)
        self.table = converters.on(self.device)
        self.tick = ticking(draws.tick, self.device)
        self.keys, self.first, self.call = draws.keys.contiguous(), counter(draws.first), counter(draws.call)
        self.scales = torch.empty(numbers, device=self.device)
        self.norms = torch.empty(numbers, device=self.device) if converters.weight_noise else self.scales
        self.repeating = how.management != "none" and converters.bounded
        self.marks = torch.empty(numbers, dtype=torch.int32, device=self.device) if self.repeating else self.scales

    def prepare(self, bias: bool, pitch: int, dtype: torch.dtype) -> Tensor:
        """Return what enters the array, (chips, vectors, pitch): columns, the bias, and zeros behind them."""
        c = self.how.converters
        out = torch.empty(self.chips, self.vectors, pitch, dtype=dtype, device=self.device)
        vectors, block = _tile(pitch, LONGEST)
        start(
            _plain().prepare, (-(-self.total // vectors),), *self.source.pointers, self.keys, self.table, self.tick,
            out, self.scales, self.norms, self.marks, self.how.counts, self.total, self.vectors, self.begin, self.width,
            pitch, *self.source.places, self.first, self.call, BIAS=int(bias), SCALED=int(c.scaled),
            CONVERTS=int(c.dac), NOISY=int(c.input_noise), STOCHASTIC=int(c.dac_stochastic), NORM=int(c.weight_noise),
            MARKS=int(self.repeating), PATCHED=self.source.patched, ONCE=int(pitch <= block), VECTORS=vectors,
            BLOCK=block, num_warps=_warps(vectors * block),
        )  # fmt: skip
        return out

    def finish(self, y: Tensor, out: Tensor, adding: bool) -> None:
        """Write (or add) outputs y (chips, vectors, rows) of this run, finished, into all of `out`."""
        c, rows = self.how.converters, y.shape[2]
        vectors, block = _tile(rows, ELEMENTS // 2)
        start(
            _plain().finish, (-(-self.total // vectors), -(-rows // block)), y, self.scales, self.norms, self.marks,
            self.keys, self.table, self.tick, out, self.total, self.vectors, self.begin, rows, *out.stride(),
            self.first, self.call, BOUNDED=int(c.bounded), CONVERTS=int(c.adc),
            NOISY=int(c.output_noise or c.weight_noise), STOCHASTIC=int(c.adc_stochastic), WEIGHS=int(c.weight_noise),
            MARKS=int(self.repeating), ADDING=int(adding), VECTORS=vectors, BLOCK=block,
            num_warps=_warps(vectors * block),
        )  # fmt: skip

    def repeat(self, weights: Tensor, out: Tensor, bias: bool) -> None:
        """Do marked vectors again with a larger scale and fresh noise; the last repeat stands.

        weights: (chips, rows, columns), float32 or bfloat16.
        """
        worst = self.how.management == "worst-case"
        reaches = self._reach(weights, bias) if worst else self.marks
        if not worst and weights[0].numel() < LARGE:
            self._search(weights, bias, 1, 16)
        elif not worst:
            self._search(weights, bias, 1, 4)
            self._search(weights, bias, 5, 8)
        c, rows = self.how.converters, out.shape[2]
        grid, shape = self._looking(rows, 1)
        start(
            _repeats().again, grid, *self.source.pointers, weights, self.keys, self.table, self.tick, self.scales,
            self.marks, reaches, self.how.counts, out, self.chips, self.vectors, self.begin, self.width, rows,
            *self.source.places, *weights.stride(), *out.stride(), self.first, self.call, **self._flags(bias),
            CONVERTS_OUT=int(c.adc), STOCHASTIC_OUT=int(c.adc_stochastic), WORST=int(worst), **shape,
        )  # fmt: skip

    def _search(self, weights: Tensor, bias: bool, repeat: int, slots: int) -> None:
        """Write into the marks which repeats saturate, of `slots` from this one on."""
        rows = weights.shape[1]
        grid, shape = self._looking(rows, slots)
        start(
            _repeats().search, grid, *self.source.pointers, weights, self.keys, self.table, self.tick, self.scales,
            self.marks, self.chips, self.vectors, self.begin, self.width, rows, *self.source.places, *weights.stride(),
            self.first, self.call, **self._flags(bias), FROM=repeat, SLOTS=slots, **shape,
        )  # fmt: skip

    def _reach(self, weights: Tensor, bias: bool) -> Tensor:
        """Return how large the outputs of marked vectors can be, int32 bits of (chips, vectors, 3) numbers."""
        out = torch.zeros(self.chips, self.vectors, 3, dtype=torch.int32, device=self.device)
        rows = weights.shape[1]
        grid, shape = self._looking(rows, 1)
        start(
            _repeats().reach, grid, *self.source.pointers, weights, self.table, self.scales, self.marks, out,
            self.chips, self.vectors, self.begin, self.width, rows, *self.source.places, *weights.stride(),
            BIAS=int(bias), PATCHED=self.source.patched, **shape,
        )  # fmt: skip
        return out

    def _flags(self, bias: bool) -> dict[str, int | str]:
        """Return how inputs and outputs of a repeat are made."""
        c = self.how.converters
        return {
            "BIAS": int(bias), "CONVERTS": int(c.dac), "NOISY": int(c.input_noise), "STOCHASTIC": int(c.dac_stochastic),
            "NOISY_OUT": int(c.output_noise or c.weight_noise), "WEIGHS": int(c.weight_noise),
            "PATCHED": self.source.patched, "PRECISION": "tf32" if self.how.precision == "tf32" else "ieee",
            "REPEATS": self.how.repeats,
        }  # fmt: skip

    def _looking(self, rows: int, slots: int) -> tuple[tuple[int, int], dict[str, int]]:
        """Return the grid that looks through the marks, and the sizes of its programs."""
        many = power_of_two(self.vectors, max(1, LANES // 2 // slots), max(1, LANES // slots))
        parts, tiles = -(-rows // TILE[0]), self.chips * -(-self.vectors // many)
        group = power_of_two(tiles * parts // MANY, 1, MAX_GROUP)
        shape = {"VECTORS": many, "GROUP": group, "ROWS": TILE[0], "BLOCK": TILE[1], "num_warps": 8}
        return (-(-tiles // group), parts), shape


def multiply(
    how: How, weights: Tensor, x: Vectors, draws: Draws, out: Tensor, *, bias: bool = False, adding: bool = False
) -> None:
    """Write (or add) the analog product of x (chips, vectors, columns) with weights (chips, rows, columns) into `out`.

    Tensors of one device, may be strided; see `mho.periphery.product.multiply`. A vector with NaN or infinity gives
    NaN.
    """
    chips, vectors, width = x.shape
    taken, source = operand(weights, how.precision), _Source.of(x)
    pitch = max(taken.shape[2], width + bias)
    rows = weights.shape[1]
    if chips * rows == 0:
        return
    apart = adding and how.management != "none" and how.converters.bounded
    target = torch.empty(out.shape, device=out.device) if apart else out
    for run in _runs(vectors, chips * (pitch + rows)):
        part = _Part(how, source, draws, run, (chips, width))
        inputs = part.prepare(bias, pitch, taken.dtype)
        part.finish(product(inputs, taken, how.precision), target, adding and not apart)
        if part.repeating:
            part.repeat(taken, target, bias)
    if apart:
        out += target


def read(how: How, shown: Tensor, draws: Draws, out: Tensor) -> None:
    """Write into `out` what lines of an array show, (chips, lines, cells), each read by an input of 1 of its own."""
    chips, many, _ = shown.shape
    if shown.numel() == 0:
        return
    one = torch.ones(chips, many, 1, device=shown.device)
    part = _Part(how._replace(management="none"), _Source.of(one), draws, (0, many), (chips, 1))
    y = torch.empty(shown.shape, device=shown.device)  # dense, as a product of strided lines would not be
    part.finish(torch.mul(shown, part.prepare(False, 1, torch.float32), out=y), out, False)


def peaks(x: Vectors, bias: bool) -> Tensor:
    """Return the largest abs(x) of every vector, (chips, vectors); NaN or infinity where x has it."""
    chips, vectors, width = x.shape
    source = _Source.of(x)
    out = torch.empty(chips, vectors, device=source.values.device)
    total, (some, block) = chips * vectors, _tile(width, ELEMENTS)
    if total:
        start(
            _plain().peaks, (-(-total // some),), *source.pointers, out, total, vectors, width, *source.places,
            BIAS=int(bias), PATCHED=source.patched, VECTORS=some, BLOCK=block,
        )  # fmt: skip
    return out


def _plain() -> Any:
    return kernels("triton_product_parts", "triton_product")


def _repeats() -> Any:
    return kernels("triton_product_parts", "triton_repeat")


def _runs(vectors: int, size: int) -> Iterator[tuple[int, int]]:
    """Return runs of vectors, each of `size` numbers, that are held at a time."""
    many = max(1, HELD // max(1, size))
    for first in range(0, vectors, many):
        yield first, min(first + many, vectors)


def _tile(width: int, longest: int) -> tuple[int, int]:
    """Return how many vectors a program takes, and how many elements of each at a time."""
    block = power_of_two(width, 16, longest)
    return max(1, ELEMENTS // block), block


def _warps(elements: int) -> int:
    """Return the warps of a program: 4 numbers in each thread, or more where that would be too many threads."""
    return power_of_two(elements // 128, 4, 16)
