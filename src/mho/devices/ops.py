"""The vocabulary of device laws: branch-free scalar functions that work on floats, NumPy arrays and torch tensors.

A law may use these names, `+ - * /`, comparisons and `&`, `|`, `~` of comparisons; nothing else. The same names are
translated to Numba and Triton by `mho.kernels.translate`.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from mho.errors import LawError


def _tensor_in(*values: Any) -> Any:
    """Return torch if any of the values is a tensor, else None; never imports torch by itself."""
    torch = sys.modules.get("torch")
    if torch is not None:
        for value in values:  # a plain loop: this is a third of a law's cost on small arrays
            if isinstance(value, torch.Tensor):
                return torch
    return None


def _as_tensors(torch: Any, *values: Any) -> list[Any]:
    like = next(v for v in values if isinstance(v, torch.Tensor) and v.dtype.is_floating_point)
    return [v if isinstance(v, torch.Tensor) else torch.as_tensor(v, dtype=like.dtype) for v in values]


def where(condition: Any, yes: Any, no: Any) -> Any:
    """Return `yes` where the condition holds, else `no`; both sides are always evaluated."""
    if torch := _tensor_in(condition, yes, no):
        if not isinstance(condition, torch.Tensor):
            condition = torch.as_tensor(condition)
        return torch.where(condition, yes, no)
    return np.where(condition, yes, no)


def minimum(a: Any, b: Any) -> Any:
    """Return the smaller of two numbers."""
    if torch := _tensor_in(a, b):
        return torch.minimum(*_as_tensors(torch, a, b))
    return np.minimum(a, b)


def maximum(a: Any, b: Any) -> Any:
    """Return the larger of two numbers."""
    if torch := _tensor_in(a, b):
        return torch.maximum(*_as_tensors(torch, a, b))
    return np.maximum(a, b)


def exp(x: Any) -> Any:
    """Return e to the power x."""
    torch = _tensor_in(x)
    return torch.exp(x) if torch else np.exp(x)


def log(x: Any) -> Any:
    """Return the natural logarithm of a positive number."""
    torch = _tensor_in(x)
    return torch.log(x) if torch else np.log(x)


def sqrt(x: Any) -> Any:
    """Return the square root of a number that is not negative."""
    torch = _tensor_in(x)
    return torch.sqrt(x) if torch else np.sqrt(x)


def absolute(x: Any) -> Any:
    """Return the absolute value."""
    torch = _tensor_in(x)
    return torch.abs(x) if torch else np.abs(x)


def power(base: Any, exponent: Any) -> Any:
    """Return a base that is not negative to a real exponent; 0 to a positive power is 0."""
    if torch := _tensor_in(base, exponent):
        return torch.pow(*_as_tensors(torch, base, exponent))
    return np.power(base, exponent)


def tanh(x: Any) -> Any:
    """Return the hyperbolic tangent."""
    torch = _tensor_in(x)
    return torch.tanh(x) if torch else np.tanh(x)


def floor(x: Any) -> Any:
    """Return the largest whole number that is not above x."""
    torch = _tensor_in(x)
    return torch.floor(x) if torch else np.floor(x)


def interpolate(table: Any, position: Any) -> Any:
    """Return the value of a table at a real position, on the straight line between the two nodes beside it.

    table: (nodes,), or (chips, nodes) with a position (chips, ...). A position is held between 0, the first node, and
    nodes - 1, the last. Raises LawError for a table of another shape.
    """
    if np.ndim(table) not in (1, 2):
        raise LawError(
            f"interpolate reads a table (nodes,) or (chips, nodes), found the shape {np.shape(table)}; return "
            "Table(values) from cells() under the name that the law takes"
        )
    if torch := _tensor_in(table, position):
        table, position = _as_tensors(torch, table, position)
        last = table.shape[-1] - 1
        inside = position.clamp(0, last)
        whole = torch.where(inside > 0, inside, 0).detach().floor()
        low, chips = whole.long(), torch.arange(table.shape[0], device=table.device)
        high = (low + 1).clamp(max=last)
    else:
        table, last = np.asarray(table), np.shape(table)[-1] - 1
        inside = np.minimum(np.maximum(position, 0), last)
        whole = np.floor(np.where(inside > 0, inside, 0)).astype(inside.dtype)
        low, chips = whole.astype(np.int64), np.arange(table.shape[0])
        high = np.minimum(low + 1, last)
    at = (chips.reshape(-1, *(1,) * (low.ndim - 1)),) if table.ndim == 2 else ()
    start = table[(*at, low)]
    return start + (inside - whole) * (table[(*at, high)] - start)


OPS = ("where", "minimum", "maximum", "exp", "log", "sqrt", "absolute", "power", "tanh", "floor", "interpolate")
