"""Paths of settings: every name in a tree of dataclasses, and which one a user means by part of a path."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mho.config.fields import hints, settings_type
from mho.config.laws import DEVICES, FAMILIES, LEARNING, Family, family_of
from mho.config.problems import quoted
from mho.config.values import BASE, MISSING, Reader
from mho.errors import nearest

Parts = tuple[str, ...]

PART = re.compile(r'"[^"]*"|\'[^\']*\'|[^.]+')


def split(name: str) -> Parts:
    """Return the parts of a dotted path; a part in quotes may hold dots."""
    return tuple(p.strip().strip("\"'") for p in PART.findall(name))


def tree(value: Any, hint: Any, prefix: Parts, swap: Mapping[Parts, Any]) -> Iterator[tuple[Parts, Any]]:
    """Yield path and declared type of every setting below a dataclass, an optional part that is off included.

    `swap` holds, by path, objects to look at in place of those in the tree. Layer patterns are the user's own
    names and have no paths here.
    """
    kind = type(value) if dataclasses.is_dataclass(value) else settings_type(hint)
    if kind is None or any(kind is family.base for family in FAMILIES):
        return
    for name, inner in hints(kind).items():
        path = (*prefix, name)
        yield path, inner
        if name != "layers":
            held = swap[path] if path in swap else getattr(value, name, None)
            yield from tree(held, inner, path, swap)


class Names:
    """The paths of the settings of one configuration."""

    def __init__(self, config: Any, swap: Mapping[Parts, Any] | None = None) -> None:
        self.hints = dict(tree(config, None, (), swap or {}))
        self.known = list(self.hints)
        self.section: Parts = ("analog",) if ("analog", "device") in self.known else ()

    def resolve(self, name: str) -> tuple[Parts, str]:
        """Return the whole path meant by a name, and what is wrong with the name, if anything.

        A path that is written out wins, where `analog.` may be left out; else the end must fit one path only, or one
        that lies further out than all others.
        Two underscores stand for a dot, so that a path can be a keyword of a Python call.
        """
        problem = ""
        if split(name) == ("law",):
            name = "device.law"
        for family in FAMILIES:  # the law of a device names it whole
            if (parts := split(name))[-1:] == (family.key,) and len(parts) > 1:
                name = ".".join(parts[:-1])
                break
        for parts in (split(name), split(name.replace("__", "."))):
            # So that a name fits a run and an AnalogConfig alike, `analog.` may stand before it or not.
            short = parts[1:] if parts[:1] == ("analog",) else parts
            for exact in (parts, (*self.section, *short)):
                if exact in self.known or (len(exact) > 1 and exact[len(self.section)] == "layers"):
                    return exact, ""
            ends = [p for p in self.known if parts and p[-len(parts) :] == parts]
            outermost = min(map(len, ends), default=0)  # not those of a rule's further arrays, say
            ends = [p for p in ends if len(p) == outermost]
            if len(ends) == 1:
                return ends[0], ""
            several = f"stands for several settings, write one out: {listed(ends)}"
            problem = several if ends else self._unknown(parts)
        return (), problem

    def family(self, path: Parts) -> Family | None:
        """Return the family whose class a setting is, or None for any other setting."""
        kind = settings_type(self.hints.get(path))
        return family_of(kind) if kind is not None else None

    def _unknown(self, parts: Parts) -> str:
        """Return the nearest names: among the parts of the section that is right, or everywhere."""
        for depth in range(len(parts) - 1, 0, -1):
            sections = [p for p in self.known if p[-depth:] == parts[:depth]]
            inside = {p[-1] for s in sections for p in self.known if p[:-1] == s}
            if inside:
                return f"no such setting in {'.'.join(parts[:depth])}; {nearest(parts[depth], inside)}"
        leaves = {p[-1] for p in self.known}
        near = nearest(parts[-1] if parts else "", leaves)
        if not near.startswith("did you mean"):  # the names of all leaves would be no help
            near = nearest("", {p[0] for p in self.known})
        return f"no such setting; {near}"


def listed(paths: Sequence[Parts]) -> str:
    """Return paths in one line."""
    return ", ".join(".".join(p) for p in paths)


def nest(config: Any, changes: Mapping[str, Any], reader: Reader) -> dict[Any, Any]:
    """Return changes by name as nested tables of changes; names that are wrong go to `reader.problems`.

    Names are resolved with a new device in its place, so that it and its settings can be given together.
    """
    table: dict[Any, Any] = {}
    names, new = Names(config), {}
    for family in (LEARNING, DEVICES):  # a rule may have devices of its own
        for name, value in changes.items():
            path, _ = names.resolve(name)
            if path and names.family(path) is family and not _only_changes(value):
                new[path] = reader.read(family.base, value, ".".join(path))
                _put(table, path, new[path])
        made = {path: one for path, one in new.items() if one is not MISSING}
        names = Names(config, swap=made) if made else names
    for name, value in changes.items():
        path, problem = names.resolve(name)
        if problem:
            reader.problems.add(".".join(quoted(p) for p in split(name)) or name, problem)
        elif path not in new or _only_changes(value):
            _put(table, path, value)
    return table


def _only_changes(value: Any) -> bool:
    return isinstance(value, Mapping) and not any(family.key in value for family in FAMILIES)


def _put(table: dict[Any, Any], path: Parts, value: Any) -> None:
    """Put a value into nested tables; a whole value and changes of its parts are both kept."""
    if value is MISSING:
        return
    for name in path[:-1]:
        held = table.setdefault(name, {})
        if not isinstance(held, dict):
            held = table[name] = {BASE: held}
        table = held
    held = table.get(path[-1], MISSING)
    if isinstance(held, dict) and _only_changes(value):
        for key, inner in value.items():
            _put(held, (key,), inner)
    elif isinstance(held, dict):
        held[BASE] = value
    elif held is not MISSING and _only_changes(value):
        table[path[-1]] = {BASE: held, **value}
    else:
        table[path[-1]] = dict(value) if isinstance(value, Mapping) else value
