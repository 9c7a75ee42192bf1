"""Counting many numbers into bins, a piece at a time."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

PIECE = 1 << 20
"""Numbers counted at a time, so that the work stays in a small buffer."""


def count(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return how many values lie in each bin [edge, next edge), the last one closed; others are left out."""
    flat = values.reshape(-1)
    total = np.zeros(len(edges) - 1, np.int64)
    # NumPy finds the bins of equal width by arithmetic, many times faster than by search.
    even = np.array_equal(edges, np.linspace(edges[0], edges[-1], len(edges)))
    for start in range(0, flat.size, PIECE):
        piece = flat[start : start + PIECE]
        if even:
            total += np.histogram(piece, len(total), (edges[0], edges[-1]))[0]
        else:
            total += np.histogram(piece, edges)[0]
    return total


def ends(arrays: Iterable[np.ndarray]) -> tuple[float, float]:
    """Return the lowest and the highest value in arrays."""
    pairs = [(float(a.min()), float(a.max())) for a in arrays]
    return min(p[0] for p in pairs), max(p[1] for p in pairs)


def even_edges(low: float, high: float, bins: int = 100) -> np.ndarray:
    """Return edges of equal bins from `low` to `high`; one value gets a small range around it."""
    if high - low <= 1e-6 * max(abs(low), abs(high)):
        room = max(abs(low), 1.0) * 1e-3
        low, high = low - room, high + room
    return np.linspace(low, high, bins + 1)


def log_edges(highest: int, per_decade: int = 20) -> np.ndarray:
    """Return whole-number edges from 1 to above `highest`, about evenly spaced in the logarithm."""
    highest = max(highest, 1)  # without any pulse there is still one bin
    steps = max(2, int(np.ceil(np.log10(highest + 1) * per_decade)) + 1)
    return np.unique(np.geomspace(1, highest + 1, steps).round().astype(np.int64))


def blocks(matrix: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Return the means of about rows x columns blocks of a matrix; a smaller matrix is returned as it is."""
    for axis, size in ((0, rows), (1, columns)):
        length = matrix.shape[axis]
        if length > size:
            starts = np.linspace(0, length, size, endpoint=False).astype(int)
            widths = np.diff(np.append(starts, length))
            sums = np.add.reduceat(matrix, starts, axis=axis, dtype=np.float64)
            matrix = sums / (widths[:, None] if axis == 0 else widths)
    return matrix
