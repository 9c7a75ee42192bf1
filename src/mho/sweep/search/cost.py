"""What a device costs: arithmetic over the swept fields, as a sweep file states it."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mho.errors import ConfigError, nearest

FUNCTIONS: dict[str, tuple[Callable[..., float], int]] = {
    "log": (math.log, 1), "log10": (math.log10, 1), "sqrt": (math.sqrt, 1), "exp": (math.exp, 1), "abs": (abs, 1),
    "min": (min, 2), "max": (max, 2),
}  # fmt: skip
"""Functions with the fewest arguments that they take; min and max take more."""
OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.Pow: math.pow,
}  # fmt: skip
LONGEST = 1000
EXAMPLE = 'cost = "log10(1/c2c) + log10(1/d2d)"'
Values = Mapping[str, Any]
Term = Callable[[Values], float]


@dataclass(frozen=True)
class Cost:
    """A cost, low where a device is cheap: called with the values of a point by path, it returns a number.

    paths: of the fields in it. The number is NaN where the arithmetic has none: log10(0), 1/0, a field left as it is.
    """

    text: str
    paths: tuple[str, ...]
    term: Term

    def __call__(self, values: Values) -> float:
        """Return the cost of a point."""
        try:
            found = float(self.term(values))
        except (ArithmeticError, ValueError, TypeError, KeyError):
            return math.nan
        return found if math.isfinite(found) else math.nan


def read_cost(text: str, paths: Sequence[str]) -> Cost:
    """Return the cost that a text states over fields with these paths.

    A field is named by the end of its path, `c2c` or `dw_min.d2d`, or in quotes where that is no plain word. There are
    + - * / **, numbers and FUNCTIONS, and nothing else. Raises ConfigError.
    """
    try:
        if len(text) > LONGEST:
            raise ConfigError(f"it is longer than {LONGEST} characters")
        reader = _Reader(paths)
        term = reader.read(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        what = error.msg if isinstance(error, SyntaxError) else str(error) or type(error).__name__
        raise ConfigError(f"the cost {text!r} cannot be read: {what}; write arithmetic, as {EXAMPLE}") from error
    if not reader.used:
        raise ConfigError(f"the cost {text!r} names no swept field; {nearest('', [_last(p) for p in paths])}")
    return Cost(text, tuple(dict.fromkeys(reader.used)), term)


class _Reader:
    """Turns a tree of Python's own parser into calls; `used` are the fields that were met."""

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths, self.used = paths, list[str]()

    def read(self, node: ast.expr) -> Term:
        """Return what computes a node; raise ConfigError for anything but arithmetic."""
        if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
            act, left, right = OPERATORS[type(node.op)], self.read(node.left), self.read(node.right)
            return lambda values: act(left(values), right(values))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
            sign, inner = (-1.0 if isinstance(node.op, ast.USub) else 1.0), self.read(node.operand)
            return lambda values: sign * inner(values)
        if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
            number = _number(node.value)
            return lambda values: number
        if isinstance(node, ast.Call):
            return self._call(node)
        return self._field(_name(node))

    def _call(self, node: ast.Call) -> Term:
        name = _name(node.func)
        if name not in FUNCTIONS:
            raise ConfigError(f"there is no function {name!r}; {nearest(name, FUNCTIONS)}")
        function, least = FUNCTIONS[name]
        if node.keywords or len(node.args) < least or (least == 1 and len(node.args) > 1):
            raise ConfigError(f"{name} takes {'one value' if least == 1 else 'two values or more'}")
        inner = [self.read(one) for one in node.args]
        return lambda values: function(*(one(values) for one in inner))

    def _field(self, name: str) -> Term:
        found = [path for path in self.paths if path == name or path.endswith(f".{name}")]
        if len(found) != 1:
            among = f"it is the end of {' and '.join(found)}" if found else nearest(name, map(_last, self.paths))
            raise ConfigError(f"{name!r} names {'more than one' if found else 'no'} swept field: {among}")
        path = found[0]
        self.used.append(path)
        return lambda values: _number(values[path])


def _name(node: ast.expr) -> str:
    """Return a dotted name, or one in quotes."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_name(node.value)}.{node.attr}"
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    raise ConfigError(f"{type(node).__name__} is no arithmetic over fields")


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(value)
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _last(path: str) -> str:
    return path.rpartition(".")[2]
