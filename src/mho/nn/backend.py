"""Choose the code that moves a model's devices and computes their products, and the precision of the products."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from torch import nn

from mho.config.places import Precision
from mho.errors import ConfigError
from mho.kernels.backend import resolve
from mho.nn.layer import analog_layers
from mho.periphery.product import Product

PRECISIONS: tuple[str, ...] = get_args(Precision)
"""How inputs and weights enter the products on a GPU."""


def set_backend(model: nn.Module, name: str) -> nn.Module:
    """Let a model compute on a backend: "auto", "cpu", "gpu", or "reference" (slow, obvious NumPy: the oracle).

    "auto" is "gpu" where the model is on a CUDA device, else "cpu". Every backend gives the same pulses from the same
    seed; "reference" is one of pulses, its products are the CPU's. Changes the model in place and returns it. Raises
    ConfigError for a backend that cannot run where the model is.
    """
    tiles = [tile for layer in analog_layers(model) for tile in layer.analog_tiles()]
    for tile in tiles:
        resolve(name, tile.state)
    for tile in tiles:
        tile.backend = name
    for product in _products(model):
        product.backend = "cpu" if name == "reference" else name
    return model


def set_precision(model: nn.Module, name: str) -> nn.Module:
    """Let the forward and backward products of a model compute in "float32", "tf32" or "bf16"; sums are float32.

    That is the precision of what enters the array and of the weights in the product alone: devices, pulses, noise and
    converters stay float32. "tf32" has 10 bits of mantissa, "bf16" 7. On the CPU "bf16" rounds the same numbers, and is
    no faster; "tf32" is float32 there. Changes the model in place and returns it. Raises ConfigError for another name.
    """
    if name not in PRECISIONS:
        raise ConfigError(f"precision is one of {', '.join(PRECISIONS)}, found {name!r}")
    for product in _products(model):
        product.precision = name
    return model


def _products(model: nn.Module) -> Iterator[Product]:
    """Yield the forward and backward products of all analog layers."""
    for layer in analog_layers(model):
        for grid in layer.grid_list:
            yield from grid.forward_products
            yield from grid.backward_products
