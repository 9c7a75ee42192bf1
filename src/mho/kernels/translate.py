"""Turn the source of a device law into the source of a kernel function: checked, names resolved.

A law is straight-line scalar code, so its translation is a renaming: numbers become single precision, the
names of `mho.devices.ops` become primitives that every backend defines, and helper functions are taken along.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import math
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mho.devices import ops
from mho.devices.base import Device, law_arguments
from mho.errors import LawError

ALIASES: dict[Any, str] = {getattr(ops, name): name for name in ops.OPS}
ALIASES |= {np.where: "where", np.minimum: "minimum", np.maximum: "maximum", np.exp: "exp", math.exp: "exp"}
ALIASES |= {np.log: "log", math.log: "log", np.sqrt: "sqrt", math.sqrt: "sqrt", np.abs: "absolute"}
ALIASES |= {np.power: "power", np.tanh: "tanh", math.tanh: "tanh", np.floor: "floor", math.floor: "floor"}
ALIASES |= {abs: "absolute", min: "minimum", max: "maximum"}

_ALLOWED = (
    ast.Assign, ast.Return, ast.BinOp, ast.UnaryOp, ast.Compare, ast.Call, ast.Name, ast.Constant,
    ast.Attribute, ast.Tuple, ast.Load, ast.Store, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow, ast.USub,
    ast.UAdd, ast.BitAnd, ast.BitOr, ast.Invert, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq,
    ast.AnnAssign, ast.AugAssign,
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
    """Return the definitions of a law and of what it calls, as `def name(...)`, in kernel primitives.

    Raises LawError, showing the line, where the law uses what a kernel cannot do.
    """
    names = {function: name}
    pieces: dict[str, str] = {}
    _Translator(names, pieces).function(function)
    return "\n\n".join(pieces.values())


def law_tables(device: type[Device]) -> tuple[str, ...]:
    """Return the names of the arguments of a device's law that are tables: those that `interpolate` reads.

    A kernel function takes three arguments for each: the table, where the chip's first node is, and the number of the
    last node. Raises LawError as `law_source` does.
    """
    translator = _Translator({device.pulse: "law"}, {})
    translator.function(device.pulse)
    return tuple(name for name in law_arguments(device) if name in translator.tables)


class _Translator(ast.NodeTransformer):
    def __init__(self, names: dict[Callable[..., Any], str], pieces: dict[str, str]) -> None:
        self.names, self.pieces = names, pieces
        self.line = 1

    def function(self, function: Callable[..., Any]) -> None:
        """Add the translated definition of one function, after those it needs."""
        definition, self.lines, self.where = parse_law(function)
        self.first = function.__code__.co_firstlineno
        self.scope = scope_of(function)
        given = definition.args
        if given.vararg or given.kwarg or given.kwonlyargs or given.posonlyargs or given.defaults:
            raise self.refused(definition, "a law takes plain arguments, by position and without defaults")
        self.arguments = {a.arg for a in given.args}
        self.local = set(self.arguments)
        self.tables = self.find_tables(definition)
        body = [s for s in definition.body if not _is_docstring(s)]
        for statement in body[:-1]:
            if isinstance(statement, ast.Return):
                raise self.refused(statement, "a law has one `return`, its last line")
        body = [self.visit(s) for s in body]
        if not body or not isinstance(body[-1], ast.Return) or body[-1].value is None:
            raise self.refused(definition, "a law ends with `return new_state`")
        code = "\n".join(ast.unparse(ast.fix_missing_locations(s)) for s in body)
        name, arguments = self.names[function], ", ".join(self.parameter(a.arg) for a in given.args)
        self.pieces[name] = f"@compiled\ndef {name}({arguments}):\n{textwrap.indent(code, '    ')}\n"

    def find_tables(self, definition: ast.FunctionDef) -> set[str]:
        """Return the arguments that `interpolate` reads, which are nothing else."""
        found: set[str] = set()
        for call in ast.walk(definition):
            if isinstance(call, ast.Call) and self.target(call.func) is ops.interpolate:
                table = call.args[0] if call.args else None
                if len(self.names) > 1 or not isinstance(table, ast.Name) or table.id not in self.arguments:
                    raise self.refused(
                        call, "a table is an argument of the law itself: interpolate(argument, position)"
                    )
                if table.id in [a.arg for a in definition.args.args[:3]]:
                    raise self.refused(call, f"{table.id} is a number; a table comes after w, up and xi, from cells()")
                found.add(table.id)
        return found

    def parameter(self, name: str) -> str:
        """Return what a kernel function takes for an argument of the law."""
        return ", ".join(_table_parts(name)) if name in self.tables else _own(name)

    def visit(self, node: ast.AST) -> Any:
        """Keep the line that is being read: operators have none of their own."""
        self.line = getattr(node, "lineno", self.line)
        return super().visit(node)

    def refused(self, node: ast.AST, why: str) -> LawError:
        """Return the error that shows the line of a node."""
        line = getattr(node, "lineno", self.line)
        text = self.lines[line - 1].strip() if line <= len(self.lines) else ""
        return LawError(f"{self.where}, line {self.first + line - 1}: `{text}`: {why}")

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Refuse what a kernel cannot do."""
        if not isinstance(node, _ALLOWED):
            usual = "a law uses arithmetic, comparisons and the functions of mho.devices"
            raise self.refused(node, _HINTS.get(type(node), usual))
        return super().generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        """Round a number to single precision."""
        if isinstance(node.value, bool) or not isinstance(node.value, (int, float)):
            raise self.refused(node, f"found {node.value!r}; a law uses numbers only")
        return _single(float(node.value))

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        """Translate the value before the name becomes local."""
        value = self.visit(node.value)
        for target in node.targets:
            for leaf in target.elts if isinstance(target, ast.Tuple) else [target]:
                if not isinstance(leaf, ast.Name):
                    raise self.refused(node, "a law assigns to names only")
                self.local.add(leaf.id)
        return ast.Assign([self.visit(t) for t in node.targets], value)

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        """Refuse `a < b < c`, which arrays cannot do."""
        if len(node.ops) > 1:
            raise self.refused(node, "write (a < b) & (b < c) in place of a < b < c")
        return super().generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        """Drop the annotation."""
        if node.value is None:
            raise self.refused(node, "a law assigns values")
        return self.visit(ast.copy_location(ast.Assign([node.target], node.value), node))

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        """Spell out `a += b`."""
        if not isinstance(node.target, ast.Name):
            raise self.refused(node, "a law assigns to names only")
        if node.target.id in self.arguments:
            name = node.target.id
            raise self.refused(node, f"this would change the caller's array; write {name} = {name} + ...")
        load = ast.copy_location(ast.Name(node.target.id, ast.Load()), node)
        value = ast.copy_location(ast.BinOp(load, node.op, node.value), node)
        return self.visit(ast.copy_location(ast.Assign([node.target], value), node))

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        """Write small whole powers as products, and other powers and quotients as calls."""
        if isinstance(node.op, ast.Div):
            return ast.Call(_load("divide"), [self.visit(node.left), self.visit(node.right)], [])
        if not isinstance(node.op, ast.Pow):
            return super().generic_visit(node)
        exponent = node.right
        if isinstance(exponent, ast.Constant) and exponent.value in (2, 3, 4):
            base = self.visit(node.left)
            product = base
            for _ in range((2, 3, 4).index(exponent.value) + 1):
                product = ast.BinOp(product, ast.Mult(), base)
            return product
        return ast.Call(_load("power"), [self.visit(node.left), self.visit(exponent)], [])

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """Rename local names; replace a global number by its value."""
        if node.id in self.tables:
            raise self.refused(node, f"{node.id} is a table: it is only read, by interpolate({node.id}, position)")
        if node.id in self.local:
            return ast.Name(_own(node.id), node.ctx)
        return self.constant(node, self.lookup(node))

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """Replace `module.NUMBER` by its value."""
        return self.constant(node, self.lookup(node))

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Rename a known function, or take a helper along."""
        if node.keywords:
            raise self.refused(node, "call functions by position")
        target = self.lookup(node.func)
        if target is ops.interpolate:
            return self.reading(node)
        arguments = [self.visit(a) for a in node.args]
        try:
            known = ALIASES.get(target)
        except TypeError:
            known = None
        if known is None:
            known = self.helper(node, target)
        return ast.Call(_load(known), arguments, [])

    def reading(self, node: ast.Call) -> ast.AST:
        """Translate `interpolate(table, position)`."""
        if len(node.args) != 2:
            raise self.refused(node, "interpolate takes a table and a position")
        table: Any = node.args[0]
        return ast.Call(_load("interpolate"), [*map(_load, _table_parts(table.id)), self.visit(node.args[1])], [])

    def helper(self, node: ast.AST, target: Any) -> str:
        """Translate a plain Python function that the law calls, and return its kernel name."""
        target = getattr(target, "__func__", target)
        room = (getattr(target, "__module__", None) or "").split(".")[0]
        if not inspect.isfunction(target) or room in ("numpy", "torch", "random"):
            shown = getattr(target, "__name__", repr(target))
            hint = f"{shown} is not known to kernels; use mho.devices: {', '.join(ops.OPS)}"
            if "random" in str(getattr(target, "__module__", "")) or "random" in shown:
                hint = "a law draws no random numbers itself: they arrive as the argument xi"
            raise self.refused(node, hint)
        if target not in self.names:
            self.names[target] = f"helper_{target.__name__}_{len(self.names)}"
            _Translator(self.names, self.pieces).function(target)
        elif self.names[target] not in self.pieces:
            raise self.refused(node, f"{target.__name__} calls itself; a law has no loops")
        return self.names[target]

    def target(self, node: ast.AST) -> Any:
        """Return what is called, or None where that is no name of a function."""
        try:
            return self.lookup(node)
        except LawError:
            return None

    def lookup(self, node: ast.AST) -> Any:
        """Return the object that a global name or `module.name` stands for."""
        if isinstance(node, ast.Name):
            if node.id in self.scope:
                return self.scope[node.id]
            raise self.refused(node, f"the name {node.id!r} is not defined")
        if isinstance(node, ast.Attribute):
            owner = self.lookup(node.value)
            if hasattr(owner, node.attr):
                return getattr(owner, node.attr)
        raise self.refused(node, "a law uses its arguments, numbers and functions only")

    def constant(self, node: ast.AST, value: Any) -> ast.AST:
        """Return a number from outside the law as a single-precision constant."""
        if isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool):
            return _single(float(value))
        kind = type(value).__name__
        raise self.refused(node, f"{ast.unparse(node)} is {kind}; a law uses numbers and functions only")


def scope_of(function: Callable[..., Any]) -> dict[str, Any]:
    """Return what the names stand for that a function takes from outside."""
    return vars(builtins) | function.__globals__ | dict(inspect.getclosurevars(function).nonlocals)


def _own(name: str) -> str:
    """Return the kernel's name of a law's own variable, which no primitive has."""
    return f"{name}_"


def _table_parts(name: str) -> tuple[str, str, str]:
    """Return the kernel's names of a table, of where its first node is and of the number of its last node."""
    return _own(name), f"{name}__first", f"{name}__last"


def _single(value: float) -> ast.AST:
    return ast.Call(_load("f32"), [ast.Constant(value)], [])


def _load(name: str) -> ast.Name:
    return ast.Name(name, ast.Load())


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _source(function: Callable[..., Any]) -> str:
    """Return the source of a function: of a file, a notebook cell or the text of `python -c`, which Python forgets."""
    try:
        return inspect.getsource(function)
    except OSError:
        code, given = function.__code__, sys.orig_argv
        if code.co_filename == "<string>" and "-c" in given[:-1]:
            lines = given[given.index("-c") + 1].splitlines(keepends=True)[code.co_firstlineno - 1 :]
            found = "".join(inspect.getblock(lines)) if lines else ""
            if f"def {code.co_name}(" in found:
                return found
        raise


def parse_law(function: Callable[..., Any]) -> tuple[ast.FunctionDef, list[str], str]:
    """Return the definition of a law or helper, its lines, and the words for where it is."""
    where = f"{Path(function.__code__.co_filename).name}: {function.__qualname__}"
    try:
        text = textwrap.dedent(_source(function))
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
