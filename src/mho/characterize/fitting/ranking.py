"""Laws ranked by how well they describe measured devices, for the numbers that they take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from mho.characterize.fitting.freerun import goodness
from mho.characterize.fitting.lawfit import Fitter, LawFit
from mho.characterize.fitting.records import Prepared
from mho.characterize.fitting.shared import shared_by_all
from mho.kernels.trace import START

SCREEN = 48
"""Devices on which all laws are tried; those that are not clearly worse are fitted to all."""
CONTENDERS, CLEARLY = 3, 4.0
"""Laws at most that are fitted to all devices, and by how much, per device, a law's BIC is clearly worse."""
EQUAL = 0.5
"""Laws whose BIC differs by less than this per device describe the readings equally well; then the shortest wins."""

Progress = Callable[[str, int, int], None]
"""Progress(what is being done, done, of how many)."""


@dataclass(frozen=True)
class Ranked:
    """One law and how well it fits.

    devices: on which it was compared, some of all where that was enough. r2: of the noise-free traces,
    median over devices. error: standard deviation of a reading around its prediction, weight units. loglik, and
    freedom, the number of parameters that the readings determine, of these devices; aic = 2 freedom - 2 loglik, and bic
    with log(readings of the device) in place of the first 2. failed: why it could not be fitted.
    """

    name: str
    devices: int = 0
    r2: float = np.nan
    error: float = np.nan
    loglik: float = -np.inf
    freedom: float = np.nan
    aic: float = np.inf
    bic: float = np.inf
    parameters: int = 0
    failed: str = ""


def ranked(fitters: Mapping[str, Fitter], fits: Mapping[str, LawFit]) -> list[Ranked]:
    """Return laws that were fitted to the same devices, ranked by BIC; the shortest of equally good ones first.

    A plain number counts once, since all devices share it in the end.
    """
    rows = []
    for name, fit in fits.items():
        readings = np.array([_used(fitters[name].prepared, d).sum() for d in fit.devices])
        shared = int(fit.parameters.shared.sum())
        loss, free = float(fit.minimum.loss.sum()), fit.freedom()
        r2, error = goodness(fitters[name], fit)
        penalty = float((free * np.log(np.maximum(readings, 2))).sum()) + shared * float(np.log(max(readings.sum(), 2)))
        freedom = float(free.sum()) + shared
        rows.append(
            Ranked(
                name, len(fit.devices), r2, error, -loss, freedom, 2 * (loss + freedom), 2 * loss + penalty,
                len(fit.parameters),
            )
        )  # fmt: skip
    rows.sort(key=lambda r: r.bic)
    equal = [r for r in rows if r.bic < rows[0].bic + EQUAL * r.devices]
    shortest = min(equal, key=lambda r: (r.parameters, r.bic))
    return [shortest, *(r for r in rows if r is not shortest)]


def _used(prepared: Prepared, device: int) -> np.ndarray:
    """Return which rows of a device have a likelihood: all with a reading but the starts."""
    rows = slice(prepared.records.begins[device], prepared.records.ends[device])
    return np.isfinite(prepared.records.readings[rows]) & (prepared.records.kinds[rows] != START)


def in_full(fitters: Mapping[str, Fitter], fits: dict[str, LawFit], rows: list[Ranked], tell: Progress) -> list[Ranked]:
    """Return the ranking of laws as they are used: with one value of each plain number for all devices.

    rows: the ranking of single fits to some devices. It counts a plain number once, although each device has its own,
    so its BIC is a lower bound: laws are tried in this order until the bound is clearly worse than the best. Those that
    are not clearly worse then are fitted to all devices, which `fits` holds at the end, and are ranked anew.
    """
    held: dict[str, LawFit] = {}
    found: list[Ranked] = []
    for k, row in enumerate(rows):
        if found and (row.bic > found[0].bic + CLEARLY * row.devices or len(held) == 2 * CONTENDERS):
            break
        tell(f"law {row.name}, common numbers", len(fitters) + k, len(fitters) + 3 * CONTENDERS + 2)
        held[row.name] = shared_by_all(fitters[row.name], fits[row.name], np.ones(row.devices, bool))[2]
        found = ranked(fitters, held)
    close = [r for r in found if r.bic < found[0].bic + CLEARLY * r.devices][:CONTENDERS]
    count, done = len(fitters[close[0].name].prepared), len(fitters) + 2 * CONTENDERS
    if count > close[0].devices:
        for row in close:
            tell(f"law {row.name}, all {count} devices", done, done + CONTENDERS + 2)
            start = np.median(fits[row.name].minimum.at, axis=0)
            start[-1] = 0.0
            fits[row.name] = fitters[row.name].fit(np.arange(count), start)
        if len(close) > 1:
            every = np.ones(count, bool)
            new = ranked(fitters, {r.name: shared_by_all(fitters[r.name], fits[r.name], every)[2] for r in close})
            found = new + [r for r in found if r not in close]
    return found + [r for r in rows if r.name not in held]
