"""How weights are written by program and verify: the settings of closed-loop programming."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from mho.devices.spread import PerChip, numbers, per_chip
from mho.errors import SettingsError, nearest

Strategy = Literal["tune", "rewrite"]
STRATEGIES: tuple[Strategy, ...] = ("tune", "rewrite")


@dataclass(frozen=True)
class Program:
    """Program and verify: read a weight, pulse it towards its target, read again, until it is near enough.

    step: what the controller takes for the change of a weight by one pulse on one device, in weight units; 0: the
        granularity of the device times its gain.
    tolerance: a weight is done once a reading is within so many such steps of its target; it is then left alone.
    read_noise: standard deviation of a reading, in weight units of the array.
    iterations: most readings that are followed by pulses.
    pulses: most pulses that a weight gets between two readings; it gets abs(error)/step of them, rounded, at least one.
        Each time an error changes its sign, the share of it that is sent is halved: devices differ in their steps.
    total: most pulses that a weight gets in all; 0: no limit.
    strategy: "tune" starts from what the devices hold, and of pairs that pulses can only raise it resets those (once)
        whose rising side would pass the share `full` of its range; "rewrite" resets all devices first.
    Numbers but counts may be lists of one per chip. Raises ConfigError for other values.
    """

    tolerance: PerChip = 0.5
    step: PerChip = 0.0
    read_noise: PerChip = 0.0
    iterations: int = 20
    pulses: int = 100
    total: int = 0
    strategy: Strategy = "tune"
    full: PerChip = 0.9

    def __post_init__(self) -> None:
        for name in ("tolerance", "step", "read_noise", "full"):
            object.__setattr__(self, name, per_chip(getattr(self, name)))
        if wrong := list(self._wrong()):
            raise SettingsError(wrong)

    def _wrong(self) -> Iterator[tuple[str, str]]:
        for name, least in (("iterations", 1), ("pulses", 1), ("total", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                yield name, f"is a whole number of at least {least}, found {value!r}"
        for name in ("step", "read_noise"):
            if any(not 0 <= v < math.inf for v in numbers(getattr(self, name))):
                yield name, f"cannot be negative or infinite, found {getattr(self, name)}"
        if any(not 0 < v < math.inf for v in numbers(self.tolerance)):
            yield (
                "tolerance",
                f"is a number of steps above 0 (0.5 is what whole steps can reach), found {self.tolerance}",
            )
        if any(not 0 < v <= 1 for v in numbers(self.full)):
            yield "full", f"is a share of the range, above 0 and at most 1, found {self.full}"
        if self.strategy not in STRATEGIES:
            told = nearest(str(self.strategy), STRATEGIES)
            yield "strategy", f"is one of {', '.join(STRATEGIES)}, found {self.strategy!r}; {told}"
