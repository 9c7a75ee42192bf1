"""What an adaptation did: memory, steps, products, and accuracy on the calibration set."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mho.inference.sparse import Adapted


@dataclass(frozen=True)
class LayerMemory:
    """The sparse memory of one layer on every chip, and the products of its training.

    weights: in the arrays of a chip. values: of these with a digital value. bits: width of a value. outputs, inputs:
    the size of the matrix (inputs with 1 for a bias in the array). forward, backward: vectors that went through the
    array of a chip during the training.
    """

    name: str
    weights: int
    values: int
    bits: int
    outputs: int
    inputs: int
    forward: int
    backward: int

    @classmethod
    def of(cls, name: str, layer: Adapted) -> LayerMemory:
        """Return the memory of an adapted layer, with the products that it counted."""
        outputs = layer.layer.out_size
        return cls(
            name, layer.size, layer.positions.numel(), layer.bits or 32, outputs, layer.size // outputs,
            layer.forward_vectors, layer.backward_vectors,
        )  # fmt: skip

    @property
    def share(self) -> float:
        """The share of the weights that have a value."""
        return self.values / self.weights

    @property
    def value_bits(self) -> int:
        """Bits of the values of a chip, and of their common exponent (8) where they are rounded."""
        return self.values * self.bits + (8 if self.values and self.bits < 32 else 0)

    @property
    def address_bits(self) -> int:
        """Bits of the list of positions that a memory would need whose positions are not wired."""
        return self.values * math.ceil(math.log2(max(2, self.weights)))


@dataclass(frozen=True)
class AdaptReport:
    """What `mho.inference.adapt` did; prints as a table.

    images: of the calibration set. steps: of the optimizer; each writes every value of a chip once. losses: mean over
    an epoch, of every epoch and chip. before, after: accuracy on the calibration set in percent (with loss "mse" the
    mean square error), of every chip: it says how well the values fit that set, not what test images will give.
    """

    layers: tuple[LayerMemory, ...]
    images: int
    steps: int
    losses: tuple[tuple[float, ...], ...]
    before: tuple[float, ...]
    after: tuple[float, ...]

    @property
    def weights(self) -> int:
        """Weights in the arrays of a chip, of the layers that have a memory."""
        return sum(layer.weights for layer in self.layers)

    @property
    def values(self) -> int:
        """Digital values of a chip."""
        return sum(layer.values for layer in self.layers)

    @property
    def share(self) -> float:
        """The share of these weights that have a value."""
        return self.values / self.weights

    @property
    def value_bits(self) -> int:
        """Bits of the digital memory of a chip."""
        return sum(layer.value_bits for layer in self.layers)

    @property
    def address_bits(self) -> int:
        """Bits of the lists of positions that a chip would need if they were not wired."""
        return sum(layer.address_bits for layer in self.layers)

    @property
    def writes(self) -> int:
        """Writes of a digital value on each chip."""
        return self.steps * self.values

    def __str__(self) -> str:
        head = ("layer", "weights", "values", "share %", "bits", "bits if not wired")
        rows = [_row(m.name, m) for m in self.layers] + [_row("all", self)]
        widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
        lines = ["  ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)) for row in (head, *rows)]
        return "\n".join([*lines, f"{self.steps} steps on {self.images} images; mean over {len(self.after)} chip(s), "
            f"calibration set: {fmean(self.before):.4g} before, {fmean(self.after):.4g} after"])  # fmt: skip


def _row(name: str, memory: LayerMemory | AdaptReport) -> tuple[str, ...]:
    both = memory.value_bits + memory.address_bits
    return (
        name, f"{memory.weights:,}", f"{memory.values:,}", f"{100 * memory.share:.2f}", f"{memory.value_bits:,}",
        f"{both:,}",
    )  # fmt: skip
