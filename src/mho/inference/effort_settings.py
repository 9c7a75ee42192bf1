"""What is assumed of times and energies, so that counts of writes and products become seconds and joules."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from mho.config.values import convert_fields
from mho.errors import SettingsError

UNITS = {
    "rram_write": "s, one write pulse of a device: shortest, longest (Charan et al., JXCDC 2020)",
    "rram_read": "s, one reading of a device to verify it (our assumption)",
    "rram_parallel": "devices of a chip written or read at once (our assumption: one after another)",
    "sram_write": "s, one write of a digital value (Charan et al.: about 1 ns)",
    "sram_parallel": "digital values written at once (our assumption: one after another)",
    "product": "s, one vector through the arrays of a layer, forward or backward, layers in turn (Haensch et al. 2018)",
    "macs": "s, one multiply-add, of which `macs_parallel` run at once (our assumption: 1 GHz)",
    "macs_parallel": "multiply-adds at once, beside the arrays (our assumption)",
    "update_macs": "multiply-adds of the optimizer for a value and step (our count for Adam)",
    "write_power": "W in a device that is written (our assumption: 2 V on 25 uS)",
    "read_power": "W in a device that is read (our assumption: 0.2 V on 25 uS, an upper bound)",
    "conversion": "J, one analog-digital or digital-analog conversion (our assumption: 2 pJ)",
    "mac_energy": "J, one multiply-add in float32 (45 nm: 3.7 + 0.9 pJ, Horowitz, ISSCC 2014)",
    "sram_bit": "J, one bit read or written (45 nm: 10 pJ for 64 bits of 8 KB, Horowitz, ISSCC 2014)",
}
"""What every assumption means, by name: unit, meaning and source."""


@dataclass(frozen=True)
class EffortAssumptions:
    """Times and energies by which counts become seconds and joules; `UNITS` says what each is.

    rram_write is the shortest and the longest write, 6.5 us to 4.5 ms; everything else that is no published number of
    these chips is marked there as ours. Raises ConfigError for numbers that are not above 0.
    """

    rram_write: tuple[float, float] = (6.5e-6, 4.5e-3)
    rram_read: float = 250e-9
    rram_parallel: int = 1
    sram_write: float = 1e-9
    sram_parallel: int = 1
    product: float = 80e-9
    macs: float = 1e-9
    macs_parallel: int = 256
    update_macs: int = 12
    write_power: float = 1e-4
    read_power: float = 1e-6
    conversion: float = 2e-12
    mac_energy: float = 4.6e-12
    sram_bit: float = 10e-12 / 64

    def __post_init__(self) -> None:
        convert_fields(self)
        wrong = []
        for field in fields(self):
            value = getattr(self, field.name)
            if not all(0 < v < math.inf for v in (value if isinstance(value, tuple) else (value,))):
                wrong.append((field.name, f"is a number above 0, found {value}"))
        if self.rram_write[0] > self.rram_write[1]:
            wrong.append(("rram_write", f"is the shortest and the longest write, found {list(self.rram_write)}"))
        if wrong:
            raise SettingsError(wrong)

    def lines(self) -> list[str]:
        """Return every assumption as a line: name, value, unit and source."""
        return [f"{f.name} = {_plain(getattr(self, f.name))}: {UNITS[f.name]}" for f in fields(self)]


def _plain(value: object) -> str:
    return f"{value[0]:g} to {value[1]:g}" if isinstance(value, tuple) else f"{value:g}"
