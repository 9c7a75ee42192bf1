"""Read-verify-write against closed forms: what is left, and how many pulses and readings it takes."""

import numpy as np
import pytest
import torch
from scipy import stats

from inference.programmed_models import draw
from mho.inference import Conductances, Programmed, Programming, StuckFaults, Verify, WriteError
from mho.inference.writing import Written, write_

ALARM = 1e-3  # false-alarm rate of each test
LAYOUT = Conductances("single", g_min=50e-6, g_max=90e-6)
EXACT = {"c2c": 0.0, "d2d": 0.0}


def block(settings: Programming, chips: int = 1, size: int = 200) -> Programmed:
    weights = torch.linspace(-1, 1, size * size).reshape(1, size, size).expand(chips, size, size).contiguous()
    return Programmed(weights, torch.ones(chips, 1, 1), settings, draw(range(chips)))


def written(verify: Verify, error: WriteError, chips: int = 1, **more) -> tuple[Written, np.ndarray, Programmed]:
    """Return how writing went, and g - target in units of the window."""
    one = block(Programming(LAYOUT, error, verify=verify, **more), chips)
    done = write_(one)
    return done, ((one.conductance - one.wanted()) / LAYOUT.window).flatten(1).double().numpy(), one


def test_exact_pulses_end_within_half_a_step_and_are_counted() -> None:
    error = WriteError("additive", c2c=0.05)
    _, start, _ = written(Verify(tolerance=10.0, **EXACT), error)  # nothing is corrected
    done, off, _ = written(Verify(tolerance=0.0051, step=0.01, pulses=100, **EXACT), error)
    assert np.abs(off).max() < 0.0051
    assert not done.missed.any()
    late = np.abs(start) > 0.0051
    assert done.pulses[0] == pytest.approx(start.size + np.round(np.abs(start[late]) / 0.01).sum(), rel=1e-4)
    assert done.reads[0] == pytest.approx(start.size + late.sum(), rel=1e-4)


def test_pulses_between_readings_and_in_all_are_limited() -> None:
    error = WriteError("additive", c2c=0.05)
    done, off, _ = written(Verify(tolerance=0.005, step=0.01, pulses=2, iterations=3, **EXACT), error)
    _, start, _ = written(Verify(tolerance=10.0, **EXACT), error)
    moved = np.abs(start - off).max()
    assert moved == pytest.approx(0.06, rel=1e-3)
    assert done.missed[0] == (np.abs(off) > 0.005).sum()
    assert done.missed[0] > 1000
    done, off, _ = written(Verify(tolerance=0.005, step=0.01, pulses=2, total=3, **EXACT), error)
    assert np.abs(start - off).max() == pytest.approx(0.03, rel=1e-3)
    assert done.pulses[0] <= start.size * 4


def test_rewriting_leaves_a_truncated_error_and_takes_a_geometric_number_of_writes() -> None:
    """After N rewrites a device is beyond the tolerance with probability q^(N+1), q = P(abs(n) > tolerance)."""
    sigma, tolerance, n = 0.05, 0.02, 6
    verify = Verify(strategy="rewrite", tolerance=tolerance, iterations=n)
    done, off, _ = written(verify, WriteError("additive", c2c=sigma))
    q = 2 * stats.norm.sf(tolerance / sigma)
    missed = np.abs(off[0]) > tolerance
    level = ALARM / 6
    assert (
        stats.binom.ppf(level, off.size, q ** (n + 1)) <= missed.sum() <= stats.binom.isf(level, off.size, q ** (n + 1))
    )
    assert done.missed[0] == missed.sum()
    near = off[0][~missed]
    assert (
        stats.kstest(near, stats.truncnorm(-tolerance / sigma, tolerance / sigma, scale=sigma).cdf).pvalue > 2 * level
    )
    writes = (1 - q ** (n + 1)) / (1 - q)  # mean of a geometric number, at most n + 1
    spread = (q / (1 - q) ** 2 * off.size) ** 0.5  # without the limit, which makes it smaller
    assert abs(float(done.pulses[0]) - off.size * writes) < stats.norm.isf(level) * spread
    assert done.reads[0] == done.pulses[0]  # each write is read once


