"""The unipolar phase-change device: one conductance whose steps decay exponentially as it crystallises."""

from __future__ import annotations

from typing import Any

from mho.devices.base import Array, Draw, law
from mho.devices.ops import maximum, minimum, where
from mho.devices.rising import crystallising
from mho.devices.spread import PerChip, Spread
from mho.devices.steps import Wrong, check_noise
from mho.devices.unipolar import Unipolar


class UnipolarPhaseChange(Unipolar):
    """One phase-change device that pulses can only raise, in steps that begin large and decay as it crystallises.

    up:    y = a (1 + rise exp(-decay G/G_max)),
           G <- G + y + c2c (y + c2c_add + c2c_slope G) xi,   clipped to [0, G_max]
    down:  G stays

    a has mean dw_min, the step of a full device; a reset one moves by dw_min (1 + rise). G_max is `w_max`. Use it in
    `cell.pair = "one-sided"`; `PhaseChange` is a whole pair of them in one device, which refreshes itself at the pulse
    that makes it due. Unlike `UnipolarJump` the steep beginning is smooth. Weight units.
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
        """Yield impossible steps, ranges or noise."""
        yield from super().check()
        yield from check_noise(c2c_add=self.c2c_add, c2c_slope=self.c2c_slope)

    def cells(self, draw: Draw) -> dict[str, Array]:
        """Return step size, range, shape and noise of every device."""
        return self.range(draw) | {
            "rise": self.rise, "decay": self.decay, "add": self.c2c_add, "tilt": self.c2c_slope,
        }  # fmt: skip

    @law
    def pulse(
        w: Any, up: Any, xi: Any, a: Any, bottom: Any, top: Any, rise: Any, decay: Any, c2c: Any, add: Any, tilt: Any
    ) -> Any:
        """Raise the conductance at an up pulse by a step that decays with its state."""
        return where(up, minimum(maximum(crystallising(w, xi, a, top, rise, decay, c2c, add, tilt), bottom), top), w)
