"""The power-step device read against a reference device."""

from __future__ import annotations

import numpy as np

from mho.devices.base import Array, Draw
from mho.devices.pow_step import PowStep
from mho.devices.spread import PerChip, Spread, numbers
from mho.devices.steps import around, plain

HALVINGS = 40


class PowStepReference(PowStep):
    """A power-step device h that is read as w = h - r against a reference device r, fixed when the chip is made.

    The steps of `PowStep` at h = w + r. With `subtract_symmetry_point` r is the device's own symmetry point, found by
    halving the range, plus a draw of `reference`, the error of copying it.
    Unlike `zero_shift` this costs no pulses. Reference: IBM aihwkit `PowStepReferenceDevice` (without write noise).
    """

    reference: Spread = Spread(0.0)
    subtract_symmetry_point: bool = False

    def symmetry_point(self) -> PerChip | None:
        """Return w* of the mean device as it is read, where `PowStep` has a formula or the point is subtracted."""
        point = 0.0 if self.subtract_symmetry_point else super().symmetry_point()
        return None if point is None else plain(np.asarray(point) - np.asarray(numbers(self.reference.mean)))

    def cells(self, draw: Draw) -> dict[str, Array]:
        """Return the arrays of `PowStep` with bounds as they are read."""
        cells = super().cells(draw)
        reference = around(draw, self.reference)
        if self.subtract_symmetry_point:
            reference = reference + _balance(cells)
        return cells | {"top": cells["top"] - reference, "bottom": cells["bottom"] - reference}


def _balance(cells: dict[str, Array]) -> Array:
    """Return where the steps of every device balance: up steps fall and down steps grow with the state."""
    low, high = cells["bottom"], cells["top"]
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        up = cells["factor_up"] * np.maximum(cells["top"] - middle, 0) ** cells["gamma_up"]
        down = cells["factor_down"] * np.maximum(middle - cells["bottom"], 0) ** cells["gamma_down"]
        low, high = np.where(up > down, middle, low), np.where(up > down, high, middle)
    return (low + high) / 2
