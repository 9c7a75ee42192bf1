"""From the parameters of single devices to a device with spreads: means, spreads and correlations of a population.

Estimates x_i of a device have a covariance V_i from its own readings; devices themselves scatter by S around m:
x_i ~ N(m, S + V_i). m and S are found by expectation and maximisation, so that the spread between devices is not
confused with the error of a fit, and a parameter that one device does not determine counts little there. A device that
lies further off than one in 200 would weighs less (Huber).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ROUNDS = 300
FAR = 0.995
"""Share of devices that count fully."""
LEVEL = 0.01
"""A correlation is kept when none as strong would be found by chance, in all pairs together, more often than this."""
FLOOR = 1e-3
"""Smallest eigenvalue of a correlation matrix."""


@dataclass(frozen=True)
class Population:
    """mean, error of the mean, std (p,) and correlation (p, p) between devices; reliability (p,) is the share of the
    variance of the estimates that is between devices, and loglik the log-likelihood of the estimates.
    """

    mean: np.ndarray
    mean_error: np.ndarray
    std: np.ndarray
    correlation: np.ndarray
    reliability: np.ndarray
    weight: np.ndarray
    loglik: float


def population(estimates: np.ndarray, covariance: np.ndarray) -> Population:
    """Return the population from estimates (n, p) with covariances (n, p, p)."""
    n, p = estimates.shape
    scale = np.maximum(estimates.std(axis=0), np.sqrt(np.median(np.einsum("npp->np", covariance), axis=0)))
    scale = np.maximum(scale, 1e-9 * np.maximum(np.abs(estimates).max(axis=0), 1e-30))
    x, v = estimates / scale, covariance / scale[:, None] / scale
    m, s = np.median(x, axis=0), np.cov(x.T).reshape(p, p) if n > 1 else np.eye(p) * 1e-6
    s = s + 1e-6 * np.eye(p)
    weight, limit = np.ones(n), _quantile(FAR, p)
    for _ in range(ROUNDS):
        total = np.linalg.inv(s + v)
        off = x - m
        far = np.einsum("np,npq,nq->n", off, total, off)
        weight = np.minimum(1.0, limit / np.maximum(far, 1e-12)) if n > 2 * p else weight
        weighted = weight[:, None, None] * total
        new_m = np.linalg.solve(weighted.sum(axis=0), np.einsum("npq,nq->p", weighted, x))
        gain = s @ total
        expected = np.einsum("npq,nq->np", gain, x - new_m)
        left = s - gain @ s
        normal = weight.sum() / n
        new_s = (np.einsum("n,np,nq->pq", weight / normal, expected, expected) + left.sum(axis=0)) / max(n - 1, 1)
        change = np.abs(new_s - s).max() + np.abs(new_m - m).max()
        m, s = new_m, (new_s + new_s.T) / 2
        if change < 1e-5:
            break
    total = np.linalg.inv(s + v)
    off = x - m
    _, logs = np.linalg.slogdet(total)
    loglik = float(0.5 * logs.sum() - 0.5 * np.einsum("np,npq,nq->", off, total, off) - n * np.log(scale).sum())
    std = np.sqrt(np.maximum(np.diag(s), 0))
    between = np.maximum(std, 1e-12)
    correlation = np.clip(s / between / between[:, None], -1, 1)
    np.fill_diagonal(correlation, 1.0)
    errors = np.sqrt(np.diag(np.linalg.inv(total.sum(axis=0))))
    noise = np.median(np.einsum("npp->np", v), axis=0)
    return Population(
        m * scale, errors * scale, std * scale, correlation, std**2 / (std**2 + noise + 1e-30), weight, loglik
    )


def significant(correlation: np.ndarray, reliability: np.ndarray, devices: int) -> np.ndarray:
    """Return the correlation matrix with the pairs that may be chance set to 0, made positive definite.

    Fisher's test at LEVEL over all pairs by Holm's method; the number of devices counts by the reliability of both
    parameters, since the error of an estimate blurs its correlation.
    """
    p = len(correlation)
    one, other = np.triu_indices(p, 1)
    count = np.maximum(devices * reliability[one] * reliability[other] - 3, 0.0)
    z = np.abs(np.arctanh(np.clip(correlation[one, other], -0.999, 0.999))) * np.sqrt(count)
    chance = _two_sided(z)
    kept = np.zeros(len(z), bool)
    for k, pair in enumerate(np.argsort(chance)):
        if chance[pair] > LEVEL / (len(z) - k):
            break
        kept[pair] = True
    found = np.eye(p)
    found[one[kept], other[kept]] = found[other[kept], one[kept]] = correlation[one[kept], other[kept]]
    lowest = np.linalg.eigvalsh(found)[0] if p else 1.0
    if lowest < FLOOR:
        found = np.eye(p) + (found - np.eye(p)) * (1 - FLOOR) / (1 - lowest)
    return found


def _quantile(share: float, freedom: int) -> float:
    """Return the quantile of chi squared."""
    from scipy.special import gammaincinv

    return 2 * float(gammaincinv(freedom / 2, share))


def _two_sided(z: np.ndarray) -> np.ndarray:
    from scipy.special import erfc

    return np.asarray(erfc(z / np.sqrt(2)))
