"""Choose the code that moves a model's devices."""

from __future__ import annotations

from torch import nn

from mho.kernels.backend import backend
from mho.nn.layer import analog_layers


def set_backend(model: nn.Module, name: str) -> nn.Module:
    """Let a model's pulses run on a backend: "auto", "cpu", or "reference" (slow, obvious NumPy: the oracle).

    Every backend gives the same pulses from the same seed. Changes the model in place and returns it. Raises
    ConfigError for a backend that cannot run here.
    """
    backend(name)
    for layer in analog_layers(model):
        for tile in layer.analog_tiles():
            tile.backend = name
    return model
