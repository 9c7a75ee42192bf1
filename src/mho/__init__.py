"""mho: neural networks on simulated analog crossbar arrays of resistive memory devices."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from mho.version import __version__

_HOMES = {
    "AnalogConv1d": "nn", "AnalogConv2d": "nn", "AnalogConv3d": "nn", "AnalogLayer": "nn", "AnalogLinear": "nn",
    "chip_loss": "nn", "convert_to_analog": "nn", "convert_to_digital": "nn", "per_chip": "nn", "set_backend": "nn",
    "set_precision": "nn", "spread": "nn", "summary": "nn", "AnalogConfig": "config", "RunConfig": "config",
    "preset": "config", "presets": "config", "Mapping": "mapping", "Periphery": "periphery", "Update": "update",
    "train": "train",
    "check_device": "characterize", "show_device": "report", "ZeroShift": "update", "zero_shift": "nn",
    "ablate": "ablation", "Window": "units", "ArraySettings": "tiles", "Cell": "tiles", "Refresh": "tiles",
    "Programming": "inference", "program": "inference", "age": "inference", "restore": "inference",
    "distribute": "distributed", "TrainingGraph": "graph",
}  # fmt: skip
_ROOMS = (
    "ablation",
    "characterize",
    "config",
    "data",
    "devices",
    "distributed",
    "errors",
    "graph",
    "inference",
    "mapping",
    "nn",
    "optim",
    "periphery",
    "report",
    "studies",
    "sweep",
    "tiles",
    "units",
    "update",
    "watch",
)

__all__ = ["__version__", *_HOMES, *_ROOMS]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import mho` costs nothing."""
    if name in _HOMES:
        return getattr(import_module(f"mho.{_HOMES[name]}"), name)
    if name in _ROOMS:
        return import_module(f"mho.{name}")
    raise AttributeError(f"module 'mho' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
