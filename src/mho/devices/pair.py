"""What laws of one-sided pairs share: two devices that pulses can only raise, and the refresh that lowers both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from mho.devices.base import Array, Device, Draw
from mho.devices.ops import maximum, minimum
from mho.devices.spread import PerChip, Spread, numbers
from mho.devices.steps import Wrong, check_noise, check_positive, column


class Pair(Device):
    """Two devices G+ and G-, from 0 to their own largest value, w = G+ - G-: an up pulse raises G+, a down pulse G-.

    Further states: `common` = min(G+, G-), with which w alone stays the weight, G+- = common + max(+-w, 0), and may be
    written by hand (what then does not fit comes off `common`); `refreshes`, their number so far.
    `upper`, `lower`: shares of the mean w_max. Where a pulse leaves the larger side above `upper` and the smaller above
    `lower`, both are reset and their difference is written back exactly: w stays, `common` becomes 0.
    Both sides draw their own step size dw_min and largest value w_max.
    """

    state: ClassVar[Mapping[str, float]] = {"common": 0.0, "refreshes": 0.0}
    dw_min: Spread = Spread(0.001, d2d=0.3)
    w_max: Spread = Spread(1.0, d2d=0.1)
    c2c: PerChip = 0.3
    upper: PerChip = 0.75
    lower: PerChip = 0.25

    def check(self) -> Wrong:
        """Yield impossible steps, ranges, noise or thresholds."""
        yield from check_positive(self.dw_min, "the mean step size")
        yield from check_positive(self.w_max, "the mean largest value of either side")
        yield from check_noise(c2c=self.c2c)
        for name in ("upper", "lower"):
            if any(not v >= 0 for v in numbers(getattr(self, name))):
                yield name, f"a threshold of the refresh is a share of w_max, 0 or above, found {getattr(self, name)}"

    def symmetry_point(self) -> PerChip | None:
        """Return 0: there the sides of the mean pair are alike, whatever they have in common."""
        return 0.0

    def sides(self, draw: Draw) -> dict[str, Array]:
        """Return step sizes, ranges and thresholds of every pair."""
        up, down = draw(self.dw_min), draw(self.dw_min.named("dw_min of G-"))
        top, bottom = draw(self.w_max), -draw(self.w_max.named("w_max of G-"))
        mean = column(self.w_max.mean)
        return {
            "a_up": up, "a_down": down, "top": top, "bottom": bottom, "c2c": self.c2c,
            "upper": np.asarray(mean * column(self.upper)), "lower": np.asarray(mean * column(self.lower)),
        }  # fmt: skip


def fitting(w: Any, common: Any, top: Any, bottom: Any) -> Any:
    """Return the part of `common` that both sides have room for beside w."""
    return maximum(minimum(common, minimum(top - maximum(w, 0.0), minimum(w, 0.0) - bottom)), 0.0)


def due(one: Any, other: Any, upper: Any, lower: Any) -> Any:
    """Return whether a pair is refreshed."""
    return (maximum(one, other) > upper) & (minimum(one, other) > lower)
