"""Every public name of every module exists and says what it is."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import types
from collections.abc import Iterator

import pytest

from repo.paths import PACKAGE


def module_names() -> list[str]:
    """Return the names of mho and of all modules in it, from the files: importing is left to the test."""
    files = (path.relative_to(PACKAGE.parent).with_suffix("") for path in sorted(PACKAGE.rglob("*.py")))
    return [".".join(f.parts).removesuffix(".__init__") for f in files if f.name != "__main__"]


def undocumented(module: types.ModuleType) -> Iterator[str]:
    """Yield what `module` lacks: a docstring, a name that `__all__` promises, a public object's docstring."""
    if not (module.__doc__ or "").strip():
        yield f"{module.__name__} has no docstring"
    for name in getattr(module, "__all__", ()):
        full = f"{module.__name__}.{name}"
        if not hasattr(module, name):
            yield f"{full} is in __all__ but does not exist"
            continue
        thing = getattr(module, name)
        if (inspect.isclass(thing) or inspect.isroutine(thing)) and not own_docstring(thing):
            yield f"{full} has no docstring"


def own_docstring(thing: object) -> str:
    """Return the docstring written for `thing`, not one inherited or made by `dataclass`."""
    written = vars(thing).get("__doc__") if inspect.isclass(thing) else thing.__doc__
    if inspect.isclass(thing) and str(written).startswith(f"{thing.__name__}("):
        return ""
    return str(written or "").strip()


@pytest.mark.parametrize("name", module_names())
def test_public_names_have_docstrings(name: str) -> None:
    assert list(undocumented(importlib.import_module(name))) == []


def test_missing_docstrings_are_found() -> None:
    class Silent:
        pass

    module = types.ModuleType("toy")
    module.Record = dataclasses.make_dataclass("Record", ["a"])  # type: ignore[attr-defined]
    module.Silent = Silent  # type: ignore[attr-defined]
    module.speaks = undocumented  # type: ignore[attr-defined]
    module.limit = 3  # type: ignore[attr-defined]
    module.__all__ = ["Record", "Silent", "gone", "limit", "speaks"]  # type: ignore[attr-defined]
    assert list(undocumented(module)) == [
        "toy has no docstring",
        "toy.Record has no docstring",
        "toy.Silent has no docstring",
        "toy.gone is in __all__ but does not exist",
    ]
