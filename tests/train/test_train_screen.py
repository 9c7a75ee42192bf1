"""Lines and bars that training, programming and sweeps share."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from mho.sweep import progress as of_sweeps
from mho.train import program_progress as of_programming
from mho.train import progress as of_training

REPORTERS = [of_training.reporter, partial(of_programming.reporter, passes=2), of_sweeps.reporter]


@pytest.mark.parametrize("reporter", REPORTERS)
def test_a_bar_writes_above_itself_and_goes(
    reporter: Callable[[bool | str], Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    shown = reporter(True)
    shown.write("[red] of 2")
    shown.close()
    assert not shown.progress.live.is_started
    assert "[red] of 2\n" in capsys.readouterr().out


@pytest.mark.parametrize("reporter", REPORTERS)
def test_plain_is_lines_on_a_terminal_too(
    reporter: Callable[[bool | str], Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    shown = reporter("plain")
    shown.write("[red] of 2")
    shown.close()
    assert capsys.readouterr().out == "[red] of 2\n"
    assert reporter(False).close() is None
    assert "Silent" in type(reporter(False)).__name__
