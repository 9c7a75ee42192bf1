"""Where things lie in the repository."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "mho"


def text(name: str) -> str:
    """Return the text of a file given relative to the repository's root."""
    return (ROOT / name).read_text(encoding="utf-8")


def pyproject() -> dict[str, Any]:
    """Return pyproject.toml as nested dictionaries."""
    return tomllib.loads(text("pyproject.toml"))
