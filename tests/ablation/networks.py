"""A network of a moment, for runs of many chips."""

from __future__ import annotations

import math

from torch import nn


def tiny(shape: tuple[int, int, int], classes: int) -> nn.Sequential:
    """Return two small layers with ReLU between them."""
    return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(shape), 16), nn.ReLU(), nn.Linear(16, classes))
