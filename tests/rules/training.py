"""Small layers, networks and steps that the tests of rules share."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import mho
from mho import AnalogConfig
from mho.nn import AnalogLayer
from mho.optim import AnalogSGD

Chips = int | Sequence[int]
Batch = tuple[Tensor, Tensor]


def plain_layer(kind: str) -> nn.Module:
    """Return a linear layer or a convolution with its bias, always of the same weights."""
    with torch.random.fork_rng():
        torch.manual_seed(4)
        return nn.Linear(9, 5) if kind == "linear" else nn.Conv2d(2, 3, 2, padding=1)


def inputs(kind: str, batch: int, seed: int = 0) -> Tensor:
    """Return inputs of such a layer."""
    shape = (9,) if kind == "linear" else (2, 3, 3)
    return torch.rand(batch, *shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def network(config: AnalogConfig, chips: Chips = 2, seed: int = 0) -> nn.Module:
    """Return a convolution and two linear layers on chips, always of the same initial weights."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        layers = OrderedDict(
            conv=nn.Conv2d(1, 3, 3), act=nn.Tanh(), flat=nn.Flatten(), fc1=nn.Linear(27, 6), act1=nn.Tanh(),
            fc2=nn.Linear(6, 2),
        )  # fmt: skip
    return mho.convert_to_analog(nn.Sequential(layers), config, chips=chips, seed=seed)


def spots(steps: int, batch: int = 6) -> list[Batch]:
    """Return batches of 5x5 images of noise with one bright row, an upper (0) or a lower one (1)."""
    generator = torch.Generator().manual_seed(9)
    found = []
    for _ in range(steps):
        label = torch.randint(2, (batch,), generator=generator)
        row = torch.randint(2, (batch,), generator=generator)
        image = 0.3 * torch.randn(batch, 1, 5, 5, generator=generator)
        image[torch.arange(batch), 0, 3 * label + row] += 1.0
        found.append((image, label))
    return found


def loss(model: nn.Module, batch: Batch) -> Tensor:
    """Return the summed loss over the samples and chips."""
    x, y = batch
    out = model(mho.spread(x, len(model.chips)))
    return mho.chip_loss(lambda o, t: F.cross_entropy(o, t, reduction="sum"), out, y)


def train(model: nn.Module, batches: Iterable[Batch], lr: Any = 0.05) -> nn.Module:
    """Train a model by one step a batch, and return it."""
    optimizer = AnalogSGD(model.parameters(), lr=lr)
    for batch in batches:
        optimizer.zero_grad()
        loss(model, batch).backward()
        optimizer.step()
    return model


def analog(model: nn.Module) -> list[AnalogLayer]:
    """Return the analog layers of a model."""
    return [layer for layer in model.modules() if isinstance(layer, AnalogLayer)]


def held(module: nn.Module) -> dict[str, Tensor]:
    """Return a copy of everything that a module would save."""
    return {key: value.clone() for key, value in module.state_dict().items()}


def differing(one: dict[str, Tensor], other: dict[str, Tensor]) -> list[str]:
    """Return the names under which two modules hold something else."""
    assert one.keys() == other.keys()
    return [key for key, value in one.items() if not torch.equal(value, other[key])]
