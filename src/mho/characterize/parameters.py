"""What differs between drawn devices: their stated parameters, and what pulses show of them."""

from __future__ import annotations

import numpy as np

from mho.characterize.cycle import Cycle
from mho.characterize.steps import StepSizes

SAME = 0.03
"""Two quantities whose values differ by less than this share are shown once."""


def parameters_of(c: Cycle, steps: StepSizes) -> dict[str, np.ndarray]:
    """Return by name, (chips, devices), what differs between the drawn devices; NaN where a device has no value.

    First the stated fields with a spread, as drawn. Then, measured on the law without noise, where it differs and is
    not a stated field under another name: the step at w = 0 (mean of up and down), the ratio of up to down step there,
    lowest and highest state, the symmetry point, and the number of states (range / step). `steps` are of the same
    devices.
    """
    sample = c.drawn
    zero = np.zeros_like(sample.state)
    up, down = sample.moved(zero, True), -sample.moved(zero, False)
    size = (np.abs(up) + np.abs(down)) / 2
    with np.errstate(all="ignore"):
        measured = {
            "step at w = 0": size,
            "up / down step at w = 0": up / down,
            "lowest state": steps.device_low,
            "highest state": steps.device_high,
            "symmetry point": steps.device_symmetry,
            "states (range / step)": (steps.device_high - steps.device_low) / size,
        }
    found = {f: sample.stated[f] for f in vars(sample.device) if f in sample.stated}
    for name, values in measured.items():
        if _differs(values) and not any(_same(values, other) for other in found.values()):
            found[name] = np.where(np.isfinite(values), values, np.nan)
    return found


def _differs(values: np.ndarray) -> bool:
    """Return whether finite values of some chip differ."""
    finite = np.where(np.isfinite(values), values, np.nan)
    kept = finite[:, np.isfinite(finite).any(axis=0)]
    return bool(
        kept.size and (np.nanmax(kept, axis=1) - np.nanmin(kept, axis=1) > 1e-6 * np.nanmax(np.abs(kept))).any()
    )


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    """Return whether two quantities are the same in most devices: some may not get to their bounds in time."""
    return bool((np.abs(one - other) <= SAME * np.abs(other)).mean() > 0.5)
