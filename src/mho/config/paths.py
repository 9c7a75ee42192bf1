"""Paths in configurations: absolute, so that they mean the same from every folder."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import Any

FILES = re.compile(r".*\.py(:[^:/\\]*)?|.*\.toml", flags=re.DOTALL)
"""path/to/file.py:Name, path/to/file.py, or path/to/device.toml"""


def absolute(path: str, folder: Path | None = None) -> str:
    """Return an absolute path, read from `folder` (else from the current one), with ~ for the home folder."""
    given = Path(path)
    with suppress(RuntimeError):  # no such user: a folder whose name begins with ~
        given = given.expanduser()
    return ((folder or Path.cwd()) / given).absolute().as_posix()


def with_absolute_paths(value: Any, folder: Path) -> Any:
    """Return tables in which files of laws and networks, and data by path, are named from `folder`."""
    if not isinstance(value, dict):
        return value
    found = {}
    for key, inner in value.items():
        text = inner if isinstance(inner, str) else ""
        names_a_file = key.rpartition(".")[2] in (
            "law",
            "device",
            "minus",
            "name",
            "network",
            "rule",
        ) and FILES.fullmatch(text)
        if names_a_file or (key == "data" and "/" in text):
            inner = absolute(text, folder)
        found[key] = with_absolute_paths(inner, folder)
    return found
