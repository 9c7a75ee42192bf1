"""The likelihood of readings under a law: a filter that keeps apart what pulses did and what readings added.

State of a device before a reading: mean m and variance P, from the law F and the last reading by an unscented step,

    m' = F(m, 0) + sum of four [F - F(m, 0)] / 6,   P' = (dF/dw)^2 P + (dF/dxi)^2,   slopes over +-sqrt(3) deviations

so that cycle-to-cycle noise adds up over pulses as a random walk, while the noise r of a reading y does not. The error
e = y - m' has variance S = P' + r, and z = e/sqrt(S) the density 0.998 N(z) + 0.002 Cauchy(z/10)/10: a reading far off
counts as an outlier, of weight t = -p'(z)/(z p(z)), and moves the state by t P'/S e. The first reading of a run is its
state. A baseline may drift linearly: y stands for y - drift (pulses so far / pulses of the record).

The sum of -log p is minimised by the scoring method. Its curvature is the sum of t (a a^T + b b^T / 2), a = de/sqrt(S)
and b = dS/S by finite differences between parameter sets that are filtered side by side.
"""

from __future__ import annotations

import numpy as np

from mho.devices.base import Device
from mho.kernels.trace import CORE, START, TAIL, UP, WIDTH, Records, Traced

REACH = np.sqrt(3.0)


def density(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the density of a standardised error, and the weight of its reading."""
    core = CORE * np.exp(-0.5 * z**2)
    tail = 1 / (1 + (z / WIDTH) ** 2)
    dense = core + TAIL * tail
    return dense, (core + 2 * TAIL * WIDTH**-2 * tail**2) / dense


def trace_reference(
    device: type[Device], records: Records, cells: dict[str, np.ndarray], noise: np.ndarray, steps: np.ndarray
) -> Traced:
    """Return what `mho.kernels.trace.trace` computes, in NumPy and double precision: slow, and easy to read."""
    n, sets = steps.shape
    loss, gradient = np.zeros(n), np.zeros((n, sets - 1))
    curvature, trail = np.zeros((n, sets - 1, sets - 1)), np.full((len(records.readings), 2), np.nan)
    for d in range(n):
        own = {k: np.broadcast_to(np.asarray(v, np.float64), (n, sets))[d] for k, v in cells.items()}
        rows = slice(records.begins[d], records.ends[d])
        found = _one(device, records.readings[rows].astype(np.float64), records.kinds[rows], own, noise[:, d], steps[d])
        loss[d], gradient[d], curvature[d], trail[rows] = found
    return Traced(loss, gradient, curvature, trail)


def _one(
    device: type[Device], readings: np.ndarray, kinds: np.ndarray, cells: dict[str, np.ndarray], noise: np.ndarray,
    steps: np.ndarray,
) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    variance, drift = noise
    sets, law = len(steps), _law(device, cells)
    loss, gradient, curvature = 0.0, np.zeros(sets), np.zeros((sets, sets))
    trail = np.zeros((len(readings), 2))
    w, p, extra = np.zeros(sets), np.zeros(sets), []
    for k, (y, kind) in enumerate(zip(readings, kinds, strict=True)):
        shifted = y - drift * k / len(readings)
        if kind == START:
            w, p = shifted * np.ones(sets), variance * np.ones(sets)
            extra = [np.full(sets, value) for value in device.state.values()]
        else:
            w, p, extra = _predicted(law, w, p, extra, kind == UP)
        trail[k] = w[0], p[0] + variance[0]
        if kind == START or np.isnan(y):
            continue
        total = p + variance
        error = shifted - w
        dense, trust = density(error / np.sqrt(total))
        a = (error - error[0]) / np.sqrt(total[0]) * steps
        b = (total - total[0]) / total[0] * steps
        z = error[0] / np.sqrt(total[0])
        loss += 0.5 * np.log(total[0]) - np.log(dense[0])
        gradient += z * trust[0] * a + 0.5 * (1 - trust[0] * z**2) * b
        curvature += trust[0] * (np.outer(a, a) + 0.5 * np.outer(b, b))
        w, p = w + trust * p / total * error, p * (1 - trust * p / total)
    return loss, gradient[1:], curvature[1:, 1:], trail


def _law(device: type[Device], cells: dict[str, np.ndarray]):  # type: ignore[no-untyped-def]
    from mho.devices.base import law_arguments

    given = [cells[name] for name in law_arguments(device)]

    def moved(w: np.ndarray, up: bool, xi: float, extra: list[np.ndarray]) -> list[np.ndarray]:
        new = device.pulse(w, np.full(w.shape, up), np.full(w.shape, xi), *extra, *given)
        return list(new) if device.state else [new]

    return moved


def _predicted(law, w: np.ndarray, p: np.ndarray, extra: list[np.ndarray], up: bool):  # type: ignore[no-untyped-def]
    reach = REACH * np.sqrt(p)
    low, high = law(w - reach, up, 0.0, extra)[0], law(w + reach, up, 0.0, extra)[0]
    less, more = law(w, up, -REACH, extra)[0], law(w, up, REACH, extra)[0]
    mean, *extra = law(w, up, 0.0, extra)
    spread, kick = (high - low) / (2 * REACH), (more - less) / (2 * REACH)
    return mean + (low + high + less + more - 4 * mean) / 6, spread**2 + kick**2, extra
