"""The linear-step device, whose steps change linearly with the state."""

from __future__ import annotations

from typing import Any

from mho.devices.base import Array, Device, Draw, law
from mho.devices.ops import maximum, minimum, where
from mho.devices.spread import PerChip, Spread, numbers
from mho.devices.steps import Wrong, check_around_zero, check_steps, column, inside, mean_steps, step_sizes


class LinearStep(Device):
    """A device whose step is a straight line in w, with its own slope up and down.

    up:    w <- w + a+ [(1 - gamma_up w/b_max) (1 + c2c xi)]
    down:  w <- w - a- [(1 - gamma_down w/b_min) (1 + c2c xi)],   clipped to [b_min, b_max]

    `additive` noise is as large at every state: [1 - gamma_up w/b_max + c2c xi]. With `mean_bounds` the slopes are
    fractions of the mean bounds, not of each device's own. With both slopes 1 it is `SoftBounds`, with both 0
    `ConstantStep`. All in weight units.
    Symmetry point w* = (a+ - a-) / (a+ gamma_up/b_max - a- gamma_down/b_min).
    Reference: IBM aihwkit `LinearStepDevice`.
    """

    dw_min: Spread = Spread(0.001, d2d=0.3)
    up_down: Spread = Spread(1.0, d2d=0.02)
    w_max: Spread = Spread(0.6, d2d=0.3)
    w_min: Spread = Spread(-0.6, d2d=0.3)
    gamma_up: Spread = Spread(0.0)
    gamma_down: Spread = Spread(0.0)
    c2c: PerChip = 0.3
    additive: bool = False
    mean_bounds: bool = False

    def check(self) -> Wrong:
        """Yield impossible steps or bounds."""
        yield from check_steps(self.dw_min, self.up_down, self.w_max, self.w_min, self.c2c)
        yield from check_around_zero(self.w_max, self.w_min)

    def symmetry_point(self) -> PerChip | None:
        """Return w* of the mean device; None where the steps are parallel or balance outside the bounds only."""
        up, down = mean_steps(self.dw_min, self.up_down)
        tilt = up * numbers(self.gamma_up.mean) / numbers(self.w_max.mean)
        tilt = tilt - down * numbers(self.gamma_down.mean) / numbers(self.w_min.mean)
        return inside((up - down) / tilt, self.w_max, self.w_min) if tilt.all() else None

    def cells(self, draw: Draw) -> dict[str, Array]:
        """Return step sizes, slopes (per unit of w) and bounds of every device."""
        up, down = step_sizes(draw, self.dw_min, self.up_down)
        top, bottom = draw(self.w_max), draw(self.w_min)
        across = (column(self.w_max.mean), column(self.w_min.mean)) if self.mean_bounds else (top, bottom)
        slopes = {"slope_up": draw(self.gamma_up) / across[0], "slope_down": draw(self.gamma_down) / across[1]}
        noise = {"c2c": 0.0, "add": self.c2c} if self.additive else {"c2c": self.c2c, "add": 0.0}
        return {"a_up": up, "a_down": down, "top": top, "bottom": bottom} | slopes | noise

    @law
    def pulse(
        w: Any, up: Any, xi: Any, a_up: Any, a_down: Any, slope_up: Any, slope_down: Any,
        top: Any, bottom: Any, c2c: Any, add: Any,
    ) -> Any:  # fmt: skip
        """Move by a step that is linear in w."""
        size = 1.0 - where(up, slope_up, slope_down) * w
        step = where(up, a_up, -a_down) * (size + (c2c * size + add) * xi)
        return minimum(maximum(w + step, bottom), top)
