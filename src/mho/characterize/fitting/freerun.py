"""The noise-free response of fitted devices to the pulses that they got, and how much of the readings it explains."""

from __future__ import annotations

import numpy as np

from mho.characterize.fitting.lawfit import Fitter, LawFit
from mho.devices.base import law_arguments
from mho.kernels.trace import START, UP

MOST = 48
"""Devices on which the goodness of a fit is measured."""


def free_run(fitter: Fitter, fit: LawFit, among: np.ndarray | None = None) -> np.ndarray:
    """Return the noise-free response (readings,) as it would be read, NaN for devices that are not among the fit's."""
    records = fitter.prepared.records
    chosen = np.arange(len(fit.devices)) if among is None else np.flatnonzero(among)
    devices = fit.devices[chosen]
    kind = type(fitter.parameters.device)
    cells = fitter.parameters.cells(fit.minimum.at[chosen, None, :-2])
    given = [cells[name][:, 0].astype(np.float64) for name in law_arguments(kind)]
    begins, lengths = records.begins[devices], records.ends[devices] - records.begins[devices]
    out = np.full(len(records.readings), np.nan)
    w, extra = np.zeros(len(devices)), [np.full(len(devices), v) for v in kind.state.values()]
    with np.errstate(all="ignore"):
        for n in range(int(lengths.max(initial=0))):
            rows = begins + np.minimum(n, lengths - 1)
            kinds, readings = records.kinds[rows], records.readings[rows]
            age = fit.drift[chosen] * n / lengths
            new = kind.pulse(w, kinds == UP, np.zeros(len(w)), *extra, *given)
            moved, *more = new if kind.state else (new,)
            start = kinds == START
            w = np.where(start, readings - age, moved)
            extra = [np.where(start, v, m) for v, m in zip(kind.state.values(), more, strict=True)]
            live = n < lengths
            out[rows[live]] = (w + age)[live]
    return out


def goodness(fitter: Fitter, fit: LawFit) -> tuple[float, float]:
    """Return medians over devices: R^2 of the noise-free response, and the deviation of a prediction's error."""
    some = np.zeros(len(fit.devices), bool)
    some[:MOST] = True
    records, trace = fitter.prepared.records, free_run(fitter, fit, some)
    trail = fitter.trail(fit)
    shares, errors = [], []
    for k in np.flatnonzero(some):
        d = fit.devices[k]
        rows = slice(records.begins[d], records.ends[d])
        y, there = records.readings[rows], np.isfinite(records.readings[rows]) & (records.kinds[rows] != START)
        rest, off = (y - trace[rows])[there], (y - trail[rows, 0])[there]
        whole = y[there] - np.median(y[there])
        limit = 5 * 1.4826 * np.median(np.abs(off - np.median(off)))
        good = np.abs(off) <= limit  # outliers are left aside
        shares.append(1 - (rest[good] ** 2).sum() / max(float((whole[good] ** 2).sum()), 1e-30))
        errors.append(off[good].std())
    return float(np.median(shares)), float(np.median(errors))
