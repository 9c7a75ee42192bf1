"""The plain numbers of a law, which all devices share: one value for c2c, an exponent, a threshold."""

from __future__ import annotations

import numpy as np

from mho.characterize.fitting.lawfit import Fitter, LawFit
from mho.characterize.fitting.population import population

PROBE = 0.05
ROUNDS = 2
"""Newton steps of the common values; they start close."""


def shared_by_all(
    fitter: Fitter, fit: LawFit, described: np.ndarray
) -> tuple[dict[str, tuple[float, float, float]], Fitter, LawFit]:
    """Return {field: (common value, its error, standard deviation between devices)}, and the fit with these held.

    They start as the mean of the devices' own values, and are then moved to the maximum of the likelihood of all
    devices together, integrated over each device's own parameters (Laplace): noise that is estimated beside parameters
    that follow it would come out too small.
    """
    p, covariance = fit.parameters, fit.covariance()
    k = np.flatnonzero(p.shared)
    apart = [population(fit.minimum.at[described][:, [j]], covariance[described][:, [j]][:, :, [j]]) for j in k]
    at = np.array([one.mean[0] for one in apart])
    begin, error = fit.minimum.at[described].copy(), np.array([one.mean_error[0] for one in apart])
    for last in [False] * ROUNDS * bool(len(k)) + [True]:
        begin[:, k] = at
        values = _values(fitter, k, at)
        held = fitter.held({p.names[j]: value for j, value in zip(k, values, strict=True)})
        final = held.fit(fit.devices[described], begin)
        begin = final.minimum.at.copy()
        if not last:
            at, error = _newton(held, final, k, at, error)
    slopes = np.abs(np.array([p.slopes(p.values(np.full(len(p), x)))[j] for j, x in zip(k, at, strict=True)]))
    found = {
        p.names[j]: (float(value), float(slope * e), float(slope * one.std[0]))
        for j, value, slope, e, one in zip(k, _values(fitter, k, at), slopes, error, apart, strict=True)
    }
    return found, held, final


def _values(fitter: Fitter, k: np.ndarray, at: np.ndarray) -> list[float]:
    p = fitter.parameters
    return [float(f"{p.values(np.full(len(p), x))[j]:.5g}") for j, x in zip(k, at, strict=True)]


def _newton(
    held: Fitter, final: LawFit, k: np.ndarray, at: np.ndarray, error: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return common coordinates one step closer to the maximum, and their errors; the devices' own follow along."""
    free = np.setdiff1d(np.arange(final.minimum.at.shape[1]), k)
    h, g = final.minimum.curvature, final.minimum.gradient
    prior = (final.width[:, free] ** -2.0)[:, :, None] * np.eye(len(free))
    across = h[:, k][:, :, free]
    rest = h[:, k][:, :, k] - across @ np.linalg.solve(h[:, free][:, :, free] + prior, across.swapaxes(1, 2))
    total = rest.sum(axis=0) + 1e-9 * np.eye(len(k))
    pull = np.array([_volume(held, final, j, free, PROBE) - _volume(held, final, j, free, -PROBE) for j in k])
    step = -np.linalg.solve(total, g[:, k].sum(axis=0) + pull / (2 * PROBE))
    if not np.isfinite(step).all():
        return at, error
    return at + np.clip(step, -0.3, 0.3), np.sqrt(np.maximum(np.diag(np.linalg.inv(total)), 0.0))


def _volume(held: Fitter, final: LawFit, shared: int, free: np.ndarray, step: float) -> float:
    """Return half the logarithm of the determinant of the devices' own curvatures, a step along a shared coordinate."""
    at = final.minimum.at.copy()
    at[:, shared] += step
    h = held.filtered(final.devices, at).curvature[:, free][:, :, free]
    return 0.5 * float(np.linalg.slogdet(h + (final.width[:, free] ** -2.0)[:, :, None] * np.eye(len(free)))[1].sum())
