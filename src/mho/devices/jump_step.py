"""The jump-step pair: phase-change-like devices whose conductance jumps at the beginning."""

from __future__ import annotations

from typing import Any

import numpy as np

from mho.devices.base import Array, Draw, law, over_chips
from mho.devices.ops import maximum, minimum, where
from mho.devices.pair import Pair, due, fitting
from mho.devices.rising import check_jump, jumping
from mho.devices.spread import PerChip, Spread
from mho.devices.steps import Wrong, column


class JumpStep(Pair):
    """A pair of devices that pulses can only raise, whose response jumps steeply once and then saturates; w = G+ - G-.

    G <- G + a (1 - G/g) (1 + c2c xi) + jump g   on the pulse that passes a (delay + 1/2), else without the jump

    clipped to [0, g]: with `delay` 0 the first pulse after a reset jumps, with n the first after n plain ones. `jump`
    is the share of the range that the jump takes, so the dynamic range left to steps is 1 - jump. A state above the
    threshold (written by hand, say) has jumped already. `Pair` says when it is refreshed. The granularity that pulse
    gains use is dw_min, without the jump. `UnipolarJump` is one side of such a pair as a device of its own, for
    `cell.pair = "one-sided"`. This form is our modelling choice: Cristiano et al., J. Appl. Phys. 124
    (2018), describe one-sided saturating responses with an immediate or delayed steep beginning; no formula of theirs
    was read.
    """

    dw_min: Spread = Spread(0.005, d2d=0.2)
    jump: PerChip = 0.2
    delay: PerChip = 0.0

    def check(self) -> Wrong:
        """Yield impossible steps, ranges, noise, thresholds or jumps."""
        yield from super().check()
        yield from check_jump(self.jump, self.delay)

    def granularity(self, chips: int = 1) -> np.ndarray:
        """Return the mean step at G = 0 without the jump, of each chip."""
        return over_chips(self.dw_min.mean, chips, "dw_min").reshape(-1).astype(np.float64)

    def cells(self, draw: Draw) -> dict[str, Array]:
        """Return step sizes, ranges, jump, delay and refresh thresholds of every pair."""
        return self.sides(draw) | {"jump": self.jump, "start": column(self.delay) + np.float32(0.5)}

    @law
    def pulse(
        w: Any, up: Any, xi: Any, common: Any, refreshes: Any, a_up: Any, a_down: Any, top: Any, bottom: Any,
        jump: Any, start: Any, upper: Any, lower: Any, c2c: Any,
    ) -> Any:  # fmt: skip
        """Raise the side of the pulse, with the jump where it passes the threshold, and refresh where it is due."""
        common = fitting(w, common, top, bottom)
        ahead = where(up, w, -w)
        side = common + maximum(ahead, 0.0)
        other = side - ahead
        full = where(up, top, -bottom)
        new = jumping(side, xi, where(up, a_up, a_down), full, c2c, jump, start)
        new = minimum(maximum(new, 0.0), full)
        reset = due(new, other, upper, lower)
        kept = where(reset, 0.0, minimum(new, other))
        return where(up, new - other, other - new), kept, refreshes + where(reset, 1.0, 0.0)
