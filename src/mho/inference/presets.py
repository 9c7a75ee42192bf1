"""Programming presets: whole settings as rows of data, each with where it was read."""

from __future__ import annotations

from dataclasses import dataclass

from mho.devices.catalogue import devices
from mho.errors import by_name
from mho.inference.ageing_settings import PCM
from mho.inference.conductances import Conductances
from mho.inference.errors import WriteError
from mho.inference.faults import StuckFaults
from mho.inference.reram_rows import ROWS as RERAM
from mho.inference.settings import Programming


def of_g_max(g_max: float, *microsiemens: float) -> tuple[float, ...]:
    """Return coefficients in units of g_max, of a polynomial in x = g/g_max that was stated in microsiemens."""
    return tuple(value / g_max for value in microsiemens)


def catalogued(name: str) -> str:
    """Return where the device of this name in the catalogue comes from."""
    return next(row.source for row in devices() if row.name == name)


@dataclass(frozen=True)
class ProgrammingPreset:
    """One named way of programming with its source."""

    name: str
    settings: Programming
    description: str
    source: str


CHARAN = Programming(
    Conductances(levels=16), WriteError("multiplicative", c2c=0.1), StuckFaults(low=0.0904, high=0.0175)
)

ROWS = (
    ProgrammingPreset("ideal", Programming(), "Pairs without errors, levels, faults or drift.", "mho"),
    ProgrammingPreset(
        "pcm",
        Programming(
            error=WriteError("polynomial", c2c=1.0, coefficients=of_g_max(25, 0.26348, 1.9650, -1.1731)), ageing=PCM
        ),
        "Pairs of phase change memory, 25 uS: programming error, drift and 1/f noise.",
        "IBM aihwkit PCMLikeNoiseModel, after Nandakumar et al., ICECS 2019; read in its source",
    ),
    ProgrammingPreset(
        "reram-wan-2022",
        Programming(
            Conductances(g_max=40e-6),
            WriteError("polynomial", c2c=1.0, coefficients=of_g_max(40, 0.348, 16.030, -43.853, 45.393, -16.815)),
        ),
        "Pairs of RRAM, 40 uS: the spread one second after programming with verify; no drift.",
        "IBM aihwkit ReRamWan2022NoiseModel, read off figures of Wan et al., Nature 608:504 (2022); read in its source",
    ),
    ProgrammingPreset(
        "reram-cmo",
        Programming(
            Conductances("single", g_min=9e-6, g_max=88.19e-6),
            WriteError("polynomial", c2c=1.0, coefficients=of_g_max(88.19, 0.0112185391, 0.01129027418 * 88.19)),
        ),
        "Single CMO/HfOx devices, 9 to 88 uS, written with verify to 2 % of the target; no drift.",
        "IBM aihwkit ReRamCMONoiseModel, after Falcone et al. (in review then); read in its source",
    ),
    *(
        ProgrammingPreset(
            row.device, row.settings,
            f"One device in {100 * row.used:.0f} % of its range, written with verify to 2 % of this window.",
            f"Measured by mho.inference.measure_error on the device of the catalogue: {catalogued(row.device)}",
        )
        for row in RERAM
    ),
    ProgrammingPreset(
        "charan-2020", CHARAN,
        "4 bits a weight, devices of pairs stuck at 9.04 % low and 1.75 % high, w (1 + n) with sigma 0.1.",
        "Charan et al., IEEE JXCDC 2020; sigma and shares from notes on it",
    ),
    ProgrammingPreset(
        "charan-2020-log-normal", CHARAN.with_(error=WriteError("log-normal", c2c=0.1)),
        "The same with w exp(n).", "Charan et al., IEEE JXCDC 2020; sigma and shares from notes on it",
    ),
)  # fmt: skip


def preset_rows() -> tuple[ProgrammingPreset, ...]:
    """Return all presets of programming."""
    return ROWS


def preset(name: str) -> Programming:
    """Return the settings of a preset; raise ConfigError with the nearest names where there is none."""
    return by_name(ROWS, name, "programming preset").settings
