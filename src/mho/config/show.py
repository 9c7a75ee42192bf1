"""Configurations as a person reads them: the call that makes them, with only what is not default."""

from __future__ import annotations

import dataclasses
from typing import Any

from mho.devices import Device, Spread

WIDTH = 100


def show(value: Any, indent: int = 0) -> str:
    """Return the call that makes a settings object, without defaults; long calls take a line per argument."""
    if isinstance(value, Spread):
        rest = [f"{n}={getattr(value, n)!r}" for n in ("d2d", "std", "log_normal") if getattr(value, n)]
        return f"Spread({', '.join([repr(value.mean), *rest])})"
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return repr(value)
    parts = [f"{name}={show(held, indent + 4)}" for name, held in not_default(value)]
    name = type(value).__name__
    one_line = f"{name}({', '.join(parts)})"
    if len(one_line) + indent <= WIDTH and "\n" not in one_line:
        return one_line
    space = " " * (indent + 4)
    return f"{name}(\n" + "".join(f"{space}{part},\n" for part in parts) + " " * indent + ")"


def stated(device: Device) -> str:
    """Return a device with its law and its parameters, those that are off left out."""
    held = {f.name: getattr(device, f.name) for f in dataclasses.fields(device)}
    return f"{type(device).__name__}({', '.join(f'{name}={show(v)}' for name, v in held.items() if v)})"


def not_default(value: Any) -> list[tuple[str, Any]]:
    """Return (name, value) of the settings in which an object differs from what its class would give."""
    defaults = {
        f.name: f.default if f.default_factory is dataclasses.MISSING else f.default_factory()
        for f in dataclasses.fields(value)
    }
    if "backward" in defaults:
        defaults["backward"] = dataclasses.replace(value.forward, bound_management="none")
    shown = []
    for f in dataclasses.fields(value):
        held = getattr(value, f.name)
        if f.name == "layers":
            held = {pattern: dict(changes) for pattern, changes in held}
            defaults["layers"] = {}
        if held != defaults[f.name]:
            shown.append((f.name, held))
    return shown
