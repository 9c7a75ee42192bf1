"""Changed copies of configurations, and changes kept in a canonical form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any, TypeVar

from mho.config.fields import hints
from mho.config.laws import FAMILIES, family_of
from mho.config.names import nest
from mho.config.values import Reader
from mho.devices import Spread

C = TypeVar("C")
Leaves = tuple[tuple[str, Any], ...]
"""Changes in canonical form: (dotted path, value) in the order of the paths, values plain or devices."""


def changed(config: C, changes: Mapping[str, Any], reader: Reader | None = None, source: str = "") -> C:
    """Return a copy with settings changed by name, or raise ConfigError with all problems."""
    reader = reader or Reader()
    table = nest(config, changes, reader)
    new = reader.read(type(config), table, "", config)
    reader.problems.check(source)
    return new


def canonical(config: Any, changes: Mapping[str, Any]) -> Leaves:
    """Return changes of `config` in canonical form, or raise ConfigError with all problems."""
    reader = Reader()
    table = nest(config, changes, reader)
    new = reader.read(type(config), table, "", config)
    reader.problems.check()
    return tuple(sorted(_leaves(table, new, "")))


def _leaves(table: Any, new: Any, path: str) -> list[tuple[str, Any]]:
    """Return the leaves that a table of changes names, with the values that they got in `new`."""
    inside = f"{path}." if path else ""
    if isinstance(table, Mapping) and _plain_names(table) and is_dataclass(new):
        parts = [(key, inner, getattr(new, key)) for key, inner in table.items()]
    elif family_of(type(new)) is not None or not is_dataclass(new):
        return [(path, new)]
    elif isinstance(new, Spread) and not isinstance(table, (Mapping, Spread)):
        return [(inside + "mean", new.mean)]  # a number changes the mean only
    else:  # a whole object is all of its settings
        parts = [(key, getattr(new, key), getattr(new, key)) for key in hints(type(new))]
    return [leaf for key, inner, got in parts for leaf in _leaves(inner, got, inside + key)]


def _plain_names(table: Mapping[Any, Any]) -> bool:
    """Return whether a table only changes parts: it holds neither a law nor a whole value."""
    return all(isinstance(key, str) and not any(key == family.key for family in FAMILIES) for key in table)


def apply(config: C, leaves: Leaves) -> C:
    """Return a copy of `config` with changes in canonical form."""
    return changed(config, dict(leaves)) if leaves else config
