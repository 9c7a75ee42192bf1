"""What differs between drawn devices: their stated parameters, and what pulses show of them."""

from __future__ import annotations

import numpy as np

from mho.characterize.cycle import Cycle
from mho.characterize.sample import Sample
from mho.characterize.steps import StepSizes

STEP, RATIO, LOWEST, HIGHEST = "step at w = 0", "up / down step at w = 0", "lowest state", "highest state"
SYMMETRY, ASYMMETRY, BY_STEP = "symmetry point", "asymmetry", "states (range / step)"
GRANULARITY = "granularity"
SAME = 0.03
"""Two quantities whose values differ by less than this share are shown once."""


def measured(c: Cycle, steps: StepSizes) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return what noiseless pulses show of the mean devices (chips,) and of the drawn ones (chips, devices), by name.

    The step at w = 0 (mean of up and down; the up step of a unipolar device), the ratio of up to down step there,
    lowest and highest state, symmetry point, asymmetry and number of states (range / step); NaN where a device has no
    such value. The granularity, too, where it is not the step at w = 0 (which may be a jump): drawn devices then have
    neither granularity nor number of states. `steps` are of the same devices.
    """
    mean_low, mean_high = steps.low[:, None], steps.high[:, None]
    mean = _of(c.mean, mean_low, mean_high, steps.symmetry[:, None], steps.asymmetry[:, None])
    drawn = _of(c.drawn, c.low, c.high, steps.device_symmetry, steps.device_asymmetry)
    found = {name: values[:, 0] for name, values in mean.items()}
    stated = c.mean.device.granularity(len(c.up))
    if not np.allclose(stated, found[STEP], rtol=SAME, atol=0.0):
        found |= {GRANULARITY: stated, BY_STEP: (steps.high - steps.low) / stated}
        drawn |= dict.fromkeys((GRANULARITY, BY_STEP), np.full_like(drawn[STEP], np.nan))
    return found, drawn


def _of(
    sample: Sample, low: np.ndarray, high: np.ndarray, symmetry: np.ndarray, asymmetry: np.ndarray
) -> dict[str, np.ndarray]:
    zero = np.zeros_like(sample.state)
    up, down = sample.moved(zero, True), -sample.moved(zero, False)
    size = up if sample.device.unipolar else (np.abs(up) + np.abs(down)) / 2
    with np.errstate(all="ignore"):
        found = {
            STEP: size, RATIO: up / down, LOWEST: low, HIGHEST: high, SYMMETRY: symmetry, ASYMMETRY: asymmetry,
            BY_STEP: (high - low) / size,
        }  # fmt: skip
    return {name: np.where(np.isfinite(values), values, np.nan) for name, values in found.items()}


def parameters(c: Cycle, shown: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return by name, (chips, devices), what differs between the drawn devices.

    First the stated fields with a spread, as drawn, then of `shown`, what is measured on the drawn devices, all that
    differs and is not a stated field under another name.
    """
    found = {f: c.drawn.stated[f] for f in vars(c.drawn.device) if f in c.drawn.stated}
    for name, values in shown.items():
        if _differs(values) and not any(_same(values, other) for other in found.values()):
            found[name] = values
    return found


def _differs(values: np.ndarray) -> bool:
    """Return whether the values of some chip differ by more than rounding."""
    rows = [row[np.isfinite(row)] for row in values]
    return any(row.size and np.ptp(row) > 1e-5 * np.abs(row).max() for row in rows)


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    """Return whether two quantities are the same in most devices: some may not get to their bounds in time."""
    return bool((np.abs(one - other) <= SAME * np.abs(other)).mean() > 0.5)
