"""Configurations: frozen dataclasses of devices, periphery, update and mapping; presets; TOML in and out."""

from mho.config.analog import AnalogConfig
from mho.config.device_file import dump_device, load_device, save_device
from mho.config.device_named import device_named
from mho.config.presets import Preset, preset, presets
from mho.config.problems import SettingsError
from mho.config.run import LrSchedule, RunConfig
from mho.config.toml import dump, load, loads, override, save

__all__ = [
    "AnalogConfig", "LrSchedule", "Preset", "RunConfig", "SettingsError", "device_named", "dump", "dump_device", "load",
    "load_device", "loads", "override", "preset", "presets", "save", "save_device",
]  # fmt: skip
