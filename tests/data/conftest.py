"""A room without network and clients, and with a cache of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.fakes import four_files, stand_in
from mho.data.catalogue import IDX_ROWS


@pytest.fixture
def files() -> dict[str, bytes]:
    """Return the intact files of the stand-in."""
    return four_files()


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes]) -> Path:
    """Put the stand-in in MNIST's place; return its folder: `cache` is mho's, `bin` alone is on PATH."""
    monkeypatch.setitem(IDX_ROWS, "mnist", stand_in(files))
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("MHO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MHO_DATA", raising=False)
    for proxy in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    return tmp_path
