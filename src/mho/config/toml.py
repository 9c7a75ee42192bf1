"""Configurations as TOML: strict reading, complete writing, and single settings from a command line."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from mho.config.analog import AnalogConfig
from mho.config.changes import changed
from mho.config.fields import hints
from mho.config.laws import family_of
from mho.config.paths import with_absolute_paths
from mho.config.presets import preset
from mho.config.run import NO_PRESET, RunConfig
from mho.config.values import Reader
from mho.devices import Device, Spread
from mho.errors import ConfigError
from mho.folders import write_text
from mho.mapping.settings import Mapping as Layout
from mho.periphery.settings import Periphery
from mho.tiles.cell import ArraySettings, Cell
from mho.update.rule import Rule
from mho.update.settings import Update
from mho.update.shift_settings import ZeroShift

C = TypeVar("C", RunConfig, AnalogConfig)

SECTIONS = (AnalogConfig, ArraySettings, Cell, Device, Layout, Periphery, Rule, Update, ZeroShift)
"""Settings that get a table of their own in a file; others stand on one line."""


def load(source: str | os.PathLike[str] | Mapping[str, Any], kind: type[C] = RunConfig) -> C:  # type: ignore[assignment]
    """Return the RunConfig (or the AnalogConfig, given as `kind`) of a TOML file, or of its tables as a dict.

    The file states changes of the preset that it names (`preset = "gokmen-2017"`, the default of a run; an
    AnalogConfig starts from the defaults of its class). TOML has no null, so "none" stands for None. The
    tables of an AnalogConfig may stand at the top of a run's file, without `analog.`. A table with `law` is a
    new device, in which a number for a spread means none; it names a built-in law or path/to/file.py:Class.
    Paths are relative to the file. Loading imports a device's file: load only what you trust.
    Raises ConfigError: for a file that is no TOML the line, else everything that is wrong at once.
    """
    if isinstance(source, Mapping):
        return _from_tables(dict(source), kind, "")
    path = Path(source).expanduser()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        reason = "it is not UTF-8 text" if isinstance(error, UnicodeError) else reason
        raise ConfigError(f"the configuration {path} cannot be read: {reason}") from error
    return loads(text, kind, folder=path.resolve().parent, name=str(path))


def loads(text: str, kind: type[C] = RunConfig, *, folder: Path | None = None, name: str = "") -> C:  # type: ignore[assignment]
    """Return the configuration in a TOML text; its paths are relative to `folder`, `name` is for messages."""
    tables = _parse(text, name or "the configuration")
    return _from_tables(with_absolute_paths(tables, folder or Path.cwd()), kind, name)


def _parse(text: str, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        reason = "its tables are nested too deeply" if isinstance(error, RecursionError) else error
        raise ConfigError(f"{name} is not valid TOML: {reason}") from error


def _from_tables(tables: dict[str, Any], kind: type[C], name: str) -> C:
    reader = Reader()
    base: Any = kind()
    if "preset" in tables:
        chosen = tables.pop("preset")
        try:
            if kind is RunConfig:
                base = RunConfig(preset=chosen)
            elif chosen != NO_PRESET:
                base = preset(chosen)
        except ConfigError as error:
            reader.problems.take("preset", error)
    if kind is RunConfig:
        inner = [key for key in tables if key in hints(AnalogConfig)]
        moved = {key: tables.pop(key) for key in inner}
        analog = tables.setdefault("analog", {}) if moved else {}
        for key, value in moved.items():
            if not isinstance(analog, dict) or key in analog:
                reader.problems.add(key, f"is given twice, here and as analog.{key}; keep one")
            else:
                tables["analog"] = analog = {**analog, key: value}
    new = reader.read(kind, tables, "", base)
    reader.problems.check(name)
    return new


def override(config: C, settings: Iterable[str], name: str = "--set") -> C:
    """Return a copy with settings given as `path.to.field=value`, as on a command line; the last one wins.

    Values are TOML, and words need no quotes; `analog.`, and what else is not needed to tell a setting, may
    be left out. Raises ConfigError with all unknown paths and impossible values at once.
    """
    reader = Reader()
    changes: dict[str, Any] = {}
    for setting in settings:
        path, equals, text = setting.partition("=")
        if not equals or not path.strip():
            reader.problems.add(setting, "expected path.to.field=value")
            continue
        changes.pop(path.strip(), None)
        changes[path.strip()] = _value(text.strip())
    return changed(config, with_absolute_paths(changes, Path.cwd()), reader, name)


def _value(text: str) -> Any:
    """Return a TOML value, or the text itself, or a list of its words, where quotes were left out."""
    try:
        tables = tomllib.loads(f"value = {text}")
        if tables.keys() == {"value"}:
            return tables["value"]
    except (ValueError, RecursionError):
        pass
    if re.fullmatch(r"\[[\w\s,-]*\]", text):
        return [word.strip() for word in text[1:-1].split(",") if word.strip()]
    return text


def dump(config: RunConfig | AnalogConfig) -> str:
    """Return a configuration as TOML, complete: `loads` makes an equal one of it.

    Raises ConfigError for a device class that no file can name.
    """
    return "\n".join(lines_of(config, "")) + "\n"


def save(config: RunConfig | AnalogConfig, path: str | os.PathLike[str]) -> None:
    """Write a configuration to a TOML file, whole or not at all."""
    write_text(path, dump(config))


def lines_of(value: Any, path: str) -> list[str]:
    """Return the lines of one table: its header, its plain settings, then the tables in it."""
    lines, tables = [], []
    if (family := family_of(type(value))) is not None:
        lines.append(f"{family.key} = {_text(family.name_of(type(value)))}")
    for name in hints(type(value)):
        held = getattr(value, name)
        inner = f"{path}.{key_of(name)}" if path else key_of(name)
        if name == "layers" and isinstance(value, AnalogConfig):
            for pattern, changes in held:
                body = [f"{_dotted(leaf)} = {render(v)}" for leaf, v in changes]
                tables += ["", f"[{inner}.{key_of(pattern)}]", *body]
        elif isinstance(held, SECTIONS):
            tables += lines_of(held, inner)
        else:
            lines.append(f"{key_of(name)} = {render(held)}")
    header = ["", f"[{path}]"] if path and lines else []
    return [*header, *lines, *tables]


def render(value: Any) -> str:
    """Return a value as TOML on one line; None is the text "none", a spread without spread is its mean."""
    if value is None:
        return '"none"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(render(v) for v in value)}]"
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{key_of(k)} = {render(v)}' for k, v in value.items())} }}" if value else "{}"
    if isinstance(value, Spread):
        rest = [n for n in ("d2d", "std", "log_normal") if getattr(value, n)]
        parts = [f"{n} = {render(getattr(value, n))}" for n in ("mean", *rest)]
        return f"{{ {', '.join(parts)} }}" if rest else render(value.mean)
    if dataclasses.is_dataclass(value):
        family = family_of(type(value))
        parts = [f"{family.key} = {_text(family.name_of(type(value)))}"] if family is not None else []
        parts += [f"{key_of(n)} = {render(getattr(value, n))}" for n in hints(type(value))]
        return f"{{ {', '.join(parts)} }}"
    return repr(value)


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def key_of(name: str) -> str:
    """Return a key as TOML: in quotes where it has dots or spaces."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _text(name)


def _dotted(path: str) -> str:
    return ".".join(key_of(part) for part in path.split("."))
