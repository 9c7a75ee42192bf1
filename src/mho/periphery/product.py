"""One analog product of a tile: scale, convert, multiply, disturb, clip, convert, rescale; repeated if saturated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mho.devices.base import over_chips
from mho.devices.spread import PerChip, numbers
from mho.errors import ConfigError, NotFiniteError
from mho.kernels.backend import resolve
from mho.kernels.matmul import matmul
from mho.kernels.product import (
    Converters,
    Draws,
    How,
    Patched,
    Plan,
    Some,
    Vectors,
    finish_some_,
    peaks,
    prepare_some,
)
from mho.periphery.settings import MAX_REPEATS, Periphery, bits_of


@dataclass
class Product:
    """A periphery bound to a number of chips: constants, the running scale, and counts of what happened.

    joined: where several processes share a batch, what puts their (chips, vectors) together along the vectors.
    backend: which kernels multiply, as for updates ("reference" has those of the CPU). precision: of the exact product
    between the converters, "float32", "tf32" (inputs and weights of 11 bits; only on a GPU, single precision elsewhere)
    or "bf16" (inputs and weights rounded to 8 bits); sums are single precision always.
    """

    settings: Periphery
    converters: Converters
    running: Tensor
    plans: dict[tuple[int, ...], Plan] = field(default_factory=dict)
    joined: Callable[[Tensor, int], Tensor] | None = None
    backend: str = "auto"
    precision: str = "float32"
    counted: list[int] = field(default_factory=lambda: [0, 0])
    counting: dict[torch.device, Tensor] = field(default_factory=dict)

    @property
    def reads(self) -> int:
        """Vectors multiplied so far; what a GPU counted is copied from it."""
        return self.counted[0] + sum(int(there[0]) for there in self.counting.values())

    @property
    def repeats(self) -> int:
        """Of the reads, how many were repeats by bound management; what a GPU counted is copied from it."""
        return self.counted[1] + sum(int(there[1]) for there in self.counting.values())

    def count(self, vectors: int, device: torch.device) -> None:
        """Count reads that no kernel counts; on a GPU there, as a graph of launches has them too."""
        if device.type == "cpu":
            self.counted[0] += vectors
        else:
            self.on_gpu(device).counts[0] += vectors

    def on_gpu(self, device: torch.device) -> How:
        """Return how the kernels of a GPU make this product."""
        counts = self.counting.get(device)
        if counts is None:
            counts = self.counting[device] = torch.zeros(2, dtype=torch.int64, device=device)
        p = self.settings
        return How(
            self.converters, p.bound_management, 1 if p.bound_management == "worst-case" else MAX_REPEATS,
            self.precision, counts,
        )  # fmt: skip

    def plan(self, shape: torch.Size, rows: int, bias: bool) -> Plan:
        """Return a plan for inputs of `shape`, held until its `busy` is released; kept for the next call like it."""
        key = (*shape, rows, bias)
        found = self.plans.get(key)
        if found is None or not found.busy.acquire(blocking=False):
            made = Plan(shape[0], shape[1], (shape[2], rows), bias, self.converters)
            made.busy.acquire()
            if found is None:
                if len(self.plans) >= MAX_PLANS:
                    self.plans.clear()
                self.plans[key] = made
            return made
        return found

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"plans": {}, "counted": [self.reads, self.repeats], "counting": {}}


PATCH_ELEMENTS = 1 << 24
"""Elements of unfolded patches held at a time (64 MiB), where a product cannot take them as it goes."""

TOGETHER = 1 << 22
"""Weights of chips whose saturated vectors are repeated together: they are copied side by side."""

MAX_PLANS = 4
"""Shapes of products that keep their buffers: batches of training, the last batch, batches of evaluation."""


def bind(settings: Periphery, chips: int) -> Product:
    """Return a product with its constants for `chips` chips; raise ConfigError where a list has another length."""
    table = np.zeros((chips, 16), np.float32)

    def column(value: PerChip, name: str) -> np.ndarray:
        return over_chips(value, chips, name).reshape(chips).astype(np.float64)

    p = settings
    bound = np.full(chips, np.inf) if p.output_bound is None else column(p.output_bound, "output_bound")
    table[:, 0] = column(p.input_range, "input_range")
    table[:, 3], table[:, 11] = column(p.input_noise, "input_noise"), column(p.output_noise, "output_noise")
    table[:, 4] = column(p.scale, "scale") if p.noise_management == "constant" else 1.0
    table[:, 12] = column(p.weight_noise, "weight_noise") ** 2
    table[:, 8] = bound
    for at, key, reach in ((1, "dac_bits", table[:, 0]), (9, "adc_bits", bound)):
        for chip, bits in enumerate(_over_chips(bits_of(getattr(p, key)), chips, key)):
            if bits is not None:
                step = 2.0 * float(reach[chip]) / (2**bits - 2)
                table[chip, at], table[chip, at + 1] = step, 1.0 / step
    converters = Converters(
        torch.from_numpy(table), scaled=p.noise_management == "max-abs", dac=bool(table[:, 1].any()),
        dac_stochastic=p.dac_stochastic, input_noise=any(numbers(p.input_noise)), bounded=p.output_bound is not None,
        adc=bool(table[:, 9].any()), adc_stochastic=p.adc_stochastic, output_noise=any(numbers(p.output_noise)),
        weight_noise=any(numbers(p.weight_noise)), numbers=table.copy(),
    )  # fmt: skip
    return Product(settings, converters, torch.zeros(chips))


def _over_chips(bits: tuple[int | None, ...], chips: int, name: str) -> tuple[int | None, ...]:
    if len(bits) not in (1, chips):
        raise ConfigError(
            f"{name} is a list of {len(bits)} values over chips, but there are {chips} chips; give one, or {chips}"
        )
    return bits * chips if len(bits) == 1 else bits


def multiply(
    product: Product, weights: Tensor, x: Vectors, draws: Draws, out: Tensor, *, bias: bool = False,
    adding: bool = False, learning: bool = False,
) -> None:  # fmt: skip
    """Write (or add) the analog product of x (chips, vectors, columns) with weights (chips, rows, columns) into `out`.

    out: (chips, vectors, rows), may be strided. `bias`: the weights have a further column whose input is 1.
    `learning`: the running mean of noise management follows this call. Raises NotFiniteError for NaN or infinity in x;
    on a GPU nobody looks, and vectors with them give NaN.
    """
    on_gpu = resolve(product.backend, out) == "gpu"
    if product.settings.ideal:
        product.count(x.shape[0] * x.shape[1], out.device)
        _ideal(product, weights, x, out, bias=bias, adding=adding)
        return
    if product.settings.noise_management == "running-max":
        _follow(product, x, bias, learning, on_gpu=on_gpu)
    if on_gpu:
        from mho.kernels.gpu.product import multiply as by_kernels

        by_kernels(product.on_gpu(out.device), weights, x, draws, out, bias=bias, adding=adding)
        return
    product.counted[0] += x.shape[0] * x.shape[1]
    repeating = product.settings.bound_management != "none" and product.converters.bounded
    target = torch.empty(out.shape) if adding and repeating else out
    hits, plan = 0, product.plan(x.shape, weights.shape[1], bias)
    try:
        for part in plan.parts:
            if not plan.prepare(x, draws, part):
                raise NotFiniteError("the input of an analog product holds NaN or infinity")
            n = part.last_vector - part.vector
            own = weights[part.chip : part.last_chip]
            y = matmul(plan.inputs[:, :n], own, plan.outputs[:, :n], precision=product.precision)
            hits += plan.finish_(y, draws, target, part, adding=adding and not repeating)
        if hits and repeating:
            _repeat(product, weights, x, draws, target, saturated=plan.saturated, bias=bias)
    finally:
        plan.busy.release()
    if target is not out:
        out += target


def read_lines(product: Product, shown: Tensor, draws: Draws, out: Tensor) -> None:
    """Write into `out` what lines of an array show, (chips, lines, cells), each read by a product with one input, of 1.

    Input noise, bound management and a running scale are those of whole products: no product here may have them.
    """
    chips, many, cells = shown.shape
    if resolve(product.backend, out) == "gpu":
        from mho.kernels.gpu.product import read

        read(product.on_gpu(out.device), shown, draws, out)
        return
    product.counted[0] += chips * many
    one = torch.ones(chips, many, 1)
    plan = product.plan(one.shape, cells, False)
    try:
        for part in plan.parts:
            n = part.last_vector - part.vector
            own = shown[part.chip : part.last_chip, part.vector : part.last_vector]
            plan.prepare(one, draws, part)
            y = torch.mul(own, plan.inputs[:, :n], out=plan.outputs[:, :n])
            plan.finish_(y, draws, out, part, adding=False)
    finally:
        plan.busy.release()


def _ideal(product: Product, weights: Tensor, x: Vectors, out: Tensor, *, bias: bool, adding: bool) -> None:
    if isinstance(x, Patched):
        for first, last, vectors in x.split(PATCH_ELEMENTS):
            _ideal(product, weights, vectors, out[:, first:last], bias=bias, adding=adding)
        return
    y = matmul(x, weights[:, :, :-1] if bias else weights, precision=product.precision)
    if bias:
        y += weights[:, None, :, -1]
    if not y.is_cuda and not bool(torch.isfinite(y).all()) and not bool(torch.isfinite(x).all()):
        raise NotFiniteError("the input of an analog product holds NaN or infinity")
    if adding:
        out += y
    else:
        out.copy_(y)


def _follow(product: Product, x: Vectors, bias: bool, learning: bool, *, on_gpu: bool) -> None:
    """Make the running mean of max abs(x) of every chip the scale of this call; while it is 0, the call's own mean.

    Only a call that is `learning` moves the mean: evaluating more often never changes training. On a GPU a chip's mean
    does not move where x is not finite.
    """
    scale = product.running
    # A GPU is not asked whether all means have begun.
    if learning or on_gpu or not bool((scale > 0).all()):
        top, finite = peaks(x, bias)
        if not finite:
            raise NotFiniteError("the input of an analog product holds NaN or infinity")
        if learning and product.joined is not None:
            top = product.joined(top, 1)
        mean = top.mean(dim=1)
        if on_gpu:
            mean = torch.where(mean.isfinite(), mean, scale)
        if learning:
            m = product.settings.momentum
            scale.copy_(torch.where(scale > 0, m * scale + (1 - m) * mean, mean))
        else:
            scale = torch.where(scale > 0, scale, mean)
    table = product.converters.on(scale.device)
    table[:, 4] = scale.clamp_min(torch.finfo(torch.float32).tiny)


def _repeat(
    product: Product, weights: Tensor, x: Vectors, draws: Draws, out: Tensor, *, saturated: Tensor, bias: bool
) -> None:
    """Repeat saturated vectors with a larger scale and fresh noise; the last repeat stands.

    Of many chips at a time: chip after chip, the calls would cost more than the products.
    """
    together = max(1, TOGETHER // weights[0].numel())
    for chips in saturated.any(dim=1).nonzero().flatten().split(together):
        _repeat_on_chips(product, weights, x, draws, out, some=_marked(chips, saturated[chips]), bias=bias)


def _marked(chips: Tensor, marks: Tensor) -> Some:
    """Return the marked vectors of chips, those of a chip first in its row, and -1 behind them."""
    most = int(marks.sum(dim=1).amax())
    found, places = marks.sort(dim=1, descending=True, stable=True)
    return Some(chips, torch.where(found[:, :most] > 0, places[:, :most], -1))


def _repeat_on_chips(
    product: Product, weights: Tensor, x: Vectors, draws: Draws, out: Tensor, *, some: Some, bias: bool
) -> None:
    once = product.settings.bound_management == "worst-case"
    for number in range(1, 2 if once else MAX_REPEATS + 1):
        count = int((some.vectors >= 0).sum())
        product.counted[0] += count
        product.counted[1] += count
        converters = replace(product.converters, table=product.converters.table[some.chips])
        fresh = replace(draws, keys=draws.keys[some.chips], repeat=number)
        # Of one chip a view: its weights may be most of the memory.
        own = weights[some.chips] if len(some.chips) > 1 else weights[int(some.chips) :][:1]
        factors = torch.full(some.vectors.shape, 2.0**number)
        if once:
            factors = _safe_factors(converters, own, x, some, bias)
        inputs, *read = prepare_some(x, some, bias, converters, fresh, factors=factors)
        y = matmul(inputs, own, precision=product.precision)
        marks = finish_some_(y, some, (read[0], read[1]), converters, fresh, out).bool()
        left = marks.any(dim=1)
        if not bool(left.any()):
            return
        places = _marked(some.chips[left], marks[left])
        vectors = some.vectors[left].gather(1, places.vectors.clamp_min(0))
        some = Some(places.chips, torch.where(places.vectors < 0, -1, vectors))


def _safe_factors(converters: Converters, weights: Tensor, x: Vectors, some: Some, bias: bool) -> Tensor:
    """Return factors at which no output can saturate: abs(W) abs(x) / s <= bound, with room for six sigma of noise."""
    ones = Draws(torch.zeros(len(some.chips), 2, dtype=torch.int32), 0)
    quiet = replace(converters, dac=False, input_noise=False, dac_stochastic=False)
    xs, _, norms = prepare_some(x, some, bias, quiet, ones)
    magnitudes = weights.abs()
    largest = matmul(xs.abs(), magnitudes).amax(dim=2)
    table = converters.table.unsqueeze(2)
    noise = torch.sqrt(table[:, 11] ** 2 + table[:, 12] * (norms if converters.weight_noise else torch.zeros(1)))
    room = torch.maximum(table[:, 8] - 6 * noise, 0.1 * table[:, 8])
    # The DAC may round every input up by half a step.
    half = 0.5 * table[:, 1] * magnitudes.sum(dim=2).amax(dim=1, keepdim=True)
    return ((largest + half) / room).clamp_min(1.0)