def test_rewriting_cannot_undo_what_the_device_keeps() -> None:
    verify = Verify(strategy="rewrite", tolerance=0.01, iterations=5)
    done, off, _ = written(verify, WriteError("additive", d2d=0.05))
    assert done.missed[0] == (np.abs(off) > 0.01).sum()
    assert done.missed[0] / off.size == pytest.approx(2 * stats.norm.sf(0.2), rel=0.03)


def test_read_noise_limits_what_is_reached() -> None:
    """Of devices left alone at once, the error has no part in being near: it stays; a noisy reading calls it done."""
    quiet = written(Verify(tolerance=0.01, step=0.005, pulses=30, iterations=10), WriteError("additive", c2c=0.05))
    noisy = written(
        Verify(tolerance=0.01, step=0.005, pulses=30, iterations=10, read_noise=0.03), WriteError("additive", c2c=0.05)
    )
    assert quiet[1].std() < 0.01
    assert 0.02 < noisy[1].std() < 0.04
    assert noisy[0].pulses[0] > quiet[0].pulses[0]


def test_a_device_that_was_near_in_one_reading_is_left_alone() -> None:
    """With nothing but noise of reading, a device is missed when all n + 1 readings are: with probability q^(n + 1)."""
    verify = Verify(strategy="rewrite", tolerance=0.02, read_noise=0.05, iterations=4)
    done, off, _ = written(verify, WriteError("additive", c2c=1e-6))
    q = 2 * stats.norm.sf(0.02 / 0.05)
    level = ALARM / 4
    assert stats.binom.ppf(level, off.size, q**5) <= done.missed[0] <= stats.binom.isf(level, off.size, q**5)
    reads = off.size * (1 - q**5) / (1 - q)
    assert abs(float(done.reads[0]) - reads) < stats.norm.isf(level) * (q * off.size) ** 0.5 / (1 - q)


def test_steps_spread_from_pulse_to_pulse_and_from_device_to_device() -> None:
    """From an exact start 40 steps away, one burst of 40 pulses: mean 40, variance 40 c2c^2 + (40 d2d)^2."""
    table = ((0.0, -0.4, 0.0), (1.0, -0.4, 0.0))
    settings = Verify(tolerance=0.001, step=0.01, pulses=40, iterations=1, c2c=0.5, d2d=0.05)
    _, off, _ = written(settings, WriteError("levels", table=table))
    steps = off[0] / 0.01 + 40
    variance = 40 * 0.5**2 + (40 * 0.05) ** 2
    level = stats.norm.isf(ALARM / 4)
    assert abs(steps.mean() - 40) < level * (variance / steps.size) ** 0.5
    assert abs(steps.var() / variance - 1) < level * (2 / steps.size) ** 0.5


def test_stuck_devices_are_tried_until_the_end_and_stay() -> None:
    verify = Verify(tolerance=0.02, iterations=5, pulses=3, **EXACT)
    done, off, one = written(verify, WriteError(), faults=StuckFaults(0.1, 0.0))
    stuck = (one.stuck != 0).flatten().numpy()
    far = stuck & (np.abs(off[0]) > 0.02)
    assert done.missed[0] == far.sum()
    assert not off[0][~stuck].any()
    assert done.pulses[0] - stuck.size <= 15 * far.sum()
    assert done.pulses[0] - stuck.size > 14 * far.sum()


def test_settings_may_differ_between_chips() -> None:
    verify = Verify(tolerance=(0.005, 0.05), step=0.01, pulses=100, read_noise=(0.0, 0.0), **EXACT)
    done, off, _ = written(verify, WriteError("additive", c2c=0.1), chips=2)
    assert np.abs(off[0]).max() < 0.0051
    assert 0.04 < np.abs(off[1]).max() < 0.0501
    assert done.pulses[0] > done.pulses[1]
