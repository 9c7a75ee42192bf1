"""Which code moves devices: a setting of its own, apart from the device's law and the update's scheme."""

from __future__ import annotations

import os
from functools import cache
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from mho.errors import ConfigError
from mho.kernels.gpu.machine import check_cuda, check_gpu

BACKENDS = {"cpu": "cpu", "gpu": "gpu.update", "reference": "reference"}
"""Names of backends and the modules behind them."""
NAMES = ("auto", *BACKENDS)
"""What may be asked for; "auto" is "gpu" for what is on a CUDA device, and "cpu" elsewhere."""


def resolve(name: str, tensor: Tensor) -> str:
    """Return the backend that computes on a tensor: "cpu", "gpu" or "reference"; raise ConfigError where none can.

    "gpu" also computes on the CPU in Triton's interpreter, for tests, where TRITON_INTERPRET is set.
    """
    if name == "auto":
        name = "gpu" if tensor.is_cuda else "cpu"
    elif name not in BACKENDS:
        raise ConfigError(f"backend is one of {', '.join(NAMES)}, found {name!r}")
    if tensor.is_cuda:
        if name != "gpu":
            raise ConfigError(
                f'backend="{name}" was asked for devices on {tensor.device}, but it computes on the CPU; move the '
                'model with model.to("cpu"), or use backend="auto"'
            )
        _check(tensor.device)
    elif name == "gpu" and not os.environ.get("TRITON_INTERPRET"):
        check_cuda('backend="gpu"')
        raise ConfigError(
            f'backend="gpu" was asked for devices on {tensor.device}, but it computes on CUDA devices; move the model '
            'first with model.to("cuda") (backend="auto" then is "gpu" by itself)'
        )
    return name


def backend(name: str, tensor: Tensor) -> Any:
    """Return the module whose `rates` and `pulse_update_` move what is where a tensor is; raise as `resolve`."""
    return _module(resolve(name, tensor), None)


def mean_backend(name: str, tensor: Tensor) -> Any:
    """Return the module whose `mean_update_` moves what is where a tensor is; raise as `resolve`."""
    return _module(resolve(name, tensor), "mean")


def burst_backend(name: str, tensor: Tensor) -> Any:
    """Return the module whose `burst_` moves what is where a tensor is; raise as `resolve`."""
    return _module(resolve(name, tensor), "burst")


@cache
def _module(name: str, kernel: str | None) -> Any:
    """Return the module of a backend; some kernels have one of their own on the CPU."""
    return import_module(f"mho.kernels.{kernel if kernel is not None and name == 'cpu' else BACKENDS[name]}")


@cache
def _check(device: torch.device) -> None:
    """Look once at a GPU: whether mho can compute on it."""
    check_gpu(device)
