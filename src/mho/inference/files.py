"""Settings of programming as TOML: read strictly, written complete."""

from __future__ import annotations

import tomllib
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from mho.config.changes import changed
from mho.config.toml import lines_of
from mho.config.values import Reader
from mho.errors import ConfigError
from mho.folders import write_text
from mho.inference.presets import preset
from mho.inference.settings import Programming


def load_programming(source: str | Path) -> Programming:
    """Return the settings in a TOML file, or of a preset.

    A file states changes of the preset that it names (`preset = "pcm"`), or of the defaults. Raises ConfigError: for a
    file that is no TOML the line, else everything that is wrong at once.
    """
    path = Path(source).expanduser()
    if path.suffix != ".toml":
        return preset(str(source))
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"the programming settings {path} cannot be read: {reason}") from error
    reader, base = Reader(), Programming()
    if "preset" in tables:
        try:
            base = preset(str(tables.pop("preset")))
        except ConfigError as error:
            reader.problems.add("preset", str(error))
    return changed(base, tables, reader, str(path))


def dump_programming(settings: Programming) -> str:
    """Return settings as TOML, complete: `load_programming` makes equal ones of it."""
    return "\n".join(_tables(settings, "")) + "\n"


def _tables(value: Any, path: str) -> list[str]:
    """Return the lines of a table, then those of the tables in it."""
    held = {field.name: getattr(value, field.name) for field in fields(value)}
    inner = {name: one for name, one in held.items() if is_dataclass(one)}
    own = [line for line in lines_of(value, path) if line.partition(" = ")[0] not in inner]
    return [*own, *(line for name, one in inner.items() for line in _tables(one, f"{path}.{name}".lstrip(".")))]


def save_programming(settings: Programming, path: str | Path) -> None:
    """Write settings to a TOML file, whole or not at all."""
    write_text(path, dump_programming(settings))
