"""The step and call numbers of a model while a graph replays its steps: no Python runs then that could count."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn


class Counters:
    """All numbers that key the draws of a model, as a graph captures them, and ticks on the device that are added.

    A kernel draws for number + tick. The graph itself moves the ticks by what one step adds; the modules' own numbers
    are moved in Python, so that steps outside the graph, evaluations and checkpoints go on from the right ones.
    """

    def __init__(self, model: nn.Module, device: torch.device) -> None:
        self.modules: list[Any] = [m for m in model.modules() if hasattr(m, "ticks")]
        self.sizes = [len(m.counted()) for m in self.modules]
        # Each begins at a multiple of 16 bytes, as what stands for no tick does: else Triton would compile the kernels
        # of a captured step anew, and load them, which CUDA forbids while it captures.
        self.ticks = torch.zeros(sum(self.sizes), 2, dtype=torch.int64, device=device)[:, 0]
        self.advance = torch.zeros_like(self.ticks)
        self.end()  # so that torch has loaded its kernel, too
        self.base, self.each, self.expected = self.now(), [0] * sum(self.sizes), self.now()

    def now(self) -> list[int]:
        """Return all numbers, in the order of the ticks."""
        return [number for m in self.modules for number in m.counted()]

    def set(self, numbers: list[int]) -> None:
        """Set all numbers."""
        rest = iter(numbers)
        for module, size in zip(self.modules, self.sizes, strict=True):
            module.count_([next(rest) for _ in range(size)])

    @contextmanager
    def captured(self) -> Iterator[None]:
        """Let the modules hand the ticks to the kernels of one step, which is captured in here and not done."""
        for module, own in zip(self.modules, self.ticks.split(self.sizes), strict=True):
            module.ticks = own
        self.base = self.expected = self.now()
        try:
            yield
            self.each = [after - before for after, before in zip(self.now(), self.base, strict=True)]
        finally:
            self.set(self.base)
            for module in self.modules:
                module.ticks = None
        self.advance.copy_(torch.tensor(self.each, dtype=torch.int64))
        self.ticks.zero_()

    def end(self) -> None:
        """Move the ticks by one step, on the device: the last thing that a captured step does."""
        self.ticks += self.advance

    def pass_(self) -> None:
        """Count the coming replay, and set the ticks where other steps came in between."""
        now = self.now()
        if now != self.expected:
            self.ticks.copy_(torch.tensor([n - b for n, b in zip(now, self.base, strict=True)], dtype=torch.int64))
        self.expected = [n + e for n, e in zip(now, self.each, strict=True)]
        self.set(self.expected)
