"""The power-step device, whose steps are powers of the distance to the bound."""

from __future__ import annotations

from typing import Any

import numpy as np

from mho.devices.base import Array, Device, Draw, law
from mho.devices.ops import maximum, minimum, power, where
from mho.devices.spread import PerChip, Spread, numbers
from mho.devices.steps import Wrong, check_around_zero, check_positive, check_steps, mean_steps, plain, step_sizes


class PowStep(Device):
    """A device whose steps are powers of the way that is left to the bound.

    up:    w <- w + a+ (1 - w/b_max)^gamma+ (1 + c2c xi)
    down:  w <- w - a- (1 - w/b_min)^gamma- (1 + c2c xi),   clipped to [b_min, b_max]

    `pow_gamma` = (gamma+ + gamma-)/2, `pow_up_down` their ratio; with gamma 1 it is `SoftBounds`. With `full_range` a+
    and a- are the steps at the bound behind: a+ ((b_max - w)/(b_max - b_min))^gamma+, as in IBM's kit. Weight units.
    Symmetry point, for gamma+ = gamma- and bounds +-b: w* = b (q - 1)/(q + 1), q = (a+/a-)^(1/gamma).
    References: Wu et al., arXiv 2502.06309 (2025), power response; IBM aihwkit `PowStepDevice`.
    """

    dw_min: Spread = Spread(0.001, d2d=0.3)
    up_down: Spread = Spread(1.0, d2d=0.02)
    w_max: Spread = Spread(0.6, d2d=0.3)
    w_min: Spread = Spread(-0.6, d2d=0.3)
    pow_gamma: Spread = Spread(0.5, d2d=0.1)
    pow_up_down: Spread = Spread(1.0)
    c2c: PerChip = 0.3
    full_range: bool = False

    def check(self) -> Wrong:
        """Yield impossible steps, bounds, noise or powers."""
        yield from check_steps(self.dw_min, self.up_down, self.w_max, self.w_min, self.c2c)
        yield from check_around_zero(self.w_max, self.w_min)
        yield from check_positive(self.pow_gamma, "the mean power")
        yield from check_positive(self.pow_up_down, "the ratio of the powers up and down")

    def symmetry_point(self) -> PerChip | None:
        """Return w* of the mean device where the powers are the same in both directions."""
        up, down = mean_steps(self.dw_min, self.up_down)
        gamma, low, high = (np.asarray(numbers(s.mean)) for s in (self.pow_gamma, self.w_min, self.w_max))
        q = (up / down) ** (1 / gamma) * (1.0 if self.full_range else -low / high)
        return plain((q * high + low) / (1 + q)) if set(numbers(self.pow_up_down.mean)) == {1.0} else None

    def cells(self, draw: Draw) -> dict[str, Array]:
        """Return powers, bounds and the factors of the powers of the way to them of every device."""
        up, down = step_sizes(draw, self.dw_min, self.up_down)
        gamma_up, gamma_down = step_sizes(draw, self.pow_gamma, self.pow_up_down, "gamma")
        top, bottom = draw(self.w_max), draw(self.w_min)
        way_up, way_down = (top - bottom, top - bottom) if self.full_range else (top, -bottom)
        factors = {"factor_up": up * way_up**-gamma_up, "factor_down": down * way_down**-gamma_down}
        return factors | {"gamma_up": gamma_up, "gamma_down": gamma_down, "top": top, "bottom": bottom, "c2c": self.c2c}

    @law
    def pulse(
        w: Any, up: Any, xi: Any, factor_up: Any, factor_down: Any, gamma_up: Any, gamma_down: Any,
        top: Any, bottom: Any, c2c: Any,
    ) -> Any:  # fmt: skip
        """Move by a power of the way to the bound ahead."""
        way = maximum(where(up, top - w, w - bottom), 0.0)
        step = where(up, factor_up, -factor_down) * power(way, where(up, gamma_up, gamma_down)) * (1.0 + c2c * xi)
        return minimum(maximum(w + step, bottom), top)
