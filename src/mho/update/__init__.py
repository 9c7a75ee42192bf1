"""Updates: how samples change conductances, and by which rules they learn."""

from mho.update.learner import Learner
from mho.update.rule import Making, Rule
from mho.update.settings import Update
from mho.update.shift_settings import ZeroShift

__all__ = ["Learner", "Making", "Rule", "Update", "ZeroShift"]
