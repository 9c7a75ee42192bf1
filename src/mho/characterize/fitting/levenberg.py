"""Minimise the loss of many devices at once: the scoring method with Levenberg's damping, device by device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mho.kernels.trace import Traced

ENOUGH = 0.02
"""A fit is done when a step would lower its loss by less than this; a likelihood ratio of 2 percent."""
LARGEST = 1.0
"""The longest step of a coordinate, in standard deviations of its prior."""
GIVE_UP = 1e8

Evaluate = Callable[[np.ndarray, np.ndarray], Traced]
"""Evaluate(devices (k,), coordinates (k, p)) filters these devices."""


@dataclass(frozen=True)
class Minimum:
    """Where the loss is lowest: coordinates (n, p); loss (n,), its gradient and curvature there, without the prior."""

    at: np.ndarray
    loss: np.ndarray
    gradient: np.ndarray
    curvature: np.ndarray
    passes: int

    def better(self, other: Minimum, value: Callable[[Minimum], np.ndarray]) -> Minimum:
        """Return, device by device, the one with the lower value."""
        first = value(self) <= value(other)

        def pick(one: np.ndarray, two: np.ndarray) -> np.ndarray:
            return np.where(first.reshape(-1, *(1,) * (one.ndim - 1)), one, two)

        return Minimum(
            pick(self.at, other.at), pick(self.loss, other.loss), pick(self.gradient, other.gradient),
            pick(self.curvature, other.curvature), self.passes + other.passes,
        )  # fmt: skip

    def covariance(self, width: np.ndarray) -> np.ndarray:
        """Return the covariance (n, p, p) of the coordinates with a prior of widths (n, p)."""
        return np.linalg.inv(self.curvature + (width**-2.0)[:, None, :] * np.eye(self.at.shape[1]))


def minimise(
    evaluate: Evaluate, start: np.ndarray, centre: np.ndarray, width: np.ndarray, *, passes: int = 30
) -> Minimum:
    """Return the minimum of loss + ((x - centre) / width)^2 / 2 from start (n, p); width (p,) or (n, p)."""
    n, p = start.shape
    centre, width = np.broadcast_to(centre, (n, p)), np.broadcast_to(width, (n, p))
    weight, eye = width**-2.0, np.eye(p)
    best, trial = start.copy(), start.copy()
    loss, full = np.full(n, np.inf), np.full(n, np.inf)
    gradient, curvature = np.zeros((n, p)), np.tile(eye, (n, 1, 1))
    damping, active = np.full(n, 1e-2), np.arange(n)
    used = 0
    while len(active) and used < passes:
        used += 1
        found = evaluate(active, trial[active])
        pull = (0.5 * weight * (trial - centre) ** 2).sum(axis=1)[active]
        value = np.where(np.isfinite(found.loss), found.loss, np.inf) + pull
        fine = np.isfinite(found.gradient).all(axis=1) & np.isfinite(found.curvature).all(axis=(1, 2))
        good = (value < full[active]) & fine
        won = active[good]
        best[won], full[won], loss[won] = trial[won], value[good], found.loss[good]
        gradient[won], curvature[won] = found.gradient[good], found.curvature[good]
        damping[won] = np.maximum(damping[won] / 5, 1e-9)
        damping[active[~good]] *= 6
        g = gradient[active] + weight[active] * (best[active] - centre[active])
        h = curvature[active] + weight[active][:, None, :] * eye
        scale = np.einsum("npp->np", h)
        step = -np.linalg.solve(h + (damping[active, None] * scale)[:, None, :] * eye, g[:, :, None])[:, :, 0]
        longest = np.abs(step / np.minimum(width[active], 2.0)).max(axis=1)
        step /= np.maximum(longest / LARGEST, 1.0)[:, None]
        gain = -(g * step).sum(axis=1) - 0.5 * np.einsum("np,npq,nq->n", step, h, step)
        going = (gain > ENOUGH) & (damping[active] < GIVE_UP)
        trial[active] = best[active] + step
        active = active[going]
    return Minimum(best, loss, gradient, curvature, used)
