"""The plain numbers of a law, which all devices share: one value for c2c, an exponent, a threshold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mho.characterize.fitting.lawfit import Fitter, LawFit, with_prior
from mho.characterize.fitting.population import population

PROBE = 0.05
ROUNDS, ENOUGH = 12, 0.5
"""Newton steps of the common values at most, and the gain of the log-likelihood of all devices that ends them."""
MOST = 150
"""Devices from which common values are found: their error is far below the spread of anything else."""
MANY, FREED = 12, 2
"""With more plain numbers than this, such as nodes of a map, single fits trade them for parameters of their own, and
some are trapped when they become common: these are begun anew, and the common numbers found again, so many times."""

Shared = dict[str, tuple[float, float, float]]
"""{field: (common value, its error, standard deviation of the single fits)}"""


def shared_by_all(fitter: Fitter, fit: LawFit, described: np.ndarray) -> tuple[Shared, Fitter, LawFit]:
    """Return the common values of the law's plain numbers, and the fit of the devices with these held.

    They start as the mean of the devices' own values or as those of one device, and are moved to the maximum of the
    likelihood of all devices together, integrated over each device's own parameters (Laplace): noise that is estimated
    beside parameters that follow it would come out too small.
    """
    p, k = fit.parameters, np.flatnonzero(fit.parameters.shared)
    chosen = np.flatnonzero(described)
    own, covariance = fit.minimum.at[chosen], fit.covariance()[chosen]
    apart = [population(own[:, [j]], covariance[:, [j]][:, :, [j]]) for j in k]
    at, error = np.array([one.mean[0] for one in apart]), np.array([one.mean_error[0] for one in apart])
    few = np.unique(np.linspace(0, len(chosen) - 1, MOST).round().astype(int))
    if len(k):
        at, error = _common(fitter, fit, chosen[few], k, at)
    held, final = _held(fitter, fit, chosen, k, at)
    for _ in range(FREED if len(k) > MANY else 0):
        final = _freed(held, final)
        at, error = _common(fitter, final, few, k, at)
        held, final = _held(fitter, final, np.arange(len(chosen)), k, at)
    found = {}
    for j, x, e, one in zip(k, at, error, apart, strict=True):
        value = p.values(np.full(len(p), x))
        slope = abs(float(p.slopes(value)[j]))
        found[p.names[j]] = (_short(float(value[j])), slope * float(e), slope * float(one.std[0]))
    return found, held, final


def _freed(held: Fitter, fit: LawFit) -> LawFit:
    """Return the fit with devices begun anew from the middle one where that is better."""
    again = held.fit(fit.devices, np.median(fit.minimum.at, axis=0)).minimum
    return replace(fit, minimum=fit.minimum.better(again, lambda m: with_prior(m, fit.centre, fit.width)))


def _common(
    fitter: Fitter, fit: LawFit, few: np.ndarray, k: np.ndarray, mean: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the common coordinates and their errors, by Newton's method with Levenberg's damping."""
    free = np.setdiff1d(np.arange(fit.minimum.at.shape[1]), k)
    own = fit.minimum.at[few][:, k]
    starts = [mean]
    if len(k) > 1:  # a law's shape may follow a valley that the mean of single fits misses
        scale = own.std(axis=0) + 1e-9
        starts.append(own[(((own - np.median(own, axis=0)) / scale) ** 2).sum(axis=1).argmin()])
    tried = [(at, *_held(fitter, fit, few, k, at)) for at in starts]
    at, held, final = min(tried, key=lambda t: _total(t[2]))
    damping, total = 1e-3, _total(final)
    step, h = _newton(held, final, k, free, damping)
    for _ in range(ROUNDS):
        new_held, new = _held(fitter, fit, few, k, at + step, final)
        better = total - _total(new)
        if better < -1.0:  # the integral over the devices' own parameters may raise the loss itself a little
            damping *= 10
            if damping > 1e6:
                break
        else:
            at, held, final, total, damping = at + step, new_held, new, _total(new), damping / 10
            if abs(better) < ENOUGH and damping < 1e-4:
                break
        step, h = _newton(held, final, k, free, damping)
    return at, np.sqrt(np.maximum(np.diag(np.linalg.inv(h)), 0.0))


def _held(
    fitter: Fitter, fit: LawFit, chosen: np.ndarray, k: np.ndarray, at: np.ndarray, last: LawFit | None = None
) -> tuple[Fitter, LawFit]:
    """Return the fit of some devices with the plain numbers held at common coordinates."""
    p = fitter.parameters
    values = {p.names[j]: _short(float(p.values(np.full(len(p), x))[j])) for j, x in zip(k, at, strict=True)}
    held = fitter.held(values)
    begin = (last.minimum.at if last else fit.minimum.at[chosen]).copy()
    begin[:, k] = held.parameters.start[k]
    return held, held.fit(fit.devices[chosen], begin, walls=False)


def _total(fit: LawFit) -> float:
    loss = fit.minimum.loss.sum()
    return float(loss) if np.isfinite(loss) else np.inf


def _short(value: float) -> float:
    return float(f"{value:.5g}")


def _newton(
    held: Fitter, final: LawFit, k: np.ndarray, free: np.ndarray, damping: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return a step of the common coordinates, and the curvature along them when the devices' own follow."""
    h, g = final.minimum.curvature, final.minimum.gradient
    prior = (final.width[:, free] ** -2.0)[:, :, None] * np.eye(len(free))
    across = h[:, k][:, :, free]
    rest = h[:, k][:, :, k] - across @ np.linalg.solve(h[:, free][:, :, free] + prior, across.swapaxes(1, 2))
    total = rest.sum(axis=0)
    total = total + np.eye(len(k)) * (1e-9 + 1e-6 * np.diag(total).max())
    pull = np.array([_volume(held, final, j, free, PROBE) - _volume(held, final, j, free, -PROBE) for j in k])
    slope = g[:, k].sum(axis=0) + pull / (2 * PROBE)
    step = -np.linalg.solve(total + damping * np.diag(np.diag(total)), slope)
    return np.clip(np.nan_to_num(step), -0.5, 0.5), total


def _volume(held: Fitter, final: LawFit, shared: int, free: np.ndarray, step: float) -> float:
    """Return half the logarithm of the determinant of the devices' own curvatures, a step along a shared coordinate."""
    at = final.minimum.at.copy()
    at[:, shared] += step
    h = held.filtered(final.devices, at).curvature[:, free][:, :, free]
    return 0.5 * float(np.linalg.slogdet(h + (final.width[:, free] ** -2.0)[:, :, None] * np.eye(len(free)))[1].sum())
