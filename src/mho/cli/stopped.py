"""Ctrl-C during a run."""

from __future__ import annotations


class Stopped(Exception):
    """Ctrl-C during a run; its text says what is kept. Typer would drop that of a KeyboardInterrupt."""

    exit_code = 130
