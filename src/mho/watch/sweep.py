"""The view of a sweep, from its plan and the packs that are finished."""

from __future__ import annotations

from pathlib import Path

from mho.watch.view import RUNNING, View


def sweep_view(folder: Path) -> View:
    """Return the view of a sweep."""
    return View(folder.name, RUNNING)
