"""Mapping: how weight matrices and convolutions are laid on tiles."""

from mho.mapping.settings import Mapping

__all__ = ["Mapping"]
