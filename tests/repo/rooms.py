"""The import order of mho's rooms, and the checker that holds it: a room may import only rooms before it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

# A room is a file or a folder directly below src/mho. The order is the one design decision kept here; see
# docs/decisions/0002-import-order.md.
ROOMS = (
    "version",
    "errors",
    "folders",
    "units",
    "over_chips",
    "random",
    "devices",
    "kernels",
    "tiles",
    "periphery",
    "update",
    "mapping",
    "config",
    "characterize",
    "nn",
    "optim",
    "graph",
    "distributed",
    "inference",
    "cost",
    "data",
    "report",
    "train",
    "ablation",
    "sweep",
    "watch",
    "studies",
    "cli",
    "__main__",
)

# Rooms that stand where their users need them but themselves need less than the order would allow.
ONLY = {"data": ("errors", "folders")}

FRONT_DOOR = "__init__"  # src/mho/__init__.py gathers the public names, so it may import every room


def room_of(path: Path, package: Path) -> str:
    """Return the room that the file `path` below the folder `package` belongs to."""
    first = path.relative_to(package).parts[0]
    return first.removesuffix(".py")


def violations(package: Path) -> list[str]:
    """Return a line for each import below `package` that breaks the order, and each room without a place."""
    found = []
    for path in sorted(package.rglob("*.py")):
        room = room_of(path, package)
        if room in (FRONT_DOOR, "__main__"):
            continue
        if room not in ROOMS:
            found.append(f"{path}: {room!r} is no room: give it a place in ROOMS of {Path(__file__).name}")
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
        for line, target in imported_rooms(tree, path, package):
            problem = _problem(room, target)
            if problem:
                found.append(f"{path}:{line}: {problem}")
    return found


def imported_rooms(tree: ast.Module, path: Path, package: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, room) of every import of mho in `tree`: in functions and for types only, too.

    The room is `__init__` where something is taken from the front door.
    """
    inside = [package.name, *path.relative_to(package).parent.parts]
    for node in ast.walk(tree):
        for name in _imported_names(node, inside):
            parts = name.split(".")
            if parts[0] == package.name:
                room = parts[1] if len(parts) > 1 else FRONT_DOOR
                yield node.lineno, room if _is_room(room, package) else FRONT_DOOR  # type: ignore[attr-defined]


def _imported_names(node: ast.AST, inside: list[str]) -> list[str]:
    """Return the dotted names that one statement or call imports in a file of the package `inside`."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        start = inside[: len(inside) - node.level + 1] if node.level else []
        base = [*start, *(node.module.split(".") if node.module else [])]
        return [".".join([*base, alias.name]) for alias in node.names]
    if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in ("import_module", "__import__"):
            return [str(node.args[0].value)]
    return []


def _is_room(name: str, package: Path) -> bool:
    return name in ROOMS or (package / name).is_dir() or (package / f"{name}.py").is_file()


def _problem(room: str, target: str) -> str:
    """Return why `room` may not import `target`, or nothing if it may."""
    if target == room:
        return ""
    if target == FRONT_DOOR:
        return f"{room} imports from the front door `mho`, which imports everything: name the room instead"
    if target not in ROOMS:
        return f"{room} imports {target!r}, which is no room"
    if room in ONLY and target not in ONLY[room]:
        return f"{room} imports {target}; it may import only {', '.join(ONLY[room])}"
    if ROOMS.index(target) > ROOMS.index(room):
        return f"{room} imports {target}, which comes after it"
    return ""
