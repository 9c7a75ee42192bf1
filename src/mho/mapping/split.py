"""Split a weight matrix evenly over arrays of limited size."""

from __future__ import annotations


def even_parts(size: int, limit: int) -> tuple[tuple[int, int], ...]:
    """Return (first, last) of the fewest parts of at most `limit` that cover `size`, equal to within one."""
    count = -(-size // limit)
    base, extra = divmod(size, count)
    parts, first = [], 0
    for i in range(count):
        last = first + base + (i < extra)
        parts.append((first, last))
        first = last
    return tuple(parts)
