"""The soft-bounds device stated by the pulses that it takes to go through its range."""

from __future__ import annotations

import numpy as np

from mho.devices.base import Array, Device, Draw, law
from mho.devices.soft_bounds import SoftBounds
from mho.devices.spread import PerChip, Spread, numbers
from mho.devices.steps import Wrong, check_around_zero, check_bounds, check_noise, check_positive, plain


class SoftBoundsPmax(Device):
    """A soft-bounds device in the numbers of a pulse experiment: from reset, `p_max` pulses lead through its range.

    w(p) = r_min + B (1 - exp(-alpha p)) after p up pulses from r_min,  B = (r_max - r_min) / (1 - exp(-alpha p_max))

    so that w(p_max) = r_max. The law is that of `SoftBounds` with b_min = r_min, b_max = r_min + B and the share
    1 - exp(-alpha) of the way to the bound in both directions. Symmetry point w* = r_min + B/2, the middle.
    Reference: IBM aihwkit `SoftBoundsPmaxDevice`; its steps (alpha for 1 - exp(-alpha), one-sided `up_down`) deviate
    from its equation, which this is.
    """

    p_max: Spread = Spread(1000.0)
    alpha: Spread = Spread(0.002, d2d=0.3)
    range_min: Spread = Spread(-0.6, d2d=0.3)
    range_max: Spread = Spread(0.6, d2d=0.3)
    c2c: PerChip = 0.3

    def check(self) -> Wrong:
        """Yield impossible pulse numbers, slopes, ranges or noise."""
        yield from check_positive(self.p_max, "the number of pulses through the range")
        yield from check_positive(self.alpha, "the share of the way to the bound that a pulse goes")
        yield from check_noise(c2c=self.c2c)
        yield from check_bounds(self.range_max, self.range_min)
        yield from check_around_zero(self.range_max, self.range_min)

    def symmetry_point(self) -> PerChip:
        """Return w* of the mean device."""
        p_max, alpha, low, high = (np.asarray(numbers(s.mean)) for s in self._stated())
        return plain(low - (high - low) / np.expm1(-alpha * p_max) / 2)

    def _stated(self) -> tuple[Spread, ...]:
        return self.p_max, self.alpha, self.range_min, self.range_max

    def cells(self, draw: Draw) -> dict[str, Array]:
        """Return the bounds, and the share of the way to them that one pulse goes, of every device."""
        p_max, alpha, low, high = (draw(s) for s in self._stated())
        rate = -np.expm1(-alpha)
        through = -np.expm1(-alpha * p_max)
        return {"rate_up": rate, "rate_down": rate, "top": low + (high - low) / through, "bottom": low, "c2c": self.c2c}

    pulse = law(SoftBounds.pulse)
