"""How programming a model went, layer by layer and chip by chip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mho.inference.settings import Timing
from mho.inference.writing import Written

COLUMNS = (
    ("devices", "devices", 1.0, ",.0f"),
    ("clipped %", "clipped", 100.0, ".3f"),
    ("rms error %", "error", 100.0, ".3f"),
    ("stuck low %", "stuck_low", 100.0, ".2f"),
    ("stuck high %", "stuck_high", 100.0, ".2f"),
    ("missed %", "missed", 100.0, ".2f"),
    ("pulses", "pulses", 1.0, ",.0f"),
    ("readings", "reads", 1.0, ",.0f"),
    ("seconds", "seconds", 1.0, ".4g"),
)
"""Heads, fields, units and formats of the table of a report."""


@dataclass(frozen=True)
class LayerReport:
    """How programming one layer went; arrays are over chips.

    devices: of a chip. clipped: share of the weights beyond the window. error: root mean square of weight shown -
    weight trained, where 1 fills the window; levels, faults and clipping are part of it. stuck_low, stuck_high, missed:
    shares of the devices that are stuck, and that no reading found within the tolerance. pulses, reads: sent and made.
    seconds: that they take.
    """

    name: str
    devices: int
    clipped: np.ndarray
    error: np.ndarray
    stuck_low: np.ndarray
    stuck_high: np.ndarray
    missed: np.ndarray
    pulses: np.ndarray
    reads: np.ndarray
    seconds: np.ndarray

    @staticmethod
    def of(name: str, written: Sequence[Written], timing: Timing) -> LayerReport:
        """Return the report of a layer from what writing its blocks returned."""

        def total(key: str) -> np.ndarray:
            return np.sum([getattr(w, key).cpu().numpy() for w in written], axis=0)

        devices, weights = sum(w.devices for w in written), sum(w.weights for w in written)
        pulses, reads = total("pulses"), total("reads")
        return LayerReport(
            name, devices, total("clipped") / weights, np.sqrt(total("square") / weights), total("stuck_low") / devices,
            total("stuck_high") / devices, total("missed") / devices, pulses, reads,
            timing.seconds(pulses, reads),
        )  # fmt: skip


@dataclass(frozen=True)
class ProgramReport:
    """How programming a model went; print it to read it."""

    layers: tuple[LayerReport, ...]

    @property
    def pulses(self) -> np.ndarray:
        """Write pulses of all layers, over chips."""
        return np.sum([layer.pulses for layer in self.layers], axis=0)

    @property
    def reads(self) -> np.ndarray:
        """Readings of all layers, over chips."""
        return np.sum([layer.reads for layer in self.layers], axis=0)

    @property
    def seconds(self) -> np.ndarray:
        """Seconds that pulses and readings of all layers take, over chips."""
        return np.sum([layer.seconds for layer in self.layers], axis=0)

    def __str__(self) -> str:
        """Return a table: means over the chips, layer by layer."""
        heads = ["layer", *(head for head, *_ in COLUMNS)]
        rows = [
            [layer.name, *(format(float(np.mean(getattr(layer, key))) * unit, form) for _, key, unit, form in COLUMNS)]
            for layer in self.layers
        ]
        widths = [max(len(row[k]) for row in (heads, *rows)) for k in range(len(heads))]
        return "\n".join(
            "  ".join(text.rjust(w) for text, w in zip(row, widths, strict=True)) for row in (heads, *rows)
        )
