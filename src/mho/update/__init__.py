"""Updates: how samples change conductances."""

from mho.update.settings import Update
from mho.update.shift_settings import ZeroShift

__all__ = ["Update", "ZeroShift"]
