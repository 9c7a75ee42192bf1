"""Lines of an array: the columns or rows that a transfer reads, and their place in what is kept per line."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass(frozen=True)
class Lines:
    """Some lines of an array, in the order in which they are read; each at most once.

    What is kept per line has shape (chips, lines, ...); `at` picks these lines of it, as a view where they follow each
    other.
    """

    numbers: tuple[int, ...]
    at: slice | Tensor = field(init=False, compare=False)

    def __post_init__(self) -> None:
        first, count = self.numbers[0], len(self.numbers)
        follow = self.numbers == tuple(range(first, first + count))
        object.__setattr__(self, "at", slice(first, first + count) if follow else torch.tensor(self.numbers))

    def of(self, kept: Tensor, dim: int = 1) -> Tensor:
        """Return what is kept of these lines, along one dimension: a view where the lines follow each other."""
        if isinstance(self.at, slice):
            return kept.narrow(dim, self.numbers[0], len(self.numbers))
        return kept.index_select(dim, self.at)

    def put(self, kept: Tensor, values: Tensor) -> None:
        """Keep values (chips, these lines, ...) in (chips, lines, ...)."""
        kept[:, self.at] = values
