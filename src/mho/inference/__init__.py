"""Inference: trained weights programmed on devices, their errors, faults and drift, and what brings accuracy back."""

from __future__ import annotations

from importlib import import_module
from typing import Any

# No name may be that of a module here: importing `mho.inference.evaluate` would set the module in its place.
_HOMES = {
    "Ageing": "ageing_settings", "Drift": "ageing_settings", "FlickerNoise": "ageing_settings",
    "Moment": "over_time", "ReadNoise": "ageing_settings", "Retention": "ageing_settings",
    "Temperature": "ageing_settings", "accuracy_over_time": "over_time", "evaluate": "evaluation",
    "load_programming": "files", "save_programming": "files",
    "Conductances": "conductances", "Programmed": "programmed",
    "ProgramReport": "programming_report", "Programming": "settings", "ProgrammingPreset": "presets",
    "StuckFaults": "faults", "Timing": "settings", "Verify": "verify", "WriteError": "errors", "age": "programming",
    "Aware": "hardware_aware_model", "Distillation": "distillation", "HardwareAware": "hardware_aware_settings",
    "WeightClip": "hardware_aware_settings", "WeightNoise": "hardware_aware_settings",
    "distillation_loss": "distillation", "hardware_aware": "hardware_aware_model",
    "measure_error": "fitted", "preset": "presets",
    "preset_rows": "presets", "program": "programming", "restore": "programming",
    "AdaptReport": "adapt_report", "Adaptation": "sparse_settings", "Adapted": "sparse",
    "EffortAssumptions": "effort_settings", "EffortComparison": "effort", "RandomSparse": "sparse_settings",
    "adapt": "adaptation", "adapted_layers": "sparse_attach", "attach": "sparse_attach", "balanced": "adapt_set",
    "compare_effort": "effort", "detach": "sparse_attach", "importance": "adaptation",
}  # fmt: skip

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: settings are read without torch."""
    if name in _HOMES:
        return getattr(import_module(f"mho.inference.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'mho.inference' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
