"""The unipolar jump device: one conductance that pulses can only set, which jumps steeply once and then saturates."""

from __future__ import annotations

from typing import Any

import numpy as np

from mho.devices.base import Array, Draw, law, over_chips
from mho.devices.ops import maximum, minimum, where
from mho.devices.rising import check_jump, jumping
from mho.devices.spread import PerChip, Spread
from mho.devices.steps import Wrong, column
from mho.devices.unipolar import Unipolar


class UnipolarJump(Unipolar):
    """One device that pulses can only raise, whose response jumps steeply once and then saturates.

    up:    G <- G + dG_max (1 - G/G_max) (1 + c2c xi) + jump G_max   on the pulse that passes dG_max (delay + 1/2),
           else without the jump; clipped to [0, G_max]
    down:  G stays

    dG_max is `dw_min`, G_max is `w_max`. With `delay` 0 the first pulse after a reset jumps (an immediate jump), with n
    the first after n plain ones (a delayed one). The dynamic range that is left to steps is 1 - jump. A state above the
    threshold (written by hand, say) has jumped already. The granularity that pulse gains use is dw_min, without the
    jump. Use it in `cell.pair = "one-sided"`; `JumpStep` is a whole pair of them in one device, which refreshes itself
    at the pulse that makes it due. Weight units.
    Reference: Cristiano et al., J. Appl. Phys. 124 (2018), describe such responses; the form is our modelling choice,
    no formula of theirs was read.
    """

    dw_min: Spread = Spread(0.005, d2d=0.2)
    jump: PerChip = 0.2
    delay: PerChip = 0.0

    def check(self) -> Wrong:
        """Yield impossible steps, ranges, noise or jumps."""
        yield from super().check()
        yield from check_jump(self.jump, self.delay)

    def granularity(self, chips: int = 1) -> np.ndarray:
        """Return the mean step at G = 0 without the jump, of each chip."""
        return over_chips(self.dw_min.mean, chips, "dw_min").reshape(-1).astype(np.float64)

    def cells(self, draw: Draw) -> dict[str, Array]:
        """Return step size, range, noise, jump and delay of every device."""
        return self.range(draw) | {"jump": self.jump, "start": column(self.delay) + np.float32(0.5)}

    @law
    def pulse(w: Any, up: Any, xi: Any, a: Any, bottom: Any, top: Any, c2c: Any, jump: Any, start: Any) -> Any:
        """Raise the conductance at an up pulse, with the jump where it passes the threshold."""
        return where(up, minimum(maximum(jumping(w, xi, a, top, c2c, jump, start), bottom), top), w)
