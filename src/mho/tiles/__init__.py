"""Tiles: the state of crossbar arrays."""
