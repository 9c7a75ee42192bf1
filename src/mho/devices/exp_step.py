"""The exponential-step device, whose steps are exponentials of the state."""

from __future__ import annotations

from typing import Any

import numpy as np

from mho.devices.base import Array, Device, Draw, law
from mho.devices.ops import absolute, exp, maximum, minimum, where
from mho.devices.spread import PerChip, Spread, numbers
from mho.devices.steps import Wrong, check_noise, check_steps, column, inside, mean_steps, step_sizes


class ExpStep(Device):
    """A device whose steps follow exponentials of its state, as CMOS-like cells and fitted filament RRAM do.

    up:    w <- w + y+ + s xi,  y+ = a+ max(0, 1 - A_up exp(gamma_up z)),       z = 2 a w/(b_max - b_min) + b
    down:  w <- w - y- + s xi,  y- = a- max(0, 1 - A_down exp(-gamma_down z)),  s = c2c (y + c2c_add + c2c_slope abs(w))

    clipped to [b_min, b_max]. Unlike in other laws dw_min = (a+ + a-)/2 is not the step at w = 0. A, gamma, a, b are
    the same for all devices of a chip; w in weight units. Symmetry point, for gamma_up = gamma_down = gamma:
    y = exp(gamma z) solves a+ A_up y^2 - (a+ - a-) y - a- A_down = 0. Reference: IBM aihwkit `ExpStepDevice`.
    """

    dw_min: Spread = Spread(0.001, d2d=0.3)
    up_down: Spread = Spread(1.0, d2d=0.02)
    w_max: Spread = Spread(0.6, d2d=0.3)
    w_min: Spread = Spread(-0.6, d2d=0.3)
    A_up: PerChip = 0.00081
    A_down: PerChip = 0.36833
    gamma_up: PerChip = 12.44625
    gamma_down: PerChip = 12.78785
    a: PerChip = 0.244
    b: PerChip = 0.2425
    c2c: PerChip = 0.3
    c2c_add: PerChip = 0.0
    c2c_slope: PerChip = 0.0

    def check(self) -> Wrong:
        """Yield impossible steps, bounds or noise."""
        yield from check_steps(self.dw_min, self.up_down, self.w_max, self.w_min, self.c2c)
        yield from check_noise(c2c_add=self.c2c_add, c2c_slope=self.c2c_slope)

    def symmetry_point(self) -> PerChip | None:
        """Return w* of the mean device where gamma is the same in both directions and both A have one sign."""
        up, down = mean_steps(self.dw_min, self.up_down)
        stated = (self.A_up, self.A_down, self.gamma_up, self.a, self.b, self.w_min.mean, self.w_max.mean)
        A_up, A_down, gamma, a, b, low, high = (np.asarray(numbers(v)) for v in stated)
        p, q, r = up * A_up, up - down, down * A_down
        if self.gamma_up != self.gamma_down or not (p * r > 0).all():
            return None
        y = (q + np.sign(p) * np.sqrt(q * q + 4 * p * r)) / (2 * p)  # the positive one of two solutions
        point = (np.log(y) / gamma - b) * (high - low) / (2 * a)
        return inside(point, self.w_max, self.w_min) if (A_up * y < 1).all() else None

    def cells(self, draw: Draw) -> dict[str, Array]:
        """Return step sizes, bounds and exponents per unit of w of every device; exp(gamma b) is part of A."""
        up, down = step_sizes(draw, self.dw_min, self.up_down)
        top, bottom = draw(self.w_max), draw(self.w_min)
        a, b, gamma_up, gamma_down = (column(v) for v in (self.a, self.b, self.gamma_up, self.gamma_down))
        return {
            "a_up": up, "a_down": down, "top": top, "bottom": bottom, "slope": 2 * a / (top - bottom),
            "A_up": column(self.A_up) * np.exp(gamma_up * b), "A_down": column(self.A_down) * np.exp(-gamma_down * b),
            "gamma_up": gamma_up, "gamma_down": gamma_down,
            "c2c": self.c2c, "add": self.c2c_add, "tilt": self.c2c_slope,
        }  # fmt: skip

    @law
    def pulse(
        w: Any, up: Any, xi: Any, a_up: Any, a_down: Any, slope: Any, top: Any, bottom: Any,
        A_up: Any, A_down: Any, gamma_up: Any, gamma_down: Any, c2c: Any, add: Any, tilt: Any,
    ) -> Any:  # fmt: skip
        """Move by a step that is an exponential of w."""
        curve = where(up, A_up, A_down) * exp(where(up, gamma_up, -gamma_down) * slope * w)
        size = where(up, a_up, a_down) * maximum(1.0 - curve, 0.0)
        noise = c2c * (size + add + tilt * absolute(w)) * xi
        return minimum(maximum(w + where(up, size, -size) + noise, bottom), top)
