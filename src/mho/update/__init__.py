"""Updates: how samples change conductances, and by which rules they learn."""

from __future__ import annotations

from typing import Any

from mho.update.rule import Making, Rule
from mho.update.settings import Update
from mho.update.shift_settings import ZeroShift

__all__ = ["Learner", "Making", "Rule", "Update", "ZeroShift"]


def __getattr__(name: str) -> Any:
    """Import the base of learners when it is first used: configurations are read without torch."""
    if name == "Learner":
        from mho.update.learner import Learner

        return Learner
    raise AttributeError(f"module 'mho.update' has no attribute {name!r}")
