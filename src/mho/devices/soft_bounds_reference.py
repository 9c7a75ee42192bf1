"""The soft-bounds device read against a reference device."""

from __future__ import annotations

from typing import Any

import numpy as np

from mho.devices.base import Array, Draw, law
from mho.devices.ops import maximum, minimum, where
from mho.devices.soft_bounds import SoftBounds
from mho.devices.spread import PerChip, Spread, numbers
from mho.devices.steps import Wrong, around, check_positive, mean_steps, plain, step_sizes


class SoftBoundsReference(SoftBounds):
    """A soft-bounds device h that is read as w = h - r against a reference device r, fixed when the chip is made.

    up:    h <- h + a+ [(1 - h/b_max) (1 + c2c xi)]
    down:  h <- h - a- [(1 - h/b_min) (1 + c2c xi)],   clipped to [b_min, b_max]

    `additive` noise is as large at every state: [1 - h/b_max + c2c xi]. With `subtract_symmetry_point` r is the
    device's own symmetry point (see `SoftBounds`) plus a draw of `reference`, the error of copying it; then w = 0 is
    where steps balance, and the range is off-centre. `slope_up`, `slope_down` spread a+/b_max and a-/b_min at constant
    a+-. Unlike `zero_shift` this costs no pulses. Reference: IBM aihwkit `SoftBoundsReferenceDevice`.
    """

    reference: Spread = Spread(0.0)
    subtract_symmetry_point: bool = False
    additive: bool = False
    slope_up: Spread = Spread(1.0)
    slope_down: Spread = Spread(1.0)

    def check(self) -> Wrong:
        """Yield impossible steps, bounds or slopes."""
        yield from super().check()
        yield from check_positive(self.slope_up, "the mean factor of a slope")
        yield from check_positive(self.slope_down, "the mean factor of a slope")

    def symmetry_point(self) -> PerChip:
        """Return w* of the mean device, as it is read."""
        up, down = mean_steps(self.dw_min, self.up_down)
        top, bottom = (
            np.asarray(numbers(bound.mean)) / numbers(slope.mean)
            for bound, slope in ((self.w_max, self.slope_up), (self.w_min, self.slope_down))
        )
        point = 0.0 if self.subtract_symmetry_point else (up - down) / (up / top - down / bottom)
        return plain(point - np.asarray(numbers(self.reference.mean)))

    def cells(self, draw: Draw) -> dict[str, Array]:
        """Return bounds as they are read, and shares of the way to them, of every device."""
        up, down = step_sizes(draw, self.dw_min, self.up_down)
        top, bottom = draw(self.w_max) / draw(self.slope_up), draw(self.w_min) / draw(self.slope_down)
        rates = {"rate_up": up / top, "rate_down": -down / bottom}
        reference = around(draw, self.reference)
        if self.subtract_symmetry_point:
            reference = reference + (up - down) / (rates["rate_up"] + rates["rate_down"])
        noise = {"c2c": 0.0, "add": self.c2c} if self.additive else {"c2c": self.c2c, "add": 0.0}
        return rates | noise | {"top": top - reference, "bottom": bottom - reference, "reference": reference}

    @law
    def pulse(
        w: Any,
        up: Any,
        xi: Any,
        rate_up: Any,
        rate_down: Any,
        top: Any,
        bottom: Any,
        reference: Any,
        c2c: Any,
        add: Any,
    ) -> Any:
        """Go a share of the way to the bound ahead: soft bounds shift with their reference."""
        bound = where(up, top, bottom)
        way = bound - w
        step = where(up, rate_up, rate_down) * (way + (c2c * way + add * (bound + reference)) * xi)
        return minimum(maximum(w + step, bottom), top)
