"""Which code moves devices: a setting of its own, apart from the device's law and the update's scheme."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from mho.errors import ConfigError

BACKENDS = {"auto": "cpu", "cpu": "cpu", "reference": "reference"}
"""Names of backends and the modules behind them; "auto" takes the fastest that this machine has."""


def backend(name: str) -> Any:
    """Return the module whose `rates` and `pulse_update_` a backend is; raise ConfigError for one that cannot run."""
    if name == "gpu":
        raise ConfigError(
            'backend="gpu" was asked for, but pulses run on the CPU in this version: laws compile for GPUs '
            '(mho.kernels.triton), training there does not exist yet; use backend="auto"'
        )
    if name not in BACKENDS:
        raise ConfigError(f"backend is one of {', '.join(BACKENDS)}, found {name!r}")
    return import_module(f"mho.kernels.{BACKENDS[name]}")


def mean_backend(name: str) -> Any:
    """Return the module whose `mean_update_` a backend is; raise ConfigError for one that cannot run."""
    return _own_module(name, "mean")


def burst_backend(name: str) -> Any:
    """Return the module whose `burst_` a backend is; raise ConfigError for one that cannot run."""
    return _own_module(name, "burst")


def _own_module(name: str, kernel: str) -> Any:
    """Return the module of a kernel, which has one of its own on the CPU."""
    module = backend(name)
    return import_module(f"mho.kernels.{kernel}") if module.__name__ == "mho.kernels.cpu" else module
