"""Where a law divides by zero, overflows or leaves the numbers: its lines, evaluated one operation at a time."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from mho.devices import ops
from mho.kernels.translate import ALIASES, parse_law, scope_of

_OPERATORS: dict[type, Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.Pow: np.power, ast.BitAnd: operator.and_, ast.BitOr: operator.or_, ast.USub: operator.neg,
    ast.UAdd: operator.pos, ast.Invert: np.logical_not, ast.Lt: operator.lt, ast.LtE: operator.le,
    ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Eq: operator.eq, ast.NotEq: operator.ne,
}  # fmt: skip
_WHY = {
    "divide": "divides by zero",
    "log": "takes the logarithm of 0 or of a negative number",
    "sqrt": "takes the root of a negative number",
    "power": "raises 0 or a negative number to a power that it does not have",
}


@dataclass(frozen=True)
class Hazard:
    """A line of a law that made finite numbers infinite or NaN, and for which cells: `mask` is an array of booleans."""

    line: str
    why: str
    mask: np.ndarray


@dataclass(frozen=True)
class _Value:
    """A value, and by (line, why) for which of its elements a hazard is part of it."""

    value: Any
    tainted: dict[tuple[str, str], np.ndarray] = field(default_factory=dict)


def hazards(law: Callable[..., Any], arguments: list[Any], shape: tuple[int, ...]) -> Iterator[Hazard]:
    """Yield the lines that spoil the law's results for these arguments, which broadcast to `shape` or are tables.

    What `where` leaves out spoils nothing; what a clip hides does: at another draw of the noise it is on the other
    side. The law must be one that `law_source` accepts.
    """
    with np.errstate(all="ignore"):
        results = _run(law, [_Value(a) for a in arguments])
    found: dict[tuple[str, str], np.ndarray] = {}
    for result in results:
        for key, mask in result.tainted.items():
            found[key] = found.get(key, False) | np.broadcast_to(mask, shape)
    for (line, why), mask in found.items():
        if mask.any():
            yield Hazard(line, why, mask)


@lru_cache(maxsize=64)
def _parsed(function: Callable[..., Any]) -> tuple[ast.FunctionDef, list[str], dict[str, Any]]:
    definition, lines, _ = parse_law(function)
    return definition, lines, scope_of(function)


def _run(function: Callable[..., Any], arguments: list[_Value]) -> list[_Value]:
    definition, lines, scope = _parsed(function)
    given = {a.arg: value for a, value in zip(definition.args.args, arguments, strict=True)}
    frame = _Frame(given, scope, lines)
    for statement in definition.body:
        if isinstance(statement, ast.Return):
            value = statement.value
            parts = value.elts if isinstance(value, ast.Tuple) else [value]
            return [frame.evaluate(part) for part in parts]
        frame.execute(statement)
    return []


class _Frame:
    """The names of one call of a law or helper, and the evaluation of its lines."""

    def __init__(self, local: dict[str, _Value], scope: dict[str, Any], lines: list[str]) -> None:
        self.local, self.scope, self.lines = local, scope, lines

    def execute(self, node: ast.stmt) -> None:
        """Evaluate an assignment."""
        if isinstance(node, ast.AugAssign):
            value = ast.BinOp(ast.Name(node.target.id, ast.Load()), node.op, node.value)  # type: ignore[union-attr]
            self.assign(node.target, ast.copy_location(value, node))
        elif isinstance(node, ast.AnnAssign):
            self.assign(node.target, node.value)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                self.assign(target, node.value)

    def assign(self, target: Any, value: Any) -> None:
        """Give names their values."""
        if not isinstance(target, ast.Tuple):
            self.local[target.id] = self.evaluate(value)
            return
        names = [part.id for part in target.elts if isinstance(part, ast.Name)]
        if isinstance(value, ast.Tuple):
            new = [self.evaluate(part) for part in value.elts]
            self.local |= dict(zip(names, new, strict=True))
        else:  # a helper that returns several values
            arguments = [self.evaluate(a) for a in value.args]
            new = _run(_plain(self.lookup(value.func)), arguments)
            self.local |= dict(zip(names, new, strict=True))

    def evaluate(self, node: Any) -> _Value:
        """Return the value of an expression, with its hazards."""
        if isinstance(node, ast.Name) and node.id in self.local:
            return self.local[node.id]
        if isinstance(node, ast.Call):
            return self.call(node)
        if isinstance(node, ast.BinOp):
            name = {ast.Div: "divide", ast.Pow: "power"}.get(type(node.op), "")
            return self.apply(node, name, _OPERATORS[type(node.op)], [node.left, node.right])
        if isinstance(node, ast.UnaryOp):
            return self.apply(node, "", _OPERATORS[type(node.op)], [node.operand])
        if isinstance(node, ast.Compare):
            return self.apply(node, "", _OPERATORS[type(node.ops[0])], [node.left, node.comparators[0]])
        value: Any = node.value if isinstance(node, ast.Constant) else self.lookup(node)
        return _Value(np.float32(value))

    def call(self, node: ast.Call) -> _Value:
        """Return the value of a call of a known function or of a helper."""
        target = self.lookup(node.func)
        name = ALIASES.get(target)
        if name is None:
            return _run(_plain(target), [self.evaluate(a) for a in node.args])[0]
        if name != "where":
            return self.apply(node, name, getattr(ops, name), node.args)
        condition, yes, no = (self.evaluate(a) for a in node.args)
        chosen = np.asarray(condition.value, bool)
        tainted = dict(condition.tainted)
        for side, mask in ((yes, chosen), (no, ~chosen)):
            for key, spoiled in side.tainted.items():
                tainted[key] = tainted.get(key, False) | (spoiled & mask)
        return _Value(np.where(chosen, yes.value, no.value), tainted)

    def apply(self, node: ast.expr, name: str, function: Callable[..., Any], operands: list[Any]) -> _Value:
        """Return the value of one operation, noting where it makes finite numbers infinite or NaN."""
        given = [self.evaluate(o) for o in operands]
        value = function(*(g.value for g in given))
        tainted: dict[tuple[str, str], np.ndarray] = {}
        for g in given:
            for key, mask in g.tainted.items():
                tainted[key] = tainted.get(key, False) | mask
        finite = [np.isfinite(g.value) for g in given if name != "interpolate" or g is not given[0]]
        spoiled = ~np.isfinite(value) & np.logical_and.reduce(np.broadcast_arrays(*finite), axis=0)
        if spoiled.any():
            overflows = name == "divide" and not (np.broadcast_to(given[1].value, spoiled.shape)[spoiled] == 0).any()
            why = "overflows" if overflows else _WHY.get(name, "overflows")
            tainted[(self.lines[node.lineno - 1].strip(), why)] = spoiled
        return _Value(value, tainted)

    def lookup(self, node: Any) -> Any:
        """Return what a name, or an attribute of one, stands for outside the law."""
        if isinstance(node, ast.Attribute):
            return getattr(self.lookup(node.value), node.attr)
        return self.scope[node.id]


def _plain(function: Any) -> Callable[..., Any]:
    return getattr(function, "__func__", function)
