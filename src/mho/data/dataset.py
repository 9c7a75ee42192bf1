"""What every loader returns: images and labels in memory, with where they came from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from mho.errors import DataError

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Dataset:
    r"""A labelled image data set, kept as bytes and turned into floats when asked.

    A pixel p becomes the float p / `scale`, in [0, 1]. `train_x` and `test_x` convert a whole split and keep
    the result (188 MB for MNIST, 614 MB for CIFAR-10); `batch` converts only the rows asked for, with the
    same bits.

    Parameters
    ----------
    name : the data set's name; a lossy copy has a name of its own, so that results are not confused
    classes : the names of the labels 0, 1, ...
    train_images, test_images : shape (n, channels, height, width), uint8
    train_labels, test_labels : shape (n,), int64
    scale : the pixel value that becomes 1.0
    source : a sentence saying where the data came from
    checksums : md5 by file name
    """

    name: str
    classes: tuple[str, ...]
    train_images: NDArray[np.uint8] = field(repr=False)
    train_labels: NDArray[np.int64] = field(repr=False)
    test_images: NDArray[np.uint8] = field(repr=False)
    test_labels: NDArray[np.int64] = field(repr=False)
    scale: int = 255
    source: str = ""
    checksums: dict[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Refuse splits whose images, labels and classes do not belong together."""
        for split, images, labels in (
            ("training", self.train_images, self.train_labels),
            ("test", self.test_images, self.test_labels),
        ):
            if len(images) != len(labels):
                raise DataError(
                    f"{self.name}: the {split} split has {len(images)} images and {len(labels)} labels "
                    f"({self.source}); each image needs one label. Fetch the files again."
                )
            if len(images) == 0:
                raise DataError(f"{self.name}: the {split} split is empty ({self.source}); add images to it.")
            if labels.min() < 0 or labels.max() >= len(self.classes):
                raise DataError(
                    f"{self.name}: the {split} split has label {labels.max()} ({self.source}), but labels "
                    f"run from 0 to {len(self.classes) - 1}. Check that the label file belongs to these "
                    "images."
                )
        if self.train_images.shape[1:] != self.test_images.shape[1:]:
            raise DataError(
                f"{self.name}: training images have shape {self.train_images.shape[1:]} and test images "
                f"{self.test_images.shape[1:]} ({self.source}); a network needs one shape. Resize one of "
                "them."
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (channels, height, width) of one image."""
        channels, height, width = self.train_images.shape[1:]
        return channels, height, width

    @cached_property
    def train_x(self) -> torch.Tensor:
        """All training images, float32 in [0, 1], shape (n, channels, height, width)."""
        return self._floats(self.train_images)

    @cached_property
    def test_x(self) -> torch.Tensor:
        """All test images, float32 in [0, 1], shape (n, channels, height, width)."""
        return self._floats(self.test_images)

    @cached_property
    def train_y(self) -> torch.Tensor:
        """Training labels, int64, shape (n,)."""
        return self._labels(self.train_labels)

    @cached_property
    def test_y(self) -> torch.Tensor:
        """Test labels, int64, shape (n,)."""
        return self._labels(self.test_labels)

    def first(self, train: int | None, test: int | None = None) -> Dataset:
        """Return the data set with the first images of each split only; None or too many leave a split as it is."""
        found = self
        if train is not None and train < len(self.train_labels):
            found = replace(found, train_images=self.train_images[:train], train_labels=self.train_labels[:train])
        if test is not None and test < len(self.test_labels):
            found = replace(found, test_images=self.test_images[:test], test_labels=self.test_labels[:test])
        return found

    def window(self, rows: tuple[int, int], columns: tuple[int, int], *, name: str) -> Dataset:
        """Return the data set under another name, with these pixels only: from the first on, below the second.

        Raises DataError when the images are smaller than that.
        """
        _, height, width = self.shape
        if not (0 <= rows[0] < rows[1] <= height and 0 <= columns[0] < columns[1] <= width):
            raise DataError(
                f"{name} is a window of rows {rows[0]} to {rows[1] - 1} and columns {columns[0]} to {columns[1] - 1}, "
                f"but the images of {self.name} have {height}x{width} pixels ({self.source}); use --data {self.name}."
            )
        kept = (slice(None), slice(None), slice(*rows), slice(*columns))
        return replace(
            self,
            name=name,
            train_images=np.ascontiguousarray(self.train_images[kept]),
            test_images=np.ascontiguousarray(self.test_images[kept]),
        )

    def batch(
        self, index: NDArray[np.int64] | torch.Tensor | slice, *, split: Literal["train", "test"] = "train"
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return (x, y) of the rows `index` of a split: float32 images in [0, 1] and int64 labels."""
        rows = index if isinstance(index, slice) else np.asarray(index)
        images, labels = (
            (self.train_images, self.train_labels) if split == "train" else (self.test_images, self.test_labels)
        )
        return self._floats(images[rows]), self._labels(labels[rows])

    def _floats(self, images: NDArray[np.uint8]) -> torch.Tensor:
        import torch

        # numpy converts straight from bytes, so no second copy of the bytes is made; in-place division keeps
        # one array.
        x = images.astype(np.float32)
        return torch.from_numpy(x).div_(self.scale)

    @staticmethod
    def _labels(labels: NDArray[np.int64]) -> torch.Tensor:
        import torch

        return torch.from_numpy(labels.astype(np.int64))
