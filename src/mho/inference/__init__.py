"""Inference: trained weights programmed on devices, their errors, faults and drift, and what brings accuracy back."""

from __future__ import annotations

from importlib import import_module
from typing import Any

# No name may be that of a module here: importing `mho.inference.evaluate` would set the module in its place.
_NAMES = {
    "adapt_report": ("AdaptReport",),
    "adapt_set": ("balanced",),
    "adaptation": ("adapt", "importance"),
    "ageing_settings": ("Ageing", "Drift", "FlickerNoise", "ReadNoise", "Retention", "Temperature"),
    "batchnorm_statistics": ("recalibrate_batchnorm",),
    "conductances": ("Conductances",),
    "distillation": ("Distillation", "distillation_loss"),
    "effort": ("EffortComparison", "compare_effort"),
    "effort_settings": ("EffortAssumptions",),
    "errors": ("WriteError",),
    "evaluation": ("evaluate",),
    "faults": ("StuckFaults",),
    "files": ("dump_programming", "load_programming", "save_programming"),
    "fitted": ("measure_error",),
    "hardware_aware_model": ("Aware", "hardware_aware"),
    "hardware_aware_settings": ("HardwareAware", "WeightClip", "WeightNoise"),
    "over_time": ("Moment", "accuracy_over_time"),
    "presets": ("ProgrammingPreset", "preset", "preset_rows"),
    "programmed": ("Programmed",),
    "programming": ("age", "program", "restore"),
    "programming_report": ("LayerReport", "ProgramReport"),
    "settings": ("Programming", "Timing"),
    "sparse": ("Adapted",),
    "sparse_attach": ("adapted_layers", "attach", "detach"),
    "sparse_settings": ("Adaptation", "RandomSparse"),
    "verify": ("Verify",),
}  # fmt: skip
_HOMES = {name: module for module, names in _NAMES.items() for name in names}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: settings are read without torch."""
    if name in _HOMES:
        return getattr(import_module(f"mho.inference.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'mho.inference' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
