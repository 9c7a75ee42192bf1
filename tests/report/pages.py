"""Reading a report as a browser would."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any


def figures(page: Path) -> dict[str, dict[str, Any]]:
    """Return the data of all figures of a page by name."""
    text = page.read_text(encoding="utf-8")
    found = re.findall(r'<script type="application/json" id="([^"]+)-data">(.*?)</script>', text, re.S)
    return {name: json.loads(data) for name, data in found}


def trace(figure: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the first trace whose name begins so."""
    return next(t for t in figure["data"] if t.get("name", "").startswith(name))


def words_of(page: Path) -> str:
    """Return the text of a page without scripts and styles."""
    text = re.sub(r"<(script|style)\b.*?</\1>", " ", page.read_text(encoding="utf-8"), flags=re.S)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))
