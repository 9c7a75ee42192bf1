"""In which order a run sees its samples: it follows from seed and epoch, so it never needs saving."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mho.config import RunConfig
from mho.random import make_key, permutation


class Order:
    """The order of the training samples in every epoch: of all chips or, with vary=("order",), of each."""

    def __init__(self, config: RunConfig, samples: int) -> None:
        self.samples, self.batch = samples, config.batch_size
        own = "order" in config.vary
        self.keys = [make_key(config.seed, chip, "data", "order") for chip in (config.chip_ids if own else (0,))]

    @property
    def steps(self) -> int:
        """Steps of an epoch; the last one may be smaller."""
        return -(-self.samples // self.batch)

    def blocks(self, epoch: int, steps: int) -> Iterator[np.ndarray]:
        """Yield the samples of `steps` steps at a time, shape (1 or chips, samples)."""
        order = np.stack([permutation(self.samples, key, epoch) for key in self.keys])
        for first in range(0, self.samples, steps * self.batch):
            yield order[:, first : first + steps * self.batch]
