"""What laws of single devices share that pulses can only raise."""

from __future__ import annotations

from typing import ClassVar

from mho.devices.base import Array, Device, Draw
from mho.devices.spread import PerChip, Spread
from mho.devices.steps import Wrong, check_noise, check_positive


class Unipolar(Device):
    """One conductance G from 0 to its own largest value w_max, which up pulses raise; down pulses leave it as it is.

    Only a reset lowers it. Its weight is made by two of them, `cell.pair = "one-sided"`, which counts the pulses of
    either side and resets them on a schedule of the cell.
    """

    unipolar: ClassVar[bool] = True
    dw_min: Spread = Spread(0.001, d2d=0.3)
    w_max: Spread = Spread(1.0, d2d=0.1)
    c2c: PerChip = 0.3

    def check(self) -> Wrong:
        """Yield impossible steps, ranges or noise."""
        yield from check_positive(self.dw_min, "the mean step size")
        yield from check_positive(self.w_max, "the mean largest conductance")
        yield from check_noise(c2c=self.c2c)

    def range(self, draw: Draw) -> dict[str, Array]:
        """Return step size, range and noise of every device."""
        return {"a": draw(self.dw_min), "bottom": 0.0, "top": draw(self.w_max), "c2c": self.c2c}
