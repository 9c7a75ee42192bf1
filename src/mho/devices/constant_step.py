"""The constant-step device of Gokmen & Vlasov 2016."""

from __future__ import annotations

from typing import Any

from mho.devices.base import Array, Device, Draw, law
from mho.devices.ops import maximum, minimum, where
from mho.devices.spread import PerChip, Spread
from mho.devices.steps import Wrong, check_steps, step_sizes


class ConstantStep(Device):
    """A device whose steps have the same size everywhere between its bounds.

    w <- clip(w +- a+- (1 + c2c xi), w_min, w_max)

    Unlike `LinearStep` and `SoftBounds` the step does not depend on w: the bounds are walls.
    All in weight units; `up_down` is the ratio E a+ / E a- with (E a+ + E a-)/2 = dw_min.
    Reference: Gokmen & Vlasov, Front. Neurosci. 10:333 (2016).
    """

    dw_min: Spread = Spread(0.001, d2d=0.3)
    up_down: Spread = Spread(1.0, d2d=0.02)
    w_max: Spread = Spread(0.6, d2d=0.3)
    w_min: Spread = Spread(-0.6, d2d=0.3)
    c2c: PerChip = 0.3

    def check(self) -> Wrong:
        """Yield impossible steps or bounds."""
        yield from check_steps(self.dw_min, self.up_down, self.w_max, self.w_min, self.c2c)

    def cells(self, draw: Draw) -> dict[str, Array]:
        """Return step sizes and bounds of every device."""
        up, down = step_sizes(draw, self.dw_min, self.up_down)
        return {"a_up": up, "a_down": down, "top": draw(self.w_max), "bottom": draw(self.w_min), "c2c": self.c2c}

    @law
    def pulse(w: Any, up: Any, xi: Any, a_up: Any, a_down: Any, top: Any, bottom: Any, c2c: Any) -> Any:
        """Move by a constant step, up or down."""
        step = where(up, a_up, -a_down) * (1.0 + c2c * xi)
        return minimum(maximum(w + step, bottom), top)
