"""The types that settings declare: what a field holds, in words and read from a plain value."""

from __future__ import annotations

import dataclasses
import functools
import math
import types
import typing
from typing import Any, Literal, Union

import numpy as np

from mho.devices import Device, Spread
from mho.devices.spread import PerChip
from mho.devices.table import Nodes
from mho.errors import nearest
from mho.update.rule import Rule


class Wrong(Exception):
    """A value is not of the type that a setting declares."""


def hints(kind: Any) -> dict[str, Any]:
    """Return the type of every setting of a dataclass by name.

    In a device a field whose default is a Spread is one, whatever its annotation says, and every float may be
    a list over chips, as `Device` itself reads them.
    """
    return _hints(kind)


@functools.cache
def _hints(kind: Any) -> dict[str, Any]:
    try:
        declared = typing.get_type_hints(kind)
    except (NameError, TypeError):  # a user's annotation may name what only a type checker imports
        declared = {}
    found = {}
    for f in dataclasses.fields(kind):
        hint = declared.get(f.name, Any)
        if issubclass(kind, Device):
            hint = Spread if isinstance(f.default, Spread) else PerChip if hint is float else hint
        if not (kind is Spread and f.name == "name"):  # the name of the field it stands in, set by the device
            found[f.name] = hint
    return found


def alternatives(hint: Any) -> tuple[Any, ...]:
    """Return the members of a union, or the type itself."""
    return typing.get_args(hint) if typing.get_origin(hint) in (Union, types.UnionType) else (hint,)


def is_per_chip(hint: Any) -> bool:
    """Return whether a setting takes one value, or a list of one per chip."""
    members = set(alternatives(hint))
    lists = [typing.get_args(m) for m in members if typing.get_origin(m) is tuple]
    return any(inner[-1] is ... and set(alternatives(inner[0])) <= members for inner in lists)


def settings_type(hint: Any) -> type | None:
    """Return the dataclass among the alternatives of a type: its settings have paths of their own."""
    kinds = [k for k in alternatives(hint) if isinstance(k, type) and dataclasses.is_dataclass(k)]
    return kinds[0] if kinds else next((base for base in (Device, Rule) if base in alternatives(hint)), None)


def convert(hint: Any, value: Any) -> Any:
    """Return a plain value (of TOML or Python) as `hint` declares it, or raise Wrong."""
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    if hint is Any:
        return tuple(convert(Any, v) for v in value) if isinstance(value, (list, tuple)) else value
    members = alternatives(hint)
    if len(members) > 1:
        for member in members:
            try:
                return convert(member, value)
            except Wrong:
                continue
        raise Wrong
    origin = typing.get_origin(hint)
    if origin is Literal:
        if isinstance(value, str) and value in typing.get_args(hint):
            return value
    elif origin is tuple:
        parts = typing.get_args(hint)
        if isinstance(value, (list, tuple)):
            kinds = parts[:1] * len(value) if parts[-1] is ... else parts
            if len(kinds) == len(value):
                return tuple(convert(kind, v) for kind, v in zip(kinds, value, strict=True))
    elif hint is float:
        return _number(value)
    elif hint is int:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    elif hint is types.NoneType:
        if value is None or value == "none":
            return None
    elif isinstance(hint, type) and isinstance(value, hint):
        return value
    raise Wrong


def _number(value: Any) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise Wrong
    try:
        number = float(value)
    except OverflowError:
        raise Wrong from None
    if not math.isfinite(number):
        raise Wrong
    return number


NAMES = {
    bool: "true or false",
    int: "a whole number",
    float: "a finite number",
    str: "a text",
    types.NoneType: '"none"',
    Spread: "a table {mean, d2d, std, log_normal}",
}
LISTS = {float: "a list of numbers, one per chip", int: "a list of whole numbers"}


def describe(hint: Any) -> str:
    """Return in words what a setting of this type takes."""
    if hint == Nodes:
        return "a list of finite numbers (a table), or a list of such lists, one per chip"
    members = alternatives(hint)
    if len(members) > 1:
        return " or ".join(describe(m) for m in members)
    if typing.get_origin(hint) is Literal:
        return "one of " + ", ".join(typing.get_args(hint))
    if typing.get_origin(hint) is tuple:
        item, *others = typing.get_args(hint)
        if others != [...]:
            return f"[{', '.join(describe(part) for part in (item, *others))}]"
        return LISTS.get(item, f"a list, each {describe(item)}")
    if hint in NAMES:
        return NAMES[hint]
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return "a table of " + ", ".join(hints(hint))
    return getattr(hint, "__name__", str(hint))


def wrong(hint: Any, value: Any) -> str:
    """Return what is wrong with a value that is not of the declared type."""
    text = repr(value) if not isinstance(value, dict) else "a table"
    text = text if len(text) <= 60 else text[:57] + "..."
    choices = [c for m in alternatives(hint) if typing.get_origin(m) is Literal for c in typing.get_args(m)]
    near = nearest(value, choices) if choices and isinstance(value, str) else ""
    hint_text = f"; {near}" if near.startswith("did you mean") else ""
    return f"expected {describe(hint)}, found {text}{hint_text}"
