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
CONTENDERS, CLEARLY = 3, 10.0
"""Laws at most that are fitted to all devices, and by how much, per device, a law's BIC is clearly worse."""
EQUAL = 0.5
"""Laws whose BIC differs by less than this per device describe the readings equally well; then the shortest wins."""

Progress = Callable[[str, int, int], None]
"""Progress(what is being done, done, of how many)."""


@dataclass(frozen=True)
class Ranked:
    """One law and how well it fits.

    devices: to which it was fitted, some of all where it was clearly worse on them. r2: of the noise-free traces,
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


def ranked(
    fitters: Mapping[str, Fitter], fits: Mapping[str, LawFit], common: Mapping[str, int] | None = None
) -> list[Ranked]:
    """Return laws that were fitted to the same devices, ranked by BIC; the shortest of equally good ones first.

    common: of laws whose plain numbers are held at values common to all devices, how many of these there are.
    """
    rows = []
    for name, fit in fits.items():
        readings = np.array([_used(fitters[name].prepared, d).sum() for d in fit.devices])
        shared = (common or {}).get(name, 0)
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
    """Return the ranking with the laws that are not clearly worse fitted to all devices, which `fits` then holds.

    These are ranked as they are used, with one value of each plain number for all devices.
    """
    close = [r for r in rows if r.bic < rows[0].bic + CLEARLY * r.devices][:CONTENDERS]
    held, common = {}, {}
    for k, row in enumerate(close):
        name, fitter = row.name, fitters[row.name]
        count = len(fitter.prepared)
        tell(f"law {name}, all {count} devices", len(fitters) + k, len(fitters) + CONTENDERS + 2)
        if count > row.devices:
            start = np.median(fits[name].minimum.at, axis=0)
            start[-1] = 0.0
            fits[name] = fitter.fit(np.arange(count), start)
        shared, _, held[name] = shared_by_all(fitter, fits[name], np.ones(count, bool))
        common[name] = len(shared)
    best = ranked(fitters, held, common)
    return best + [r for r in rows if r.name not in held]
