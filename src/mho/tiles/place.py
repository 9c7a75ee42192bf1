"""Where an array of weights stands."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """Where an array stands: its name, which keys its draws together with the seed, its size and its chips."""

    name: str
    shape: tuple[int, int]
    seed: int = 0
    chips: tuple[int, ...] = (0,)
    count_pulses: bool = True
