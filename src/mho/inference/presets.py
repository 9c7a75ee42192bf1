"""Programming presets: whole settings as rows of data, each with where it was read."""

from __future__ import annotations

from dataclasses import dataclass

from mho.errors import ConfigError, nearest
from mho.inference.ageing_settings import PCM
from mho.inference.conductances import Conductances
from mho.inference.errors import WriteError
from mho.inference.faults import StuckFaults
from mho.inference.settings import Programming


@dataclass(frozen=True)
class ProgrammingPreset:
    """One named way of programming with its source."""

    name: str
    settings: Programming
    description: str
    source: str


CHARAN = Programming(
    conductances=Conductances(levels=16),
    error=WriteError("multiplicative", c2c=0.1),
    faults=StuckFaults(low=0.0904, high=0.0175),
)

ROWS = (
    ProgrammingPreset("ideal", Programming(), "Pairs without errors, levels, faults or drift.", "mho"),
    ProgrammingPreset(
        "pcm",
        Programming(
            error=WriteError("polynomial", c2c=1.0, coefficients=(0.26348 / 25, 1.9650 / 25, -1.1731 / 25)),
            ageing=PCM,
        ),
        "Pairs of phase change memory, 25 uS: programming error, drift and 1/f noise.",
        "IBM aihwkit 1.2 PCMLikeNoiseModel, after Nandakumar et al., ICECS 2019",
    ),
    ProgrammingPreset(
        "charan-2020", CHARAN,
        "4 bits a weight, devices of pairs stuck at 9.04 % low and 1.75 % high, w (1 + n) with sigma 0.1.",
        "Charan et al., IEEE JXCDC 2020",
    ),
    ProgrammingPreset(
        "charan-2020-log-normal",
        Programming(conductances=CHARAN.conductances, error=WriteError("log-normal", c2c=0.1), faults=CHARAN.faults),
        "The same with w exp(n).", "Charan et al., IEEE JXCDC 2020",
    ),
)  # fmt: skip


def preset_rows() -> tuple[ProgrammingPreset, ...]:
    """Return all presets of programming."""
    return ROWS


def preset(name: str) -> Programming:
    """Return the settings of a preset; raise ConfigError with the nearest names where there is none."""
    for row in ROWS:
        if row.name == name:
            return row.settings
    raise ConfigError(f"there is no programming preset {name!r}; {nearest(name, [row.name for row in ROWS])}")
