"""The configuration that a command line asks for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mho.config import RunConfig, load, override
from mho.config.problems import Problems
from mho.errors import ConfigError

WITH_RESUME = ("epochs", "threads", "compute_device", "precision")
EPOCHS = {"digits": 40}
"""Epochs of small data sets where neither options nor a file say how many: the default would be too few."""


def begun(start: str | None, changes: dict[str, Any], settings: list[str]) -> RunConfig:
    """Return the configuration of a new run; raise ConfigError with everything that is wrong."""
    problems = Problems()
    try:
        config = _start(start)
    except ConfigError as error:
        if start is not None and _is_file(start):
            raise
        problems.add("", str(error))  # a preset; what is wrong beside it is told with it
        config = RunConfig()
    named = {setting.partition("=")[0].strip() for setting in settings}
    if "epochs" not in named and (start is None or not _is_file(start)):
        epochs = EPOCHS.get(str(changes.get("data")))
        changes = {"epochs": epochs, **changes} if epochs else changes
    options = [f"{name}={_text(name, value)}" for name, value in changes.items()]
    try:
        config = override(config, [*options, *settings], "")
    except ConfigError as error:
        problems.take("", error)
    problems.check()
    return config


def _start(start: str | None) -> RunConfig:
    if start is None or not _is_file(start):
        return RunConfig(preset=start or "")
    if Path(start).is_dir():
        raise ConfigError(
            f"{start} is a directory; to repeat its run give {Path(start, 'config.toml')}, "
            f"to go on with it give --resume {start}"
        )
    return load(start)


def _is_file(start: str) -> bool:
    return start.endswith(".toml") or Path(start).exists()


def resumed(folder: Path, changes: dict[str, Any], others: list[Any]) -> RunConfig | None:
    """Return the configuration to resume with, or None for the saved one; refuse other options."""
    found = [option(name) for name in changes if name not in WITH_RESUME]
    found += [str(other) for other in others if other is not None]
    config = folder / "config.toml"
    if found:
        raise ConfigError(
            f"--resume goes on with the settings in {config}; only {', '.join(map(option, WITH_RESUME))} may be given "
            f"with it, found {', '.join(found)}. A new run with other settings: mho train {config} ..."
        )
    return load(config).with_(changes) if changes and config.is_file() else None


def option(setting: str) -> str:
    """Return the option of a setting."""
    return "--device" if setting == "compute_device" else f"--{setting.replace('_', '-')}"


def _text(name: str, value: Any) -> str:
    """Return an option as `override` reads it: names quoted, lists also without brackets."""
    if name in ("network", "data", "rule", "compute_device", "precision"):
        return json.dumps(value)
    if name in ("chips", "lr", "vary") and not value.startswith("[") and ("," in value or name == "vary"):
        return f"[{value}]"
    return str(value)
