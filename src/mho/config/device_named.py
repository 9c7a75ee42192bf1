"""A device by any name that a user may give it."""

from __future__ import annotations

import tomllib
from pathlib import Path

from mho.config.laws import DEVICES, laws
from mho.config.places import is_place, no_memory_device
from mho.config.presets import presets
from mho.config.toml import load
from mho.devices import Device, catalogue
from mho.errors import ConfigError, nearest

WAYS = "a published device, a law, path/to/file.py:Class, module:Class, a device's TOML or a run's config.toml"


def device_named(name: str) -> Device:
    """Return the device of a name.

    name: of a published device ("ecram"), of a law ("soft-bounds": the device with its default parameters),
        path/to/file.py:Class or module:Class (a file with one device class needs no class), a device's TOML, or the
        TOML of a run, whose device is then meant.
    Reading a file of the user's runs it. Raises ConfigError naming the nearest names, or what is wrong with the file.
    """
    published = {row.name: row.device for row in catalogue.devices()}
    if name in published:
        return published[name]
    path = Path(name)
    if name.endswith(".toml"):
        return _from_toml(path)
    if name in laws() or ":" in name or name.endswith(".py"):
        return _made(DEVICES.named(name), name)
    if (path / "config.toml").is_file():
        raise ConfigError(f"{name} is a directory; for the device of its run give {path / 'config.toml'}")
    for row in presets():
        if row.name == name:
            used = next((n for n, d in published.items() if d == row.config.device), type(row.config.device).__name__)
            raise ConfigError(f"{name!r} is a preset, not a device; its device is {used}")
    if is_place(name):
        raise ConfigError(no_memory_device(name))
    near = nearest(name, [*published, *laws()])
    raise ConfigError(f"{name!r} is no device; {near}{'' if near.endswith('?') else '.'} A device is {WAYS}")


def _made(kind: type[Device], name: str) -> Device:
    """Return the device that a class makes without arguments."""
    try:
        return kind()
    except (ConfigError, TypeError, ValueError, ArithmeticError) as error:
        raise ConfigError(
            f"{name!r}: {kind.__name__}() cannot be made without arguments ({error}); give its fields default values, "
            "or state them in a TOML"
        ) from error


def _from_toml(path: Path) -> Device:
    """Return the device of a TOML: its own, where `law` stands at the top, else that of a run."""
    try:
        with path.expanduser().open("rb") as file:
            tables = tomllib.load(file)
    except OSError as error:
        raise ConfigError(f"the device {path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error
    if tables and "law" not in tables:
        return load(path).analog.device
    from mho.config.device_file import load_device

    return load_device(path)
