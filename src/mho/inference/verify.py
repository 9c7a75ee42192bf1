"""Read-verify-write: devices whose reading is too far from the target are written again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from mho.config.values import convert_fields
from mho.devices.spread import PerChip, numbers
from mho.errors import SettingsError

ROUNDS = 2**16
"""Draw numbers that one programming of a block has, of 2^32 in all: more than there are iterations."""
Strategy = Literal["tune", "rewrite"]


@dataclass(frozen=True)
class Verify:
    """Read every device, write those whose reading is off by more than the tolerance, read these again.

    tolerance: share of the window g_max - g_min; a device is done once a reading is so near, and is left alone then.
    read_noise: standard deviation of a reading, share of the window.
    iterations: most readings that are followed by writing.
    strategy: "rewrite" writes the device anew, with one pulse and a fresh error of the write; "tune" moves it from
        where it is by round(abs(error)/step) pulses, at least one.
    pulses: "tune": most pulses that a device gets between two readings. total: most in all, 0: no limit.
    step: "tune": mean change by a pulse, share of the window; c2c, d2d: its spread from pulse to pulse and from device
        to device (folded to be positive), relative to the mean.
    Raises ConfigError for other values.
    """

    tolerance: PerChip = 0.02
    read_noise: PerChip = 0.0
    iterations: int = 20
    strategy: Strategy = "tune"
    pulses: int = 10
    total: int = 0
    step: PerChip = 0.01
    c2c: PerChip = 0.3
    d2d: PerChip = 0.1

    def __post_init__(self) -> None:
        convert_fields(self)
        if wrong := list(self._problems()):
            raise SettingsError(wrong)

    def _problems(self) -> Iterator[tuple[str, str]]:
        for name in ("tolerance", "step"):
            if any(v <= 0 for v in numbers(getattr(self, name))):
                yield name, f"is a share of the window above 0, found {getattr(self, name)}; 0.01 is 1 %"
        for name in ("read_noise", "c2c", "d2d"):
            if any(v < 0 for v in numbers(getattr(self, name))):
                yield name, f"is a standard deviation, not negative, found {getattr(self, name)}"
        for name, least in (("iterations", 1), ("pulses", 1), ("total", 0)):
            if getattr(self, name) < least:
                yield name, f"is a whole number of at least {least}, found {getattr(self, name)}"
        if self.iterations >= ROUNDS:
            yield "iterations", f"are at most {ROUNDS - 1}, which draws are numbered for, found {self.iterations}"
