"""Names of classes in files: a built-in law or rule by its name, a user's own by where its source lies."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import mho.devices
from mho.devices import Device
from mho.errors import ConfigError, nearest
from mho.update.rule import Rule
from mho.update.rules import HOMES, rule


@dataclass(frozen=True)
class Family:
    """Classes that a configuration may name: a base, its built-in subclasses by name, and the words of messages.

    key: the setting that names the class in a table, as `law = "soft-bounds"`.
    """

    base: type
    key: str
    word: str
    home: str
    names: Callable[[], Iterable[str]]
    one: Callable[[str], type]

    def builtin(self) -> dict[str, type]:
        """Return the built-in classes by name."""
        return {name: self.one(name) for name in self.names()}

    def named(self, name: str) -> type:
        """Return the class of a name: "soft-bounds", "module:Class", "path/to/file.py:Class" or "path/to/file.py".

        The last three import the user's code; a file with one such class needs no class. Raises ConfigError when there
        is no such class.
        """
        known = self.names()
        if name in known:
            return self.one(name)
        if name.endswith(".py"):
            return self._only_class(Path(name))
        where, colon, attribute = name.rpartition(":")
        if not colon:
            raise ConfigError(
                f"{name!r} is no {self.key_word}, nor your own module:Class or path/to/file.py:Class; "
                f"{nearest(name, known)}"
            )
        found: Any = _file(Path(where), name) if where.endswith(".py") else _module(where, name)
        for part in attribute.split("."):
            found = getattr(found, part, None)
        if not (isinstance(found, type) and issubclass(found, self.base)):
            raise ConfigError(f"{name!r}: {where} has no class {attribute} that derives from {self.home}")
        return found

    @property
    def key_word(self) -> str:
        """What a name of this family is called."""
        return self.key if self.key != "name" else self.word

    def classes_in(self, path: Path) -> dict[str, type]:
        """Return the classes that a Python file itself defines, by name; this imports the user's code.

        Raises ConfigError when the file cannot be read or run.
        """
        module = _file(path, str(path))
        own = ((name, c) for name, c in vars(module).items() if getattr(c, "__module__", "") == module.__name__)
        return {name: c for name, c in own if isinstance(c, type) and issubclass(c, self.base)}

    def _only_class(self, path: Path) -> type:
        found = self.classes_in(path)
        if len(found) == 1:
            return next(iter(found.values()))
        if not found:
            raise ConfigError(
                f"{path} defines no class that derives from {self.home}, so there is no {self.word} in it"
                + ("; see docs/how-to/own-device" if self.base is Device else "")
            )
        named = ", ".join(f"{path}:{kind}" for kind in found)
        raise ConfigError(f"{path} defines {len(found)} {self.word}s; say which: {named}")

    def name_of(self, kind: type) -> str:
        """Return the name by which `named` finds a class again, also in another process.

        A module of a package is named by import; a lone file by its path, since another process need not have its
        folder on the search path. Raises ConfigError for a class that has no name at the top of a file.
        """
        if kind.__module__.startswith("mho."):
            for name, one in self.builtin().items():
                if one is kind:
                    return name
        module = sys.modules.get(kind.__module__)
        file = getattr(module, "__file__", None)
        if "<locals>" in kind.__qualname__ or not file:
            raise ConfigError(
                f"the {self.word} {kind.__qualname__} is defined in a function or an interactive session, so no file "
                "can name it; define it at the top level of a Python file"
            )
        if getattr(module, "__package__", "") and kind.__module__ != "__main__":
            return f"{kind.__module__}:{kind.__qualname__}"
        return f"{Path(file).resolve().as_posix()}:{kind.__qualname__}"


def laws() -> dict[str, type]:
    """Return the built-in device classes by name: `SoftBounds` is "soft-bounds"."""
    found = (getattr(mho.devices, name) for name in mho.devices.__all__)
    classes = [c for c in found if isinstance(c, type) and issubclass(c, Device) and c is not Device]
    return {kebab(c.__name__): c for c in classes}


def kebab(name: str) -> str:
    """Return CamelCase as camel-case."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()


DEVICES = Family(Device, "law", "device", "mho.devices.Device", lambda: laws(), lambda name: laws()[name])
LEARNING = Family(Rule, "name", "rule", "mho.update.Rule", lambda: HOMES, rule)
FAMILIES = (DEVICES, LEARNING)


def family_of(kind: type | None) -> Family | None:
    """Return the family whose base, or one of whose classes, a class is."""
    return next((f for f in FAMILIES if kind is not None and issubclass(kind, f.base)), None)


def _module(where: str, name: str) -> ModuleType:
    try:
        return importlib.import_module(where)
    except (Exception, SystemExit) as error:  # a user's module may raise anything while it is imported
        raise ConfigError(
            f"{name!r}: {where!r} cannot be imported ({type(error).__name__}: {error}); "
            "give an importable module or path/to/file.py:Class"
        ) from error


def _file(path: Path, name: str) -> ModuleType:
    try:
        path = path.expanduser().resolve()
        source = path.read_bytes()
    except (OSError, ValueError, RuntimeError) as error:
        message = f"{name!r}: {path} cannot be read ({error}); give the path of a Python file"
        raise ConfigError(message) from error
    for module in list(sys.modules.values()):  # the running script, or a module imported from the same file
        there: Any = vars(module).get("__file__") if isinstance(module, ModuleType) else None
        loaded_here = there is not None and not module.__name__.startswith(PREFIX)
        if loaded_here and os.path.realpath(there) == str(path):
            return module
    # The content is part of the name: an edited file is another module, and the same text is the same class.
    own = f"{PREFIX}{path.stem}_{hashlib.sha256(str(path).encode() + source).hexdigest()[:16]}"
    if own in sys.modules:
        return sys.modules[own]
    spec = importlib.util.spec_from_file_location(own, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{name!r}: {path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[own] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[own]
        raise ConfigError(f"{name!r}: running {path} raised {type(error).__name__}: {error}") from error
    return module


PREFIX = "mho_device_file_"
