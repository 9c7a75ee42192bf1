"""A device in a TOML file of its own: what stands under [device] in a run's file, at the top."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable
from pathlib import Path

from mho.config.paths import with_absolute_paths
from mho.config.toml import lines_of
from mho.config.values import MISSING, Reader
from mho.devices import Device
from mho.errors import ConfigError
from mho.folders import write_text


def load_device(path: str | os.PathLike[str]) -> Device:
    """Return the device in a TOML file: a law, its fields, `window`, `correlations`; as `mho device fit` writes.

    Paths in it are relative to the file. A law of the user's own is imported: load only what you trust.
    Raises ConfigError for a file that is no TOML, states no law, or has fields that the law does not know.
    """
    path = Path(path).expanduser()
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"the device {path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error
    if "law" not in tables:
        found = ", ".join(tables) or "nothing"
        raise ConfigError(
            f'{path} states no law, but {found}; a device file begins with law = "soft-bounds" or the like, and '
            "its fields stand at the top, under no heading"
        )
    reader = Reader()
    device = reader.read(Device, with_absolute_paths(tables, path.resolve().parent), "")
    reader.problems.check(str(path))
    assert device is not MISSING
    return device


def dump_device(device: Device, comments: Iterable[str] = ()) -> str:
    """Return a device as TOML, complete: `load_device` makes an equal one of it. Comments stand above, a line each.

    Raises ConfigError for a device class that no file can name.
    """
    return "\n".join([*(f"# {line}".rstrip() for line in comments), *lines_of(device, "")]) + "\n"


def save_device(device: Device, path: str | os.PathLike[str], comments: Iterable[str] = ()) -> None:
    """Write a device to a TOML file, whole or not at all."""
    write_text(path, dump_device(device, comments))
