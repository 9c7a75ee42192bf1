"""The linear-step device, whose steps change linearly with the state."""

from __future__ import annotations

from typing import Any

from mho.devices.base import Array, Device, Draw, law
from mho.devices.ops import maximum, minimum, where
from mho.devices.spread import PerChip, Spread
from mho.devices.steps import check_around_zero, check_steps, step_sizes


class LinearStep(Device):
    """A device whose step is a straight line in w, with its own slope up and down.

    up:    w <- w + a+ (1 - gamma_up w/b_max) (1 + c2c xi)
    down:  w <- w - a- (1 - gamma_down w/b_min) (1 + c2c xi),   clipped to [b_min, b_max]

    With both slopes 1 it is `SoftBounds`, with both 0 `ConstantStep`. All in weight units.
    Reference: IBM aihwkit `LinearStepDevice` (multiplicative noise, bounds of the device in the slope).
    """

    dw_min: Spread = Spread(0.001, d2d=0.3)
    up_down: Spread = Spread(1.0, d2d=0.02)
    w_max: Spread = Spread(0.6, d2d=0.3)
    w_min: Spread = Spread(-0.6, d2d=0.3)
    gamma_up: Spread = Spread(0.0)
    gamma_down: Spread = Spread(0.0)
    c2c: PerChip = 0.3

    def check(self) -> None:
        """Raise ConfigError for impossible steps or bounds."""
        check_steps(self.dw_min, self.up_down, self.w_max, self.w_min, self.c2c)
        check_around_zero(self.w_max, self.w_min)

    def cells(self, draw: Draw) -> dict[str, Array]:
        """Return step sizes, slopes (per unit of w) and bounds of every device."""
        up, down = step_sizes(draw, self.dw_min, self.up_down)
        top, bottom = draw(self.w_max), draw(self.w_min)
        slopes = {"slope_up": draw(self.gamma_up) / top, "slope_down": draw(self.gamma_down) / bottom}
        return {"a_up": up, "a_down": down, "top": top, "bottom": bottom, "c2c": self.c2c} | slopes

    @law
    def pulse(
        w: Any,
        up: Any,
        xi: Any,
        a_up: Any,
        a_down: Any,
        slope_up: Any,
        slope_down: Any,
        top: Any,
        bottom: Any,
        c2c: Any,
    ) -> Any:
        """Move by a step that is linear in w."""
        step = where(up, a_up * (1.0 - slope_up * w), -a_down * (1.0 - slope_down * w)) * (1.0 + c2c * xi)
        return minimum(maximum(w + step, bottom), top)
