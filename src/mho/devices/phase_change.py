"""The phase-change pair: devices whose steps decay exponentially as they crystallise."""

from __future__ import annotations

from typing import Any

from mho.devices.base import Array, Draw, law
from mho.devices.ops import maximum, minimum, where
from mho.devices.pair import Pair, due, fitting
from mho.devices.rising import crystallising
from mho.devices.spread import PerChip, Spread
from mho.devices.steps import Wrong, check_noise


class PhaseChange(Pair):
    """A pair of phase-change devices that pulses can only raise, in steps that begin large and decay; w = G+ - G-.

    y = a (1 + rise exp(-decay G/g)),   G <- G + y + c2c (y + c2c_add + c2c_slope G) xi,   clipped to [0, g]

    for G+ at an up pulse and G- at a down pulse. a has mean dw_min, the step of a full device; a reset one moves by
    dw_min (1 + rise). `Pair` says when it is refreshed. Unlike `JumpStep` the steep beginning is smooth.
    `UnipolarPhaseChange` is one side of such a pair as a device of its own, for `cell.pair = "one-sided"`.
    Reference: Nandakumar et al., Front. Neurosci. 14:406 (2020), as fitted by IBM aihwkit `PCMPresetUnitCell`.
    """

    dw_min: Spread = Spread(0.01, d2d=0.2)
    w_max: Spread = Spread(2.0, d2d=0.1)
    rise: PerChip = 27.235
    decay: PerChip = 5.0
    c2c: PerChip = 0.6
    c2c_add: PerChip = 0.042
    c2c_slope: PerChip = 0.108

    def check(self) -> Wrong:
        """Yield impossible steps, ranges, noise or thresholds."""
        yield from super().check()
        yield from check_noise(c2c_add=self.c2c_add, c2c_slope=self.c2c_slope)

    def cells(self, draw: Draw) -> dict[str, Array]:
        """Return step sizes, ranges, shape, noise and thresholds of every pair."""
        return self.sides(draw) | {
            "rise": self.rise, "decay": self.decay, "add": self.c2c_add, "tilt": self.c2c_slope,
        }  # fmt: skip

    @law
    def pulse(
        w: Any, up: Any, xi: Any, common: Any, refreshes: Any, a_up: Any, a_down: Any,
        top: Any, bottom: Any, rise: Any, decay: Any, upper: Any, lower: Any, c2c: Any, add: Any, tilt: Any,
    ) -> Any:  # fmt: skip
        """Raise the side of the pulse by a step that decays with its state, and refresh the pair where it is due."""
        common = fitting(w, common, top, bottom)
        ahead = where(up, w, -w)
        side = common + maximum(ahead, 0.0)
        other = side - ahead
        full = where(up, top, -bottom)
        new = crystallising(side, xi, where(up, a_up, a_down), full, rise, decay, c2c, add, tilt)
        new = minimum(maximum(new, 0.0), full)
        reset = due(new, other, upper, lower)
        kept = where(reset, 0.0, minimum(new, other))
        return where(up, new - other, other - new), kept, refreshes + where(reset, 1.0, 0.0)
