"""How programming a model went, layer by layer and chip by chip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class LayerReport:
    """How programming one layer went; arrays are over chips.

    devices: of a chip. clipped: share of the weights outside [-1, 1]. error: root mean square of weight shown - weight
    wanted, where 1 is the largest weight. stuck_low, stuck_high, missed: shares of the devices that are stuck, and that
    no reading found within the tolerance. pulses, reads: sent and made. seconds: that they take.
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
    def of(name: str, written: Sequence[Any], timing: Any = None) -> LayerReport:
        """Return the report of a layer from what writing its blocks returned."""

        def total(key: str) -> np.ndarray:
            return np.sum([getattr(w, key).numpy() for w in written], axis=0)

        devices, weights = sum(w.devices for w in written), sum(w.weights for w in written)
        pulses, reads = total("pulses"), total("reads")
        return LayerReport(
            name, devices, total("clipped") / weights, np.sqrt(total("square") / weights), total("stuck_low") / devices,
            total("stuck_high") / devices, total("missed") / devices, pulses, reads,
            timing.seconds(pulses, reads) if timing is not None else 0 * pulses,
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
