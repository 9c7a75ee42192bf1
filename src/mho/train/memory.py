"""How much memory the chips of a run need on a GPU, estimated before any of them is there."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from mho.kernels.gpu.machine import check_memory
from mho.nn.layer import analog_layers
from mho.nn.modes import evaluating

SHARED = 512 * 2**20
"""Bytes beside the chips: pulse trains and programming work in portions of at most 256 MiB, and libraries take some."""
FLOAT = 4


def tensor_bytes(model: nn.Module) -> float:
    """Return the bytes of the tensors of a network on its chips: conductances, parameters of devices, weights."""
    tensors = {id(t): t for t in (*model.parameters(), *model.state_dict().values())}
    size = sum(t.numel() * t.element_size() for t in tensors.values())
    own = (vars(tile).values() for layer in analog_layers(model) for tile in layer.analog_tiles())
    return float(size + sum(_bytes(value) for values in own for value in values if id(value) not in tensors))


def _bytes(value: Any) -> int:
    return int(getattr(value, "nbytes", 0)) if not isinstance(value, dict) else sum(map(_bytes, value.values()))


def sample_bytes(network: nn.Module, shape: tuple[int, ...]) -> float:
    """Return the bytes that one sample takes in a training step of one chip: values, errors, and unfolded images.

    Found by one image that goes through a copy of the plain network, layer by layer.
    """
    kept = unfolded = 0

    def seen(layer: nn.Module, inputs: tuple[Tensor, ...], out: Any) -> None:
        nonlocal kept, unfolded
        if not isinstance(out, Tensor):
            return
        kept += 2 * out.numel()  # the value, and its error in the backward pass
        kernel = getattr(layer, "kernel_size", None)
        weight = getattr(layer, "weight", None)
        if kernel is not None and isinstance(weight, Tensor):
            unfolded = max(unfolded, out.numel() // out.shape[1] * weight[0].numel())

    model = deepcopy(network)
    for layer in model.modules():
        if not list(layer.children()):
            layer.register_forward_hook(seen)
    with torch.no_grad(), evaluating(model), torch.random.fork_rng(devices=[]):
        model(torch.zeros(1, *shape))
    return float(FLOAT * (kept + 2 * unfolded))


def check_fits(model: nn.Module, device: torch.device, chips: int, *, step: float, shared: float) -> None:
    """Raise GpuMemoryError, saying how many chips would fit, where a model on the CPU is too large for a GPU.

    step: bytes of each chip in a step beside the model's own. shared: bytes beside the chips, as of the data set.
    """
    # A copy of the largest matrix, rounded or scaled for its product, and what the other direction has in the meantime.
    matrix = max((layer.out_size * layer.in_size for layer in analog_layers(model)), default=0)
    per_chip = tensor_bytes(model) / chips + step + 2 * FLOAT * matrix
    check_memory(device, chips, per_chip=per_chip, shared=SHARED + shared)
