"""Correlations between the parameters of a device: a device with large steps may also have a wide range."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from mho.errors import ConfigError, nearest

Correlations = tuple[tuple[str, str, float], ...]
"""Pairs of names of Spread fields and the correlation coefficient of their standard normal draws.

A draw above 0 makes the magnitude of a value larger: that of a negative mean falls. Correlations are of magnitudes.
"""

TOLERANCE = 1e-6
"""An eigenvalue this far below 0 is rounding; more is no correlation matrix."""


def correlated(given: Iterable[Any], fields: Sequence[str]) -> Correlations:
    """Return correlations in canonical form; raise ConfigError for those that no draw can have.

    Each is (name, name, coefficient), names of Spread fields, coefficient from -1 to 1; together they must be a
    correlation matrix, with no negative eigenvalue.
    """
    found: dict[tuple[str, str], float] = {}
    for item in given:
        try:
            one, other, value = item
            one, other, value = str(one), str(other), float(value)
        except (TypeError, ValueError):
            raise ConfigError(f"correlations hold (name, name, coefficient) each, found {item!r}") from None
        for name in (one, other):
            if name not in fields:
                raise ConfigError(f"correlations name {name!r}, which is no Spread field; {nearest(name, fields)}")
        pair = (min(one, other), max(one, other))
        if one == other or pair in found:
            raise ConfigError(f"correlations give {one} with {other} " + ("twice" if pair in found else "itself"))
        if not -1 <= value <= 1:
            raise ConfigError(f"the correlation of {one} and {other} must be from -1 to 1, found {value}")
        found[pair] = value
    result = tuple((*pair, value) for pair, value in sorted(found.items()))
    if result and (lowest := np.linalg.eigvalsh(_matrix(result)[1])[0]) < -TOLERANCE:
        raise ConfigError(
            f"no devices can have these correlations together: their matrix has the eigenvalue {lowest:.3g}, below 0; "
            f"make them weaker: {[list(c) for c in result]}"
        )
    return result


def _matrix(correlations: Correlations) -> tuple[list[str], np.ndarray]:
    names = sorted({name for one, other, _ in correlations for name in (one, other)})
    matrix = np.eye(len(names))
    for one, other, value in correlations:
        i, j = names.index(one), names.index(other)
        matrix[i, j] = matrix[j, i] = value
    return names, matrix


@lru_cache(maxsize=64)
def mixing(correlations: Correlations) -> dict[str, tuple[tuple[str, float], ...]]:
    """Return, for every correlated name, the independent draws by name and their weights that make its draw.

    xi = L z with the correlation matrix C = L L^T, L lower triangular, names in alphabetical order.
    """
    if not correlations:
        return {}
    names, matrix = _matrix(correlations)
    values, vectors = np.linalg.eigh(matrix)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    lower = np.linalg.qr(root.T)[1].T  # unlike Cholesky's, it may be singular, as at rho = 1
    lower = lower * np.where(np.diag(lower) < 0, -1.0, 1.0)
    return {n: tuple((m, float(lower[i, j])) for j, m in enumerate(names[: i + 1])) for i, n in enumerate(names)}
