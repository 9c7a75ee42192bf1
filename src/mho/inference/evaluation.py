"""Accuracy of a model on its chips, all of them in one pass over the test images."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn

from mho.errors import ShapeError
from mho.nn import per_chip, spread
from mho.nn.layer import analog_layers
from mho.nn.modes import evaluating

SAMPLES = 50
"""Images that every chip sees at once. Not fewer where chips are many: a chip alone then draws as among them."""

Told = Callable[[int, int], None]
"""Told after every part: images done, and images in all."""


class Images(Protocol):
    """What is asked of a data set, as `mho.data.Dataset` answers it."""

    @property
    def test_labels(self) -> Any:
        """The labels of the test set, of any kind that has a length."""

    def batch(self, index: slice, *, split: Literal["test"]) -> tuple[Tensor, Tensor]:
        """Return images and labels."""


@torch.no_grad()
def evaluate(
    model: nn.Module, data: Images | tuple[Tensor, Tensor], *, progress: Told | None = None, samples: int = SAMPLES
) -> list[float]:
    """Return the accuracy of every chip in percent, over the whole test set.

    data: a `mho.data.Dataset`, or a pair of images (n, ...) and labels (n,). samples: images that every chip sees at
    once; the noise of converters is drawn for each such part. Evaluating changes nothing in training. Raises ShapeError
    for images and labels that do not belong together, and NotFiniteError for NaN or infinity.
    """
    chips, count, device = chip_count(model), _count(data), device_of(model)
    hits = torch.zeros(chips, dtype=torch.int64, device=device)
    with evaluating(model):
        for first in range(0, count, samples):
            part = slice(first, min(first + samples, count))
            x, y = (data[0][part], data[1][part]) if isinstance(data, tuple) else data.batch(part, split="test")
            hits += (per_chip(model(spread(x.to(device), chips)), chips).argmax(2) == y.to(device)).sum(1)
            if progress is not None:
                progress(part.stop, count)
    return (100.0 * hits.double() / count).tolist()


def chip_count(model: nn.Module) -> int:
    """Return how many chips a model has: as it says, or as its analog layers do where it is one that holds a model."""
    layers = analog_layers(model)
    return len(getattr(model, "chips", layers[0].chips if layers else (0,)))


def device_of(model: nn.Module) -> torch.device:
    """Return where the parameters and buffers of a model are, the CPU where it has none."""
    return next((held.device for held in chain(model.parameters(), model.buffers())), torch.device("cpu"))


def _count(data: Images | tuple[Tensor, Tensor]) -> int:
    if not isinstance(data, tuple):
        return len(data.test_labels)
    images, labels = data
    if len(images) != len(labels) or len(labels) == 0:
        raise ShapeError(
            f"evaluation takes as many images as labels, found {len(images)} and {len(labels)}; give a pair (images "
            "(n, ...), labels (n,))"
        )
    return len(labels)
