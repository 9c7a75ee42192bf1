"""The settings of programming: how trained weights become conductances, and what becomes of these."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mho.config.changes import changed
from mho.config.values import convert_fields
from mho.errors import SettingsError
from mho.inference.ageing_settings import Ageing
from mho.inference.conductances import Conductances
from mho.inference.errors import WriteError
from mho.inference.faults import StuckFaults
from mho.inference.verify import Verify

Compensation = Literal["none", "global", "column", "tile"]
TIMES = {
    "pulse": "a time in seconds",
    "read": "a time in seconds",
    "pulses": "a number of pulses",
    "reads": "a number of readings",
}


@dataclass(frozen=True)
class Timing:
    """How long programming takes: seconds = (write pulses x pulse + readings x read) / parallel.

    pulse, read: seconds of one write pulse (6.5 us: the shortest RRAM write in Charan et al., JXCDC 2020) and of one
        reading. parallel: how many devices are written or read at once.
    pulses, reads: that one write of a device takes in the mean, before `Verify` reads it.
    Raises ConfigError for negative numbers and for less than one device at once.
    """

    pulse: float = 6.5e-6
    read: float = 250e-9
    parallel: int = 1
    pulses: float = 1.0
    reads: float = 0.0

    def __post_init__(self) -> None:
        convert_fields(self)
        problems = [
            (name, f"is {what}, not negative, found {getattr(self, name)}")
            for name, what in TIMES.items()
            if getattr(self, name) < 0
        ]
        if self.parallel < 1:
            problems.append(("parallel", f"is how many devices are written at once, at least 1, found {self.parallel}"))
        if problems:
            raise SettingsError(problems)

    def seconds(self, pulses: Any, reads: Any) -> Any:
        """Return the seconds that so many pulses and readings take (numbers or arrays)."""
        return (pulses * self.pulse + reads * self.read) / self.parallel


@dataclass(frozen=True)
class Programming:
    """How trained weights are programmed on fresh devices, and what then happens to these.

    conductances: devices of a weight, window and levels. error: how far from its target a write ends. faults: stuck
    devices. verify: read-verify-write, "none" (None) for one write without a reading. timing: seconds of writes and
    readings. ageing: drift, loss and noise after programming. compensation: of drift, by digital factors.
    Raises ConfigError with everything that is wrong.
    """

    conductances: Conductances = field(default_factory=Conductances)
    error: WriteError = field(default_factory=WriteError)
    faults: StuckFaults = field(default_factory=StuckFaults)
    verify: Verify | None = None
    timing: Timing = field(default_factory=Timing)
    ageing: Ageing = field(default_factory=Ageing)
    compensation: Compensation = "none"

    def __post_init__(self) -> None:
        convert_fields(self)
        if wrong := list(self._problems()):
            raise SettingsError(wrong)

    def _problems(self) -> Iterator[tuple[str, str]]:
        if self.verify is not None and self.verify.strategy == "rewrite" and not self.error.varies:
            yield (
                "verify.strategy",
                '"rewrite" writes with a fresh error, but error.c2c and error.d2d draw none; give them, or "tune"',
            )

    def with_(self, changes: Mapping[str, Any] | None = None, /, **named: Any) -> Programming:
        """Return a changed copy: names are paths ("faults.low", or `faults__low` as a keyword) or unique ends of them.

        Raises ConfigError with all unknown or ambiguous names and impossible values.
        """
        return changed(self, {**(changes or {}), **named})
