"""The unipolar soft-bounds device: one conductance that pulses can only set, in steps that shrink as it fills."""

from __future__ import annotations

from typing import Any

from mho.devices.base import Array, Draw, law
from mho.devices.ops import maximum, minimum, where
from mho.devices.rising import saturating
from mho.devices.unipolar import Unipolar


class UnipolarSoftBounds(Unipolar):
    """One device that pulses can only raise and that saturates: a side of a one-sided pair.

    up:    G <- G + dG_max (1 - G/G_max) (1 + c2c xi),   clipped to [0, G_max]
    down:  G stays

    dG_max is `dw_min`, the largest step, G_max is `w_max`; both with their spread between devices. Use it in
    `cell.pair = "one-sided"`: the cell makes pairs of it, of one or more significances, counts the pulses of every
    device and resets pairs on its schedule. `OneSided` is a whole pair in one device, which refreshes itself at the
    pulse that makes it due, and has one counter for both sides. Weight units.
    Reference: the form follows Cristiano et al., J. Appl. Phys. 124 (2018), who describe saturating responses; no
    formula of theirs was read.
    """

    def cells(self, draw: Draw) -> dict[str, Array]:
        """Return step size, range and noise of every device."""
        return self.range(draw)

    @law
    def pulse(w: Any, up: Any, xi: Any, a: Any, bottom: Any, top: Any, c2c: Any) -> Any:
        """Raise the conductance at an up pulse."""
        return where(up, minimum(maximum(saturating(w, xi, a, top, c2c), bottom), top), w)
