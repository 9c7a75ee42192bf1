"""The configuration that a command line asks for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mho.config import RunConfig, load, override
from mho.errors import ConfigError

WITH_RESUME = ("epochs", "threads")
EPOCHS = {"digits": 40}
"""Epochs where neither the command line nor a file says: the default, but small data sets need more."""


def begun(start: str | None, changes: dict[str, Any], settings: list[str]) -> RunConfig:
    """Return the configuration of a new run; raise ConfigError with everything that is wrong."""
    from_file = start is not None and (start.endswith(".toml") or Path(start).exists())
    if from_file:
        assert start is not None
        if Path(start).is_dir():
            raise ConfigError(
                f"{start} is a directory; to repeat its run give {Path(start) / 'config.toml'}, to go on with it "
                f"give --resume {start}"
            )
        config = load(start)
    else:
        config = RunConfig(preset=start or "")
    given = {setting.partition("=")[0].strip() for setting in settings}
    epochs = EPOCHS.get(str(changes.get("data")))
    if epochs and not from_file and not given & {"epochs", "data"}:
        changes = {"epochs": epochs, **changes}
    return override(config, [*(f"{name}={as_text(name, value)}" for name, value in changes.items()), *settings], "")


def resumed(
    folder: Path, start: str | None, out: Path | None, changes: dict[str, Any], settings: list[str]
) -> RunConfig | None:
    """Return the configuration to resume with, or None for the saved one; raise ConfigError for other settings."""
    others = [f"--{name.replace('_', '-')}" for name in changes if name not in WITH_RESUME]
    others += ["--set"] * bool(settings) + ["--out"] * (out is not None) + [str(start)] * (start is not None)
    if others:
        raise ConfigError(
            f"--resume goes on with the settings in {folder / 'config.toml'}; only --epochs and --threads may be given "
            f"with it, found {', '.join(others)}; a new run with other settings: mho train {folder / 'config.toml'} ..."
        )
    if not changes or not (folder / "config.toml").is_file():
        return None
    return load(folder / "config.toml").with_(changes)


def as_text(name: str, value: Any) -> str:
    """Return the value of an option as `override` reads it: paths in full, and lists without brackets as lists."""
    if name in ("network", "data"):
        where, colon, function = value.rpartition(":") if name == "network" else (value, "", "")
        path = Path(where).expanduser()
        named = f"{path.resolve()}{colon}{function}" if where and path.exists() else value
        return json.dumps(value if value in ("mnist", "fashion-mnist", "digits", "cifar10") else named)
    if name in ("chips", "lr", "vary") and not value.startswith("[") and ("," in value or name == "vary"):
        return f"[{value}]"
    return str(value)
