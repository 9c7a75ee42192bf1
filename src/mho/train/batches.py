"""A data set where a run is computed: on a GPU moved there once, as bytes, and turned into floats batch by batch."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from mho.data import Dataset

SHARE = 0.25
"""Of a GPU's free memory, data sets may take so much; larger ones stay on the host, and batches are copied."""

Split = Literal["train", "test"]


class Batches:
    """Batches of a data set as tensors on a device, with the bits that `Dataset.batch` gives on the CPU.

    whole: whether all of it is kept on the device. On the CPU it never is: there the data set itself answers.
    """

    def __init__(self, data: Dataset, device: torch.device, *, whole: bool = True) -> None:
        self.data, self.device, self.kept = data, device, {}
        self.train_labels, self.test_labels = data.train_labels, data.test_labels
        if device.type != "cuda":
            return
        # A tensor: to divide by a number, torch multiplies by its inverse on GPUs, which rounds differently.
        self.scale = torch.full((), float(data.scale), device=device)
        if whole:
            self.kept = {
                "train": (self._moved(data.train_images), self._moved(data.train_labels)),
                "test": (self._moved(data.test_images), self._moved(data.test_labels)),
            }

    kept: dict[str, tuple[Tensor, Tensor]]

    def rows(self, rows: np.ndarray) -> Any:
        """Return numbers of samples as `batch` takes them here: on the device that has the data."""
        return self._moved(rows) if self.kept else rows

    def batch(self, index: Any, *, split: Split = "train") -> tuple[Tensor, Tensor]:
        """Return (x, y) of the rows `index` of a split: float32 images in [0, 1] and int64 labels, on the device."""
        if not self.kept:
            x, y = self.data.batch(index, split=split)
            return x.to(self.device), y.to(self.device)
        images, labels = self.kept[split]
        return images[index].float().div_(self.scale), labels[index].long()

    def _moved(self, values: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self.device)


def data_bytes(data: Dataset) -> int:
    """Return the bytes of a data set as it is kept."""
    return sum(a.nbytes for a in (data.train_images, data.train_labels, data.test_images, data.test_labels))
