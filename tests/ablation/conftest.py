"""Runs in this process get a short report: the real one is written where the command line is tested."""

from __future__ import annotations

from pathlib import Path

import pytest

import mho.train.run


@pytest.fixture(autouse=True)
def _short_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mho.train.run, "_report", lambda folder: Path(folder, "report.html").write_text("short"))
