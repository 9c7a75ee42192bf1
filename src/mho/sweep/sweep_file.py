"""SWEEP.toml: a sweep read strictly, and written complete."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mho.config.paths import absolute, with_absolute_paths
from mho.config.problems import quoted
from mho.config.toml import key_of, render
from mho.errors import ConfigError, nearest
from mho.sweep.axes import read_axis
from mho.sweep.settings import Grid, Sweep

KEYS = ("name", "preset", "config", "seeds", "max_chips", "baseline", "threshold", "set", "grid", "search")
GRID_KEYS = ("name", "method", "points", "seed", "axes")


def load(path: str | os.PathLike[str]) -> Sweep:
    """Return the sweep of a TOML file; paths in it are relative to the file. Raises ConfigError."""
    path = Path(path).expanduser()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = "it is not UTF-8 text" if isinstance(error, UnicodeError) else getattr(error, "strerror", "") or error
        raise ConfigError(f"the sweep {path} cannot be read: {reason}; give the path of a TOML file") from error
    return loads(text, folder=path.resolve().parent, name=str(path))


def loads(text: str, *, folder: Path | None = None, name: str = "the sweep") -> Sweep:
    """Return the sweep in a TOML text; its paths are relative to `folder`. Raises ConfigError."""
    try:
        tables = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        reason = "its tables are nested too deeply" if isinstance(error, RecursionError) else error
        raise ConfigError(f"{name} is not valid TOML: {reason}") from error
    try:
        return _sweep(tables, folder or Path.cwd())
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from error


def _sweep(tables: dict[str, Any], folder: Path) -> Sweep:
    _known(tables, KEYS, "a sweep")
    for key, kind in (("set", dict), ("search", dict), ("grid", list), ("name", str), ("preset", str), ("config", str)):
        if key in tables and not isinstance(tables[key], kind):
            shape = {dict: f"a table, [{key}]", list: f"a list of tables, [[{key}]]", str: "a text"}[kind]
            raise ConfigError(f"{key} must be {shape}, found {tables[key]!r}")
    grids = tuple(_grid(given, folder) for given in tables.get("grid", []))
    plain = {k: v for k, v in tables.items() if k not in ("set", "grid", "config")}
    if tables.get("config"):
        plain["config"] = absolute(tables["config"], folder)
    return Sweep(grids, with_absolute_paths(flat(tables.get("set", {})), folder), **plain)


def _grid(given: Any, folder: Path) -> Grid:
    if not isinstance(given, dict):
        raise ConfigError(f"a grid is a table, [[grid]], found {given!r}")
    _known(given, GRID_KEYS, "a grid")
    axes = given.get("axes", {})
    if not isinstance(axes, dict):
        raise ConfigError(f"axes must be a table, [grid.axes], found {axes!r}")
    named = {key: _placed(key, values, folder) for key, values in _axes(axes).items()}
    read = tuple(read_axis(key, values) for key, values in named.items())
    return Grid(read, **{key: value for key, value in given.items() if key != "axes"})


def _axes(tables: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return axes by dotted name, also where TOML made tables of names that were not in quotes."""
    found: dict[str, Any] = {}
    for key, value in tables.items():
        name = f"{prefix}{quoted(key)}" if prefix else key
        nested = isinstance(value, dict) and not {"from", "to"} & value.keys()
        found |= _axes(value, f"{name}.") if nested else {name: value}
    return found


def flat(tables: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return settings by dotted name, also where TOML made tables of names that were not in quotes.

    A table that names a law or a rule stays whole, as it makes a new one.
    """
    found: dict[str, Any] = {}
    for key, value in tables.items():
        name = f"{prefix}{quoted(key)}" if prefix else key
        nested = isinstance(value, dict) and not {"law", "name", "mean"} & value.keys()
        found |= flat(value, f"{name}.") if nested else {name: value}
    return found


def _placed(key: str, values: Any, folder: Path) -> Any:
    """Return the values of an axis with files of devices, networks and data named from the folder of the sweep."""
    if not isinstance(values, list):
        return values
    return [with_absolute_paths({key: value}, folder)[key] for value in values]


def _known(given: Mapping[str, Any], keys: Sequence[str], what: str) -> None:
    if unknown := [f"{key!r} ({nearest(str(key), keys)})" for key in given if key not in keys]:
        raise ConfigError(f"{what} has no setting {', '.join(unknown)}")


def dump(sweep: Sweep) -> str:
    """Return a sweep as TOML, complete: `loads` makes an equal one of it."""
    head = {"name": sweep.name, "preset": sweep.preset, "config": sweep.config, "seeds": sweep.seeds}
    head |= {"max_chips": sweep.max_chips, "baseline": sweep.baseline, "threshold": sweep.threshold}
    blocks = [_lines({key: value for key, value in head.items() if value != ""})]
    blocks.append(["[set]", *_lines(sweep.settings)])
    for grid in sweep.grids:
        points = {} if grid.points is None else {"points": grid.points}
        plain = {"name": grid.name, "method": grid.method, **points, "seed": grid.seed}
        axes = {axis.name: axis.written() for axis in grid.axes}
        blocks += [["[[grid]]", *_lines(plain)], ["[grid.axes]", *_lines(axes)]]
    if sweep.search:
        blocks.append(["[search]", *_lines(sweep.search)])
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _lines(table: Mapping[str, Any]) -> list[str]:
    return [f"{key_of(key)} = {render(value)}" for key, value in table.items()]
