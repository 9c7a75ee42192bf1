"""Tiles: arrays of devices on every chip, and the cells that make weights of them."""

from mho.tiles.cell import ArraySettings, Cell, Refresh

__all__ = ["ArraySettings", "Cell", "Refresh"]
