"""The filter of a fit: kernel against NumPy, its gradient against differences, and the population of estimates."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mho.characterize.fitting.filtering import trace_reference
from mho.characterize.fitting.parameters import parameters_of
from mho.characterize.fitting.population import LEVEL, population, significant
from mho.devices import ConstantStep, Device, ExpStep, JumpStep, LinearStep, PowStep, SoftBounds, Spread, law, where
from mho.kernels.trace import START, Records, trace


class Counting(Device):
    """Steps that halve after the fifth pulse: a law with extra state."""

    dw_min: Spread = Spread(0.02, d2d=0.1)
    c2c: float = 0.2
    state = {"count": 0.0}  # noqa: RUF012

    def cells(self, draw: Any) -> dict[str, Any]:
        return {"size": draw(self.dw_min), "c2c": self.c2c}

    @law
    def pulse(w, up, xi, count, size, c2c):  # type: ignore[no-untyped-def]
        """Step, and count."""
        step = where(count < 5.0, size, 0.5 * size) * (1.0 + c2c * xi)
        return w + where(up, step, -step), count + 1.0


def records(rng: np.random.Generator, n: int = 4, longest: int = 120) -> Records:
    """Return random readings with gaps, restarts and an outlier, of devices of unequal length."""
    lengths = rng.integers(longest // 2, longest, n)
    ends = np.cumsum(lengths)
    kinds = rng.integers(0, 2, ends[-1]).astype(np.uint8)
    kinds[ends - lengths] = START
    kinds[int(ends[0]) + 30] = START
    readings = np.cumsum(rng.normal(0, 0.02, ends[-1])).astype(np.float32) % 0.5
    readings[(rng.random(ends[-1]) < 0.1) & (kinds != START)] = np.nan
    readings[int(ends[0]) + 40] = 3.0
    return Records(ends - lengths, ends, readings, kinds)


@pytest.mark.parametrize("kind", [SoftBounds, LinearStep, ConstantStep, ExpStep, PowStep, JumpStep, Counting])
def test_kernel_and_reference_agree(kind: type[Device]) -> None:
    rng = np.random.default_rng(1)
    data, p = records(rng), parameters_of(kind(), {"dw_min": 0.02, "w_max": 0.9, "w_min": -0.9})
    n, sets = len(data), len(p) + 3
    at = np.repeat((p.start + rng.normal(0, 0.1, (n, len(p))))[:, None], sets, axis=1)
    at[:, 1 : len(p) + 1] += 0.01 * np.eye(len(p))
    noise = np.stack([np.full((n, sets), 4e-4), np.full((n, sets), 0.05)])
    noise[0, :, -2] *= 1.02
    noise[1, :, -1] += 0.01
    steps = np.full((n, sets), 100.0)
    steps[:, 0] = 0.0
    cells = p.cells(at)
    found = trace(kind, data, cells, noise, steps, trail=True)
    expected = trace_reference(kind, data, cells, noise, steps)
    np.testing.assert_allclose(found.loss, expected.loss, rtol=1e-4, atol=1e-2)
    np.testing.assert_allclose(found.trail, expected.trail, rtol=1e-3, atol=1e-4)
    for one, other in ((found.gradient, expected.gradient), (found.curvature, expected.curvature)):
        scale = np.sqrt(np.abs(np.einsum("npp->np", expected.curvature))) + 1e-3
        bound = scale if one.ndim == 2 else scale[:, :, None] * scale[:, None, :]
        assert (np.abs(one - other) < 0.02 * (bound + np.abs(other)) + 0.05).all()


def test_the_gradient_is_that_of_the_loss() -> None:
    data, p = (
        records(np.random.default_rng(2)),
        parameters_of(SoftBounds(), {"dw_min": 0.02, "w_max": 0.9, "w_min": -0.9}),
    )
    n, sets = len(data), len(p) + 1
    at = np.repeat(np.tile(p.start, (n, 1))[:, None], sets, axis=1)
    at[:, 1:] += 3e-4 * np.eye(len(p))
    noise = np.stack([np.full((n, sets), 4e-4), np.zeros((n, sets))])
    steps = np.full((n, sets), 1 / 3e-4)
    steps[:, 0] = 0.0
    gradient = trace_reference(SoftBounds, data, p.cells(at), noise, steps).gradient
    one_set = np.zeros((n, 1))
    for k in range(len(p)):
        moved = [np.repeat(at[:, :1], 1, axis=1) + s * 3e-3 * np.eye(len(p))[k] for s in (1, -1)]
        more, less = (trace_reference(SoftBounds, data, p.cells(m), noise[:, :, :1], one_set).loss for m in moved)
        np.testing.assert_allclose(gradient[:, k], (more - less) / 6e-3, rtol=0.01, atol=0.05)


def test_fields_that_may_be_fitted() -> None:
    p = parameters_of(LinearStep(), {})
    assert p.names == ("dw_min", "up_down", "w_max", "w_min", "gamma_up", "gamma_down", "c2c")
    np.testing.assert_array_equal(p.sign, [1, 1, 1, -1, 0, 0, 1])  # slopes may have either sign
    np.testing.assert_array_equal(p.shared, [False] * 6 + [True])
    values = np.array([0.01, 1.5, 0.8, -0.7, 0.3, -0.2, 0.4])
    np.testing.assert_allclose(p.values(p.coordinates(values)), values)
    device = p.devices(np.stack([values, 1.1 * values]))
    assert device.w_min == Spread((-0.7, -0.77))  # type: ignore[attr-defined]


def test_a_population_is_told_from_the_errors_of_its_estimates() -> None:
    rng, n, p = np.random.default_rng(3), 2000, 3
    spread = np.array([[1.0, 0.6, 0.0], [0.6, 2.0, -0.5], [0.0, -0.5, 0.5]])
    errors = np.einsum("ni,ij->nij", rng.uniform(0.2, 2.0, (n, p)), np.eye(p))
    true = rng.multivariate_normal([5, -3, 0.5], spread, n)
    seen = true + rng.normal(size=(n, p)) * np.sqrt(np.einsum("nii->ni", errors))
    found = population(seen, errors)
    # Six standard errors of a covariance of 2000 devices, blurred by errors as large as the spread itself.
    np.testing.assert_allclose(found.mean, [5, -3, 0.5], atol=6 * np.sqrt(4 / n))
    covariance = found.correlation * np.outer(found.std, found.std)
    np.testing.assert_allclose(covariance, spread, atol=6 * 3.2 / np.sqrt(n))
    far = np.concatenate([seen, np.full((10, p), 60.0)])
    robust = population(far, np.concatenate([errors, errors[:10]]))
    np.testing.assert_allclose(robust.mean, found.mean, atol=0.15)


def test_correlations_by_chance_are_dropped_and_real_ones_kept() -> None:
    rng, n, kept = np.random.default_rng(4), 60, 0
    runs = 400
    for _ in range(runs):
        chance = np.corrcoef(rng.normal(size=(n, 4)).T)
        kept += bool((significant(chance, np.ones(4), n) != np.eye(4)).any())
    # Of 400 families a share LEVEL may keep one: 4, and 12 or more with a probability of 1e-3.
    assert kept <= 12
    assert kept / runs < 3 * LEVEL
    real = np.array([[1, 0.8, 0.1], [0.8, 1, 0.0], [0.1, 0.0, 1]])
    found = significant(real, np.ones(3), n)
    np.testing.assert_allclose(found, [[1, 0.8, 0], [0.8, 1, 0], [0, 0, 1]])


def test_kept_correlations_are_a_correlation_matrix() -> None:
    impossible = np.array([[1, 0.95, -0.95], [0.95, 1, 0.95], [-0.95, 0.95, 1]])
    found = significant(impossible, np.ones(3), 500)
    assert np.linalg.eigvalsh(found)[0] > 0
    np.testing.assert_allclose(np.diag(found), 1)
