"""How one pulse raises a conductance, for laws whose pulses can only raise: of single devices and of pairs alike."""

from __future__ import annotations

import math
from typing import Any

from mho.devices.ops import exp, maximum, where
from mho.devices.spread import PerChip, numbers
from mho.devices.steps import Wrong


def saturating(g: Any, xi: Any, a: Any, full: Any, c2c: Any) -> Any:
    """Return G + a (1 - G/g) (1 + c2c xi): a step that shrinks as the device fills. Clip the result to [0, g]."""
    return g + a * (1.0 - g / full) * (1.0 + c2c * xi)


def jumping(g: Any, xi: Any, a: Any, full: Any, c2c: Any, jump: Any, start: Any) -> Any:
    """Return `saturating`, with jump g more on the pulse that passes start a. Clip the result to [0, g]."""
    step = a * (1.0 - g / full)
    noisy = step * (1.0 + c2c * xi)
    threshold = start * a
    jumps = (g <= threshold) & (g + maximum(step, noisy) > threshold)
    return g + noisy + where(jumps, jump * full, 0.0)


def crystallising(g: Any, xi: Any, a: Any, full: Any, rise: Any, decay: Any, c2c: Any, add: Any, tilt: Any) -> Any:
    """Return G + y + c2c (y + add + tilt G) xi with y = a (1 + rise exp(-decay G/g)). Clip the result to [0, g]."""
    step = a * (1.0 + rise * exp(-decay * (g / full)))
    return g + step + c2c * (step + add + tilt * g) * xi


def check_jump(jump: PerChip, delay: PerChip) -> Wrong:
    """Yield impossible jumps and delays."""
    if any(not 0 <= v < 1 for v in numbers(jump)):
        yield "jump", f"the share of the range that the jump takes is from 0 to below 1, found {jump}"
    if any(not 0 <= v < math.inf for v in numbers(delay)):
        yield "delay", f"the number of pulses before the jump is 0 or above, found {delay}"
