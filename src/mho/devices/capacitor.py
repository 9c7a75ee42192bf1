"""The capacitor cell, which leaks and diffuses."""

from __future__ import annotations

from mho.devices.base import Leak
from mho.devices.linear_step import LinearStep
from mho.devices.spread import PerChip, Spread

SLOW = Leak(lifetime=Spread(1e6, d2d=0.3))


class Capacitor(LinearStep):
    """A capacitor that current sources charge and discharge: nearly linear steps, and a charge that leaks and diffuses.

    up:      w <- w + a+ (1 - gamma_up w/b_max + c2c xi)        (`additive=False`: noise in proportion to the step)
    down:    w <- w - a- (1 - gamma_down w/b_min + c2c xi),     clipped to [b_min, b_max]
    update:  w <- r + (w - r) exp(-1/lifetime) + diffusion xi   once per optimizer step

    The law of `LinearStep` with the values of a 3T1C cell. `lifetime` (updates) and `diffusion` (weight units per
    update) depend on the time that an update takes: adapt them; the size of the diffusion is our choice, not measured.

    As the volatile least significant part (LSP) of Ambrogio et al., Nature 558 (2018): the state is the read
    conductance against the middle of the capacitor's range, so `cell.reference = "column"` (one reference of mean 0
    shared by all columns of a row) is their reference column, pulses raise and lower this one device, and a reset
    precharges it to 0. What leaks between two transfers, 1 - exp(-updates/lifetime), is lost; a leak towards another
    charge is `leak.reset`. A fixed imbalance of up and down steps (`up_down`, 12 % between devices) is what polarity
    inversion averages out.
    Reference: Li et al., VLSI (2018), as fitted by IBM aihwkit `CapacitorPresetDevice` (which has no diffusion).
    """

    dw_min: Spread = Spread(0.005, d2d=0.1)
    up_down: Spread = Spread(1.0, d2d=0.12)
    w_max: Spread = Spread(1.0, d2d=0.07)
    w_min: Spread = Spread(-1.0, d2d=0.07)
    gamma_up: Spread = Spread(0.05, std=0.01)
    gamma_down: Spread = Spread(0.05, std=0.01)
    additive: bool = True
    mean_bounds: bool = True
    leak: Leak | None = SLOW
    diffusion: PerChip = 1e-4
