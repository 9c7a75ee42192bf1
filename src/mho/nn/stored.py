"""Layers whose weights stand somewhere else: every chip computes with what was read, or drawn, from its own memory."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call

from mho.errors import ShapeError, nearest
from mho.nn.chips import per_chip


class StoredWeights(nn.Module):
    """A layer that every chip computes with weights of its own: `stored`, (chips, ...) of the layer's weight's shape.

    Input and output are chip-major, (chips * batch, ...). Any type of numbers may be stored (signs as int8); they are
    turned into the type of the layer's weight for the product. All else, as a bias, is the layer's own for all chips.
    Raises ShapeError for another shape.
    """

    stored: Tensor

    def __init__(self, layer: nn.Module, stored: Tensor) -> None:
        super().__init__()
        shape = tuple(layer.weight.shape)  # type: ignore[arg-type]
        if tuple(stored.shape[1:]) != shape or len(stored) == 0:
            raise ShapeError(
                f"weights of shape {tuple(stored.shape)} were given for a {type(layer).__name__} whose weight has the "
                f"shape {shape}; give them as (chips, {', '.join(map(str, shape))})"
            )
        self.layer = layer
        self.register_buffer("stored", stored)

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's outputs, chip-major."""
        own = self.layer.weight
        parts = zip(per_chip(x, len(self.stored)), self.stored, strict=True)
        return torch.cat([functional_call(self.layer, {"weight": w.to(own)}, part) for part, w in parts])


def with_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> nn.Module:
    """Return a copy of a model, in evaluation mode, whose named layers compute with `weights`, (chips, ...) each.

    It takes chip-major batches, as `mho.spread` makes them, and numbers its `chips` from 0. Raises ShapeError for a
    name that no layer has, and for weights of another shape or of different numbers of chips.
    """
    if len({len(w) for w in weights.values()}) > 1:
        found = ", ".join(f"{name}: {len(w)}" for name, w in weights.items())
        raise ShapeError(f"weights were given for different numbers of chips ({found}); all layers need the same")
    made = copy.deepcopy(model).eval()
    layers = {name: layer for name, layer in made.named_modules() if isinstance(getattr(layer, "weight", None), Tensor)}
    for name, stored in weights.items():
        if name not in layers:
            raise ShapeError(
                f"weights were given for a layer {name!r}, which the model does not have; {nearest(name, layers)}"
            )
        try:
            one = StoredWeights(layers[name], stored)
        except ShapeError as error:
            raise ShapeError(f"layer {name!r}: {error}") from None
        if not name:
            made = one
        else:
            made.set_submodule(name, one)
    made.chips = tuple(range(max(map(len, weights.values()), default=1)))  # type: ignore[assignment]
    return made
