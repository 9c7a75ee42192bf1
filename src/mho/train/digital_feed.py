"""Which samples a digital training sees in which order, how they are changed, and where it computes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mho.data import Dataset
from mho.errors import ConfigError
from mho.random import make_key, permutation, philox, u32

MARGIN = 4
"""Pixels by which "flip-crop" shifts images at most."""


@dataclass(frozen=True)
class Feed:
    """How the data reach a model in training.

    batch_size: samples of a step. seed: of the order, the changes and torch's own draws (dropout). augment: "none",
    "crop" (images shifted by up to 4 pixels, zeros from outside), or "flip-crop" (half of them also mirrored), which
    is usual on CIFAR-10. device: "auto" takes a GPU where there is one.
    """

    batch_size: int = 64
    seed: int = 0
    augment: Literal["none", "crop", "flip-crop"] = "none"
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ConfigError(f"batch_size must be at least 1, found {self.batch_size}")
        if self.augment not in ("none", "crop", "flip-crop"):
            raise ConfigError(f"augment takes 'none', 'crop' or 'flip-crop', found {self.augment!r}")
        make_key(self.seed, 0, "data", "order")  # raises for a seed that cannot be

    def torch_device(self) -> torch.device:
        """Return where to compute."""
        if self.device == "auto":
            return torch.device("cuda" if torch.cuda.is_available() else "cpu")
        return torch.device(self.device)

    def steps(self, samples: int) -> int:
        """Return the steps of an epoch; the last one may be smaller."""
        return -(-samples // self.batch_size)

    def batches(self, data: Dataset, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the images and labels of every step of an epoch, in an order that seed and epoch alone decide."""
        order = permutation(len(data.train_labels), make_key(self.seed, 0, "data", "order"), epoch)
        first_step = epoch * self.steps(len(order))
        for step, first in enumerate(range(0, len(order), self.batch_size), first_step):
            x, y = data.batch(order[first : first + self.batch_size])
            yield self._changed(x, step), y

    def _changed(self, x: Tensor, step: int) -> Tensor:
        if self.augment == "none":
            return x
        rows, columns, mirror, _ = self._words(len(x), step)
        shift = 2 * MARGIN + 1
        if self.augment == "flip-crop":
            x = torch.where(torch.from_numpy(mirror % 2 == 0).view(-1, 1, 1, 1), x, x.flip(3))
        height, width = x.shape[2:]
        padded = F.pad(x, (MARGIN,) * 4)
        down = torch.from_numpy(rows % shift)[:, None] + torch.arange(height)
        right = torch.from_numpy(columns % shift)[:, None] + torch.arange(width)
        image = torch.arange(len(x)).view(-1, 1, 1, 1)
        channel = torch.arange(x.shape[1]).view(1, -1, 1, 1)
        return padded[image, channel, down[:, None, :, None], right[:, None, None, :]]

    def _words(self, count: int, step: int) -> tuple[np.ndarray, ...]:
        """Return four random words for each sample of a step."""
        k0, k1 = (np.array([k], np.uint32) for k in make_key(self.seed, 0, "data", "augment"))
        zero = np.zeros(1, np.uint32)
        words = philox(k0, k1, np.arange(count, dtype=np.uint32), zero, zero, u32(np.array([step])))
        return tuple(np.broadcast_to(w, (count,)).astype(np.int64) for w in words)
