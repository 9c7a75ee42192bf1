"""What a run notes beside its accuracy: counts of the hardware's work, and how large the errors d are."""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
import torch
from torch import nn

from mho.nn.layer import AnalogLayer, analog_layers

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
VECTORS = 256
"""Of one sampled step, so many errors d of a layer are looked at."""


def pulses(model: nn.Module) -> dict[str, list[int]]:
    """Return the pulses that each layer's devices got since their creation, one number per chip."""
    return {layer.name: _total(layer) for layer in analog_layers(model)}


def _total(layer: AnalogLayer) -> list[int]:
    return torch.stack([tile.totals for tile in layer.analog_tiles()]).sum(0).tolist()


def products(model: nn.Module) -> dict[str, dict[str, int]]:
    """Return the analog products of all chips so far: reads and, of those, repeats by bound management."""
    found = {}
    for layer in analog_layers(model):
        counts = dict.fromkeys(("forward_reads", "forward_repeats", "backward_reads", "backward_repeats"), 0)
        for grid in layer.grids:
            for side in ("forward", "backward"):
                for product in getattr(grid, f"{side}_products"):
                    counts[f"{side}_reads"] += product.reads
                    counts[f"{side}_repeats"] += product.repeats
        found[layer.name] = counts
    return found


def since(before: dict[str, dict[str, int]], after: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    """Return the products between two counts."""
    return {name: {key: n - before[name][key] for key, n in counts.items()} for name, counts in after.items()}


def devices(model: nn.Module) -> dict[str, dict[str, Any]]:
    """Return by layer the share of weights clipped at the start (per chip) and of folded draws (by name)."""
    found: dict[str, dict[str, Any]] = {}
    for layer in analog_layers(model):
        tiles = layer.analog_tiles()
        sizes = [tile.state.numel() for tile in tiles]
        folded: dict[str, float] = {}
        for tile, size in zip(tiles, sizes, strict=True):
            for draw, share in tile.folded.items():
                folded[draw] = folded.get(draw, 0.0) + share * size / sum(sizes)
        found[layer.name] = {"clipped": list(layer.clipped), "folded": folded}
    return found


def rules(model: nn.Module) -> dict[str, list[dict[str, Any]]]:
    """Return by layer and block what its learning rule counted: by array its pulses and resets, transfers and so on."""
    return {layer.name: [block.tally() for block in layer.analog_blocks()] for layer in analog_layers(model)}


class Errors:
    """Samples of max abs(d) of every layer's errors, taken between `backward()` and `step()`."""

    def __init__(self, model: nn.Module) -> None:
        self.layers = analog_layers(model)
        # Not a tensor for every take: kept among a step's own, which come and go, they tear the memory to pieces.
        self.samples = {layer.name: array("f") for layer in self.layers}
        self.waiting: list[tuple[str, torch.Tensor]] = []  # on a GPU, where a copy would wait for all work before it

    def take(self) -> None:
        """Note max abs(d) of the vectors of the current step."""
        for layer in self.layers:
            if layer.pending:
                top = layer.pending[-1][1].abs().amax(dim=-1).flatten()
                some = top[:: max(1, top.numel() // VECTORS)]
                if some.is_cuda:
                    self.waiting.append((layer.name, some.clone()))
                else:
                    self._note(layer.name, some)

    def _note(self, name: str, some: torch.Tensor) -> None:
        self.samples[name].frombytes(some.numpy().tobytes())

    def quantiles(self) -> dict[str, list[float]]:
        """Return the QUANTILES of each layer's max abs(d)."""
        for name, some in self.waiting:
            self._note(name, some.cpu())
        self.waiting.clear()
        return {
            name: np.quantile(np.asarray(tops, np.float64), QUANTILES).tolist()
            for name, tops in self.samples.items()
            if tops
        }
