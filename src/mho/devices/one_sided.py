"""The one-sided pair: two soft-bounds devices that can only be set."""

from __future__ import annotations

from typing import Any

from mho.devices.base import Array, Draw, law
from mho.devices.ops import maximum, minimum, where
from mho.devices.pair import Pair, due, fitting
from mho.devices.rising import saturating


class OneSided(Pair):
    """A pair of soft-bounds devices that pulses can only raise; w = G+ - G-, and a refresh lowers both.

    up:    G+ <- G+ + a+ (1 - G+/g+) (1 + c2c xi),   clipped to [0, g+]
    down:  G- <- G- + a- (1 - G-/g-) (1 + c2c xi),   clipped to [0, g-]

    `Pair` says when it is refreshed (thresholds 0.75 and 0.25), what states it has and that both sides have spreads of
    their own. IBM's kit checks for the refresh at intervals and writes back by pulses; here the pulse that makes it due
    does it. A side that is full while the other is nearly empty stays full. For pairs whose sides are devices of their
    own, with counters of their own and a schedule of resets, use `UnipolarSoftBounds` in `cell.pair = "one-sided"`.
    Weight units.
    Reference: IBM aihwkit `OneSidedUnitCell`.
    """

    def cells(self, draw: Draw) -> dict[str, Array]:
        """Return the step sizes, ranges and thresholds of every pair."""
        return self.sides(draw)

    @law
    def pulse(
        w: Any, up: Any, xi: Any, common: Any, refreshes: Any, a_up: Any, a_down: Any, top: Any, bottom: Any,
        upper: Any, lower: Any, c2c: Any,
    ) -> Any:  # fmt: skip
        """Raise the side of the pulse by a step that shrinks as it fills, and refresh the pair where it is due."""
        common = fitting(w, common, top, bottom)
        ahead = where(up, w, -w)
        side = common + maximum(ahead, 0.0)
        other = side - ahead
        full = where(up, top, -bottom)
        new = saturating(side, xi, where(up, a_up, a_down), full, c2c)
        new = minimum(maximum(new, 0.0), full)
        reset = due(new, other, upper, lower)
        kept = where(reset, 0.0, minimum(new, other))
        return where(up, new - other, other - new), kept, refreshes + where(reset, 1.0, 0.0)
