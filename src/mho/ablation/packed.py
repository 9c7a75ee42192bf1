"""Several configurations as one: a list over chips wherever they differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from mho.config.fields import hints, is_per_chip
from mho.devices import Device
from mho.errors import ConfigError

C = TypeVar("C")


def packed(configs: Sequence[C]) -> C:
    """Return one configuration whose chips are those given: a list over chips wherever they differ.

    Raises ConfigError where they differ in what no list over chips can say.
    """
    merged: C = _merged(list(configs), "")
    return merged


def _merged(values: list[Any], path: str) -> Any:
    first = values[0]
    if all(type(v) is type(first) and v == first for v in values):
        return first
    if not is_dataclass(first) or any(type(v) is not type(first) for v in values):
        raise ConfigError(f"{path} differs between chips and cannot be a list over them")
    tables = first._tables() if isinstance(first, Device) else ()
    change = {}
    for f in fields(first):
        held = [getattr(v, f.name) for v in values]
        if any(type(h) is not type(held[0]) or h != held[0] for h in held):
            hint = hints(type(first)).get(f.name)
            listed = f.name in tables or (hint is not None and is_per_chip(hint))
            change[f.name] = tuple(held) if listed else _merged(held, f"{path}.{f.name}")
    return replace(first, **change)  # type: ignore[type-var]  # a dataclass instance, as checked above
