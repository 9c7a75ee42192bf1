"""Cycle-to-cycle noise of a device: the fields that turn it off."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

from mho.devices import Device, Spread
from mho.errors import MhoError

WORDS = ("c2c", "noise", "std", "sigma")


def quiet(device: Device) -> tuple[tuple[str, str], ...] | None:
    """Return (name, value as text) of the fields that must be 0 for steps without noise; None where none do that.

    Tried in turn, and kept when the law is measured to be quiet: `c2c` alone, then all fields of the law whose names
    speak of noise.
    """
    own = {f.name for f in fields(device)} - {f.name for f in fields(Device)}
    for names in _candidates(own):
        try:
            silent = replace(device, **{n: zero(getattr(device, n)) for n in names})
            if not silent.noisy().any():
                return tuple((n, _text(getattr(device, n))) for n in names)
        except (MhoError, TypeError):
            continue
    return None


def _candidates(own: set[str]) -> Iterator[list[str]]:
    if "c2c" in own:
        yield ["c2c"]
    if named := sorted(name for name in own if any(word in name.lower() for word in WORDS)):
        yield named


def zero(value: Any) -> Any:
    """Return 0 in the shape of a field: a number, a spread, or a table."""
    if isinstance(value, Spread):
        return replace(value, mean=0.0, d2d=0.0, std=0.0)
    return (0.0,) * len(value) if isinstance(value, tuple) else 0.0


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return f"up to {max(value):.3g}"
    return f"{value.mean:.3g}" if isinstance(value, Spread) else f"{value:.3g}"
