"""Runs that share chips and fail together: again in halves, until what fails stands alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

P = TypeVar("P")
R = TypeVar("R")
Place = tuple[str, ...]
"""Which halves were taken: () for all, ("a",) for the first half, ("a", "b") for the second half of that."""


def in_halves(
    parts: Sequence[P], attempt: Callable[[Sequence[P], Place], R], failed: Callable[[R], bool], place: Place = ()
) -> Iterator[tuple[Sequence[P], R]]:
    """Attempt parts together, those that fail in two halves and so on; yield which parts ended how, in order.

    Parts that fail alone are yielded as they ended.
    """
    end = attempt(parts, place)
    if len(parts) == 1 or not failed(end):
        yield parts, end
        return
    half = len(parts) // 2
    yield from in_halves(parts[:half], attempt, failed, (*place, "a"))
    yield from in_halves(parts[half:], attempt, failed, (*place, "b"))
