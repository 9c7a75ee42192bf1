"""A second scale beside an axis: siemens beside normalised weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from mho.units import Window

PREFIXES = ((1.0, "S"), (1e-3, "mS"), (1e-6, "µS"), (1e-9, "nS"), (1e-12, "pS"))
MARKS = 5
"""About so many numbers along an axis."""


@dataclass(frozen=True)
class Scale:
    """What the numbers of an axis are in another unit: title, and other = offset + slope x number."""

    title: str
    offset: float
    slope: float

    def ticks(self, low: float, high: float) -> tuple[list[float], list[str]]:
        """Return places on the axis and their round numbers in the other unit, around the range and beyond."""
        first, last = sorted(self.offset + self.slope * v for v in (low, high))
        step = _round((last - first) / MARKS or 1.0)
        whole = range(math.floor(first / step) - 2 * MARKS, math.ceil(last / step) + 2 * MARKS + 1)
        return [(n * step - self.offset) / self.slope for n in whole], [f"{n * step:.6g}" for n in whole]


def _round(step: float) -> float:
    """Return the next 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(power * m for m in (1, 2, 5, 10) if power * m >= step * (1 - 1e-9))


def of_states(window: Window) -> Scale:
    """Return the scale of conductances beside states."""
    factor, unit = prefix(window.high)
    return Scale(f"conductance ({unit})", window.zero / factor, window.per_weight / factor)


def of_steps(window: Window, largest: float) -> Scale:
    """Return the scale of changes of conductance beside steps."""
    slope = window.per_weight
    factor, unit = prefix(largest * slope)
    return Scale(f"size of a step ({unit})", 0.0, slope / factor)


def prefix(siemens: float) -> tuple[float, str]:
    """Return the unit in which a conductance has a short number: its size in siemens, and its name."""
    return next((p for p in PREFIXES if abs(siemens) >= p[0]), PREFIXES[-1])


def siemens(value: float) -> str:
    """Return a conductance with a unit that fits."""
    if not math.isfinite(value):
        return "–"
    factor, unit = prefix(value)
    return f"{value / factor:.4g} {unit}"


def axis(scale: Scale, beside: dict[str, Any], low: float, high: float) -> dict[str, Any]:
    """Return the Plotly axis of a scale; `beside` says to which axis it belongs, and on which side it stands."""
    places, words = scale.ticks(low, high)
    return {
        "title": {"text": scale.title, "standoff": 8}, "tickmode": "array", "tickvals": places, "ticktext": words,
        "ticks": "outside", "showgrid": False, "zeroline": False, "linecolor": "#9ca3af", "automargin": True, **beside,
    }  # fmt: skip
