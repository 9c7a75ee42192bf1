"""The soft-bounds device, whose steps shrink towards the bound that they approach."""

from __future__ import annotations

from typing import Any

from mho.devices.base import Array, Device, Draw, law
from mho.devices.ops import maximum, minimum, where
from mho.devices.spread import PerChip, Spread, numbers
from mho.devices.steps import Wrong, check_around_zero, check_steps, mean_steps, plain, step_sizes


class SoftBounds(Device):
    """A device whose steps shrink linearly to zero at the bound that they approach.

    up:    w <- w + a+ (1 - w/b_max) (1 + c2c xi)
    down:  w <- w - a- (1 - w/b_min) (1 + c2c xi),   clipped to [b_min, b_max]

    Unlike `ConstantStep` it approaches its bounds exponentially; unlike `LinearStep` the slope is tied to the bounds.
    Symmetry point w* = (a+ - a-) / (a+/b_max - a-/b_min). All in weight units, b_min < 0 < b_max.
    Reference: IBM aihwkit `SoftBoundsDevice`; Kim et al., arXiv 1907.10228 (2019).
    """

    dw_min: Spread = Spread(0.001, d2d=0.3)
    up_down: Spread = Spread(1.0, d2d=0.02)
    w_max: Spread = Spread(0.6, d2d=0.3)
    w_min: Spread = Spread(-0.6, d2d=0.3)
    c2c: PerChip = 0.3

    def check(self) -> Wrong:
        """Yield impossible steps or bounds."""
        yield from check_steps(self.dw_min, self.up_down, self.w_max, self.w_min, self.c2c)
        yield from check_around_zero(self.w_max, self.w_min)

    def symmetry_point(self) -> PerChip:
        """Return w* of the mean device."""
        up, down = mean_steps(self.dw_min, self.up_down)
        return plain((up - down) / (up / numbers(self.w_max.mean) - down / numbers(self.w_min.mean)))

    def cells(self, draw: Draw) -> dict[str, Array]:
        """Return the bounds, and the share of the way to them that one pulse goes, of every device."""
        up, down = step_sizes(draw, self.dw_min, self.up_down)
        top, bottom = draw(self.w_max), draw(self.w_min)
        return {"rate_up": up / top, "rate_down": -down / bottom, "top": top, "bottom": bottom, "c2c": self.c2c}

    @law
    def pulse(w: Any, up: Any, xi: Any, rate_up: Any, rate_down: Any, top: Any, bottom: Any, c2c: Any) -> Any:
        """Go a share of the way to the bound ahead: a+ (1 - w/b_max) = (a+/b_max) (b_max - w)."""
        step = where(up, rate_up * (top - w), rate_down * (bottom - w)) * (1.0 + c2c * xi)
        return minimum(maximum(w + step, bottom), top)
