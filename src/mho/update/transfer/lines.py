"""Lines of an array: the columns or rows that a transfer reads, and their place in what is kept per line."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Lines:
    """Some lines of an array, in the order in which they are read; each at most once.

    What is kept per line has shape (chips, lines, ...); `of` and `put` take these lines of it, as a view where they
    follow each other. gate: a bool of no dimensions where the lines are kept; while it is false, `put` changes nothing.
    None: it always does. moved: the numbers as tensors, by device.
    """

    numbers: tuple[int, ...]
    gate: Tensor | None = field(default=None, compare=False)
    moved: dict[torch.device, Tensor] = field(default_factory=dict, compare=False, repr=False)
    follow: bool = field(init=False, compare=False)

    def __post_init__(self) -> None:
        first, count = self.numbers[0], len(self.numbers)
        object.__setattr__(self, "follow", self.numbers == tuple(range(first, first + count)))

    def gated(self, gate: Tensor | None) -> Lines:
        """Return these lines with a gate."""
        return self if gate is self.gate else replace(self, gate=gate)

    def on(self, device: torch.device) -> Tensor:
        """Return the numbers on a device, int64."""
        if device not in self.moved:
            self.moved[device] = torch.tensor(self.numbers, device=device)
        return self.moved[device]

    def of(self, kept: Tensor, dim: int = 1) -> Tensor:
        """Return what is kept of these lines, along one dimension: a view where the lines follow each other."""
        if self.follow:
            return kept.narrow(dim, self.numbers[0], len(self.numbers))
        return kept.index_select(dim, self.on(kept.device))

    def put(self, kept: Tensor, values: Tensor) -> None:
        """Keep values (chips, these lines, ...) in (chips, lines, ...), unless the gate is shut."""
        if self.gate is not None:
            values = torch.where(self.gate, values, self.of(kept))
        if self.follow:
            self.of(kept).copy_(values)
        else:
            kept.index_copy_(1, self.on(kept.device), values)

    def one_hot(self, chips: int, lines: int, device: torch.device) -> Tensor:
        """Return vectors (chips, these lines, lines) of which each is 1 at its line and 0 elsewhere."""
        ones = torch.zeros(chips, len(self.numbers), lines, device=device)
        if self.follow:
            ones.diagonal(self.numbers[0], 1, 2).fill_(1.0)
            return ones
        return ones.scatter_(2, self.on(device).view(1, -1, 1).expand(chips, -1, 1), 1.0)
