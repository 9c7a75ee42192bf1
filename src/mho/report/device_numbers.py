"""The numbers of a device as a table: on the terminal and in the page."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mho.characterize import Characteristics
from mho.characterize.parameters import ASYMMETRY, BY_STEP, GRANULARITY, HIGHEST, LOWEST, RATIO, STEP, SYMMETRY
from mho.report import scale
from mho.report.device_figures import rounded, some

STATE, CHANGE, PLAIN = "state", "change", "plain"
"""What a number is: this decides how it reads in siemens."""


@dataclass(frozen=True)
class Row:
    """One quantity: of the mean device of each chip shown, and over the drawn devices of the first (10 %, 90 %)."""

    name: str
    mean: tuple[float, ...]
    devices: tuple[float, float] | None = None
    kind: str = PLAIN


def rows(c: Characteristics) -> list[Row]:
    """Return the numbers of a device; those of pulses down and of balance only where pulses lower it."""
    s, shown = c.states, some(len(c.chips))

    def measured(name: str, kind: str = PLAIN) -> Row:
        drawn = c.drawn[name][0][np.isfinite(c.drawn[name][0])]
        spread = np.percentile(drawn, (10, 90)).tolist() if len(drawn) else [np.nan, np.nan]
        values = [*c.mean[name][shown].tolist(), *spread]
        *mean, low, high = (rounded(v, c) for v in values) if kind == STATE else values
        return Row(name, tuple(mean), (low, high), kind)

    def counted(name: str, values: np.ndarray) -> Row:
        return Row(name, tuple(values[shown].tolist()))

    falls = not c.device.unipolar
    return [
        measured(LOWEST, STATE), measured(HIGHEST, STATE), measured(STEP, CHANGE),
        *([measured(GRANULARITY, CHANGE)] if GRANULARITY in c.mean else []),
        *([measured(RATIO), measured(SYMMETRY, STATE), measured(ASYMMETRY)] if falls else []), measured(BY_STEP),
        counted("pulses from end to end, up", s.pulses_up),
        *([counted("pulses from end to end, down", s.pulses_down)] if falls else []),
        counted("levels told apart in spite of noise", s.distinct),
    ]  # fmt: skip


def heads(c: Characteristics) -> list[str]:
    """Return the heads of the table's columns."""
    shown = some(len(c.chips))
    means = ["mean device"] if len(c.chips) == 1 else [f"chip {c.chips[k]}" for k in shown]
    spread = "10 to 90 % of devices" if len(c.chips) == 1 else f"10 to 90 % of devices of chip {c.chips[0]}"
    return ["", *means, spread, *([f"{means[0]} in siemens"] if c.device.window else [])]


def cells(c: Characteristics) -> list[list[str]]:
    """Return the table as text, a list for each row."""
    found = []
    for row in rows(c):
        spread = "" if row.devices is None else f"{number(row.devices[0])} to {number(row.devices[1])}"
        spread = "–" if spread == "– to –" else spread
        found.append([row.name, *map(number, row.mean), spread, *_siemens(c, row)])
    return found


def number(value: float) -> str:
    """Return a number with three digits, or more where it is a large whole number."""
    if not np.isfinite(value):
        return "–"
    return f"{value:.0f}" if abs(value) >= 999.5 else f"{value:.3g}"


def _siemens(c: Characteristics, row: Row) -> list[str]:
    window = c.device.window
    if window is None:
        return []
    if row.kind == PLAIN:
        return [""]
    change = window.per_weight
    return [scale.siemens(row.mean[0] * change if row.kind == CHANGE else window.to_siemens(row.mean[0]))]


MEANINGS = (
    ("Range", "the states that noiseless pulses reach from end to end."),
    ("Step at w = 0", "the mean of the sizes of a step up and a step down; of a unipolar device, a step up."),
    ("Granularity", "the step by which pulses are counted, where the device states another one than that at w = 0: a "
     "jump is left out, for example."),
    ("Symmetry point", "the state at which both are equal in size."),
    ("Asymmetry", "the mean of |u - d| / (u + d) over the states, u and d being the sizes of a step up and down: 0 for "
     "equal steps, 1 where pulses of one direction do nothing."),
    ("Range / step", "the number of states that papers quote; the step is the granularity."),
    ("From end to end", "as many pulses as it takes until one moves the mean device by less than 5 % of the step at "
     "w = 0."),
    ("Levels told apart", "going up from the low end, a level is counted where its mean lies the sum of both standard "
     "deviations (cycle-to-cycle and write noise) above the level before."),
)  # fmt: skip
"""What the numbers mean, for a reader who sees them first."""
