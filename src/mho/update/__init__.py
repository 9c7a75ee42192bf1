"""Updates: how samples change conductances."""

from mho.update.settings import Update

__all__ = ["Update"]
