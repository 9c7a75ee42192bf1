"""Reading settings: plain values, from TOML or Python, become the types that dataclasses declare."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from typing import Any

from mho.config.fields import Wrong, alternatives, convert, hints, settings_type, wrong
from mho.config.laws import DEVICES, FAMILIES, Family
from mho.config.places import is_place, no_memory_device
from mho.config.problems import Problems, join
from mho.devices import Spread, catalogue
from mho.devices.spread import PerChip
from mho.errors import ConfigError, nearest


class _Mark:
    """A mark that no file can contain."""


MISSING: Any = _Mark()
"""No value: nothing given, or nothing that could be read."""
BASE: Any = _Mark()
"""In a table of changes: the key of the whole value that the other keys then change."""


class Reader:
    """Reads tables of changes and notes everything that is wrong in `problems`."""

    def __init__(self) -> None:
        self.problems = Problems()

    def read(self, hint: Any, value: Any, path: str, base: Any = MISSING) -> Any:
        """Return `value` as `hint` declares it, or MISSING after noting why it cannot be.

        A table changes the named parts of `base`; without a base it makes a new object as its class would.
        """
        kind = settings_type(hint)
        if kind is None or (types.NoneType in alternatives(hint) and (value is None or value == "none")):
            return self._plain(hint, value, path)
        if isinstance(value, Mapping) and BASE in value:
            rest = {k: v for k, v in value.items() if k is not BASE}
            base = self.read(hint, value[BASE], path, base)
            return MISSING if base is MISSING else self.read(hint, rest, path, base)
        if isinstance(value, kind):
            return value
        if base is None:  # an optional part that is switched on
            required = [f for f in dataclasses.fields(kind) if f.default is f.default_factory is dataclasses.MISSING]
            base = MISSING if required else kind()
        for family in FAMILIES:
            if kind is family.base:
                return self._named(family, value, path, base)
        if kind is Spread and not isinstance(value, Mapping):
            return self._spread(value, path, base)
        return self._settings(kind, value, path, base)

    def _plain(self, hint: Any, value: Any, path: str) -> Any:
        try:
            return convert(hint, value)
        except Wrong:
            self.problems.add(path, wrong(hint, value))
            return MISSING

    def _spread(self, value: Any, path: str, base: Any) -> Any:
        try:
            mean = convert(PerChip, value)
        except Wrong:
            self.problems.add(path, wrong(PerChip | Spread, value))
            return MISSING
        return self._build(Spread, {"mean": mean}, path, base)

    def _named(self, family: Family, value: Any, path: str, base: Any) -> Any:
        """Read an object whose class a file names: a device by its law, a rule by its name."""
        name = value.get(family.key) if isinstance(value, Mapping) else value
        if name is None and base is not MISSING:
            return self._settings(type(base), value, path, base)
        if not isinstance(name, str):
            self.problems.add(path, _unnamed(family, value if name is None else name))
            return MISSING
        published = {row.name: row.device for row in catalogue.devices()} if family is DEVICES else {}
        if not isinstance(value, Mapping) and name in published:
            return published[name]
        if not isinstance(value, Mapping) and name.endswith(".toml") and family is DEVICES:
            return self._device_file(name, path)
        try:
            kind = family.named(name)
        except ConfigError as error:
            near = f"{name!r} is no {family.word}; {nearest(name, [*published, *family.names()])}"
            if family is DEVICES and is_place(name):
                near = no_memory_device(name)
            own = (":" in name and not is_place(name)) or name.endswith(".py") or isinstance(value, Mapping)
            self.problems.add(path, str(error) if own else near)
            return MISSING
        rest = {k: v for k, v in value.items() if k != family.key} if isinstance(value, Mapping) else {}
        return self._settings(kind, rest, path, MISSING)

    def _device_file(self, name: str, path: str) -> Any:
        """Read the device in a TOML file of its own."""
        from mho.config.device_file import load_device

        try:
            return load_device(name)
        except ConfigError as error:
            self.problems.add(path, str(error))
            return MISSING

    def _settings(self, kind: type, value: Any, path: str, base: Any) -> Any:
        """Read a table of the settings of a dataclass."""
        if not isinstance(value, Mapping):
            self.problems.add(path, wrong(kind, value))
            return MISSING
        known, own, given = hints(kind), getattr(kind, "readers", {}), {}
        for key, inner in value.items():
            where = join(path, str(key))
            if key not in known:
                self.problems.add(where, f"no such setting of {kind.__name__}; {nearest(str(key), known)}")
                continue
            old = MISSING if base is MISSING else getattr(base, key)
            reader = own.get(key, lambda s, v, p, b, h=known[key]: s.read(h, v, p, b))
            got = reader(self, inner, where, old)
            if got is not MISSING:
                given[key] = got
        return self._build(kind, given, path, base)

    def _build(self, kind: type, given: dict[str, Any], path: str, base: Any) -> Any:
        if kind is Spread and base is MISSING and "mean" not in given:
            self.problems.add(path, "a spread needs its mean: {mean = ..., d2d = ...}")
            return MISSING
        try:
            return kind(**given) if base is MISSING else dataclasses.replace(base, **given)
        except (ConfigError, TypeError, ValueError, ArithmeticError) as error:
            self.problems.take(path, error)
            return MISSING


def _unnamed(family: Family, value: Any) -> str:
    """Return what is wrong with a table that does not name its class."""
    names = ", ".join(family.names())
    place = ", or path/to/device.toml in its place" if family is DEVICES else ""
    return f'expected a table with {family.key} = "..." ({names}, path/to/file.py:Class){place}, found {value!r}'


def convert_fields(config: Any) -> None:
    """Bring the settings of a frozen dataclass to their types, or raise ConfigError with all problems."""
    problems = Problems()
    for name, hint in hints(type(config)).items():
        value = getattr(config, name)
        try:
            if settings_type(hint) is not type(value):
                object.__setattr__(config, name, convert(hint, value))
        except Wrong:
            problems.add(name, wrong(hint, value))
    problems.check()
