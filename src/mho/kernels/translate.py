"""Turn the source of a device law into the source of a kernel function: checked, constants single, names resolved.

A law is straight-line scalar code, so its translation is a renaming: numbers become single precision, the names of
`mho.devices.ops` become primitives that every backend defines, and helper functions that the law calls are taken along.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import math
import textwrap
from collections.abc import Callable
from typing import Any

import numpy as np

from mho.devices import ops
from mho.errors import LawError

_ALIASES: dict[Any, str] = {getattr(ops, name): name for name in ops.OPS}
_ALIASES |= {np.where: "where", np.minimum: "minimum", np.maximum: "maximum", np.exp: "exp", math.exp: "exp"}
_ALIASES |= {np.log: "log", math.log: "log", np.sqrt: "sqrt", math.sqrt: "sqrt", np.abs: "absolute", abs: "absolute"}
_ALIASES |= {np.power: "power", np.tanh: "tanh", math.tanh: "tanh", np.floor: "floor", math.floor: "floor"}
_ALIASES |= {min: "minimum", max: "maximum"}

_ALLOWED = (
    ast.Assign, ast.Return, ast.BinOp, ast.UnaryOp, ast.Compare, ast.Call, ast.Name, ast.Constant, ast.Attribute,
    ast.Tuple, ast.Load, ast.Store, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow, ast.USub, ast.UAdd, ast.BitAnd,
    ast.BitOr, ast.Invert, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq, ast.AnnAssign, ast.AugAssign,
)  # fmt: skip

_HINTS = {
    ast.If: "a law has no branches: write where(condition, a, b)",
    ast.IfExp: "a law has no branches: write where(condition, a, b)",
    ast.BoolOp: "write & and | between comparisons, each in parentheses",
    ast.Not: "write ~(condition)",
    ast.For: "a law moves one cell by one pulse: it has no loops",
    ast.While: "a law moves one cell by one pulse: it has no loops",
}


def law_source(function: Callable[..., Any], name: str) -> str:
    """Return the definitions of a law and of the functions it calls, as `def name(...)`, in kernel primitives.

    Raises LawError, showing the line, where the law uses what a kernel cannot do.
    """
    pieces: dict[str, str] = {}
    _Translator(pieces).function(function, name)
    return "\n\n".join(pieces.values())


class _Translator(ast.NodeTransformer):
    def __init__(self, pieces: dict[str, str]) -> None:
        self.pieces = pieces

    def function(self, function: Callable[..., Any], name: str) -> None:
        """Add the translated definition of one function, after those it needs."""
        definition, self.lines, self.where = _parse(function)
        self.scope = dict(inspect.getclosurevars(function).globals) | dict(inspect.getclosurevars(function).nonlocals)
        self.scope = vars(builtins) | function.__globals__ | self.scope
        arguments = [a.arg for a in definition.args.args]
        self.local = set(arguments)
        body = [self.visit(s) for s in definition.body if not _is_docstring(s)]
        if not body or not isinstance(body[-1], ast.Return):
            self.refuse(definition, "a law ends with `return new_state`")
        code = "\n".join(ast.unparse(ast.fix_missing_locations(s)) for s in body)
        self.pieces[name] = f"@compiled\ndef {name}({', '.join(arguments)}):\n{textwrap.indent(code, '    ')}\n"

    def refuse(self, node: ast.AST, why: str) -> None:
        """Raise LawError showing the line of a node."""
        line = getattr(node, "lineno", 1)
        text = self.lines[line - 1].strip() if line <= len(self.lines) else ""
        raise LawError(f"{self.where}, line {line} of the law: `{text}`: {why}")

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Refuse what a kernel cannot do."""
        if not isinstance(node, _ALLOWED):
            hint = _HINTS.get(type(node), "a law uses arithmetic, comparisons and the functions of mho.devices")
            self.refuse(node, hint)
        return super().generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        """Round a number to single precision."""
        if isinstance(node.value, bool) or not isinstance(node.value, (int, float)):
            self.refuse(node, f"found {node.value!r}; a law uses numbers only")
        return _single(float(node.value))

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        """Translate the value before the name becomes local."""
        value = self.visit(node.value)
        for target in node.targets:
            for leaf in target.elts if isinstance(target, ast.Tuple) else [target]:
                if not isinstance(leaf, ast.Name):
                    self.refuse(node, "a law assigns to names only")
                else:
                    self.local.add(leaf.id)
        return ast.Assign(node.targets, value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        """Drop the annotation."""
        if node.value is None:
            self.refuse(node, "a law assigns values")
        return self.visit(ast.copy_location(ast.Assign([node.target], node.value), node))  # type: ignore[list-item]

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        """Spell out `a += b`."""
        if not isinstance(node.target, ast.Name):
            self.refuse(node, "a law assigns to names only")
        load = ast.copy_location(ast.Name(node.target.id, ast.Load()), node)  # type: ignore[union-attr]
        value = ast.copy_location(ast.BinOp(load, node.op, node.value), node)
        return self.visit(ast.copy_location(ast.Assign([node.target], value), node))

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        """Write small whole powers as products and other powers as calls."""
        if not isinstance(node.op, ast.Pow):
            return super().generic_visit(node)
        exponent = node.right
        if isinstance(exponent, ast.Constant) and exponent.value in (2, 3, 4):
            base = self.visit(node.left)
            product = base
            for _ in range(int(exponent.value) - 1):
                product = ast.BinOp(product, ast.Mult(), base)
            return product
        return ast.Call(ast.Name("power", ast.Load()), [self.visit(node.left), self.visit(exponent)], [])

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """Keep local names; replace a global number by its value."""
        if node.id in self.local or isinstance(node.ctx, ast.Store):
            return node
        return self.constant(node, self.lookup(node))

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """Replace `module.NUMBER` by its value."""
        return self.constant(node, self.lookup(node))

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Rename a known function, or take a helper along."""
        if node.keywords:
            self.refuse(node, "call functions by position")
        target = self.lookup(node.func)
        arguments = [self.visit(a) for a in node.args]
        try:
            known = _ALIASES.get(target)
        except TypeError:
            known = None
        if known is None:
            known = self.helper(node, target)
        return ast.Call(ast.Name(known, ast.Load()), arguments, [])

    def helper(self, node: ast.AST, target: Any) -> str:
        """Translate a plain Python function that the law calls, and return its kernel name."""
        target = getattr(target, "__func__", target)
        if not inspect.isfunction(target) or (target.__module__ or "").split(".")[0] in ("numpy", "torch", "random"):
            shown = getattr(target, "__name__", repr(target))
            hint = f"{shown} is not known to kernels; use mho.devices: {', '.join(ops.OPS)}"
            if "random" in str(getattr(target, "__module__", "")) or "random" in shown:
                hint = "a law draws no random numbers itself: they arrive as the argument xi"
            self.refuse(node, hint)
        name = f"helper_{target.__name__}_{len(self.pieces)}"
        _Translator(self.pieces).function(target, name)
        return name

    def lookup(self, node: ast.AST) -> Any:
        """Return the object that a global name or `module.name` stands for."""
        if isinstance(node, ast.Name):
            if node.id in self.scope:
                return self.scope[node.id]
            self.refuse(node, f"the name {node.id!r} is not defined")
        if isinstance(node, ast.Attribute):
            owner = self.lookup(node.value)
            if hasattr(owner, node.attr):
                return getattr(owner, node.attr)
        self.refuse(node, "a law uses its arguments, numbers and functions only")
        return None

    def constant(self, node: ast.AST, value: Any) -> ast.AST:
        """Return a number from outside the law as a single-precision constant."""
        if isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool):
            return _single(float(value))
        self.refuse(node, f"{ast.unparse(node)} is {type(value).__name__}; a law uses numbers and functions only")
        return node


def _single(value: float) -> ast.AST:
    return ast.Call(ast.Name("f32", ast.Load()), [ast.Constant(value)], [])


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _parse(function: Callable[..., Any]) -> tuple[ast.FunctionDef, list[str], str]:
    where = f"{function.__module__}.{function.__qualname__}"
    try:
        text = textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError) as error:
        raise LawError(
            f"the source of {where} cannot be read ({error}); define the law in a file or a notebook cell, "
            "not at a bare prompt"
        ) from error
    tree = ast.parse(text)
    found = [n for n in tree.body if isinstance(n, ast.FunctionDef)]
    if len(found) != 1:
        raise LawError(f"{where} must be one `def`; a lambda cannot be a law")
    return found[0], text.splitlines(), where
