"""Pulses have the distribution that the update rule says, and that an independent simulator has.

Every check is two-sided with a false-alarm rate of 1e-5 over all its cells (Bonferroni), for fresh seeds; the
seeds are fixed, so that a failure is a change. Chips serve as independent repeats: each draws its own words.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from kernels.cases import make_keys
from mho.devices import ConstantStep, Device, Spread, law, where
from mho.kernels import cpu
from mho.kernels.cells import Cells, Samples, Scheme

FALSE_ALARM = 1e-5
KIT = json.loads((Path(__file__).parents[1] / "data" / "update_statistics.json").read_text())


class Counting(Device):
    """Goes up or down by one: the state is the signed number of pulses."""

    dw_min: Spread = Spread(1.0)

    def cells(self, draw):
        return {"dw": draw(self.dw_min)}

    @law
    def pulse(w, up, xi, dw):
        return w + where(up, dw, -dw)


def counted(x, d, gain, scheme, repeats, *, at_once=500, seed=1):
    """Return signed pulse counts (repeats, rows, columns) of one sample, one independent chip a repeat."""
    found = []
    for first in range(0, repeats, at_once):
        n = min(at_once, repeats - first)
        state = torch.zeros(n, 1, len(d), len(x))
        totals = torch.zeros(n, dtype=torch.int64)
        cells = Cells(Counting, state, {"dw": torch.ones(n)}, totals)
        words = np.random.default_rng((seed, first)).integers(0, 2**32, (n, 5, 2), dtype=np.uint32)
        keys = torch.from_numpy(words.view(np.int32))
        values = (torch.tensor(np.tile(np.float32(v), (n, 1, 1))) for v in (x, d))
        samples = Samples(*values, torch.full((n,), float(gain)), keys, 0)
        cpu.pulse_update_(cells, samples, scheme, cpu.rates(samples, scheme), None)
        assert (totals == state.abs().sum((1, 2, 3)).to(torch.int64)).all()
        found.append(state[:, 0].numpy())
    return np.concatenate(found)


def largest_z(n):
    """Return the abs(z) that the largest of n normal numbers exceeds with probability FALSE_ALARM."""
    return stats.norm.isf(FALSE_ALARM / n / 2)


def check_z(difference, error, what=""):
    """Fail when any difference is too many standard errors from 0."""
    z = np.abs(difference) / np.maximum(error, 1e-12)
    assert z.max() < largest_z(z.size), f"{what}: largest z {z.max():.2f} of {z.size}"


def probabilities(x, d, gain, scheme):
    """Return BL and the probability of a coincidence in every cell, from the formulas of the update rule."""
    x_max, d_max = np.abs(x).max(), np.abs(d).max()
    length = min(scheme.bl, max(1, int(np.ceil(gain * x_max * d_max)))) if scheme.managed else scheme.bl
    share = np.sqrt(d_max / x_max) if scheme.balanced else 1.0
    k = np.sqrt(gain / length)
    return length, np.minimum(1, k * share * np.abs(x)), np.minimum(1, k / share * np.abs(d))


GENERATOR = np.random.default_rng(5)
X = np.round(GENERATOR.uniform(-1, 1, 12), 3)
D = np.round(GENERATOR.normal(0, 0.4, 9), 3)
X[3] = D[4] = 0.0
SCHEMES = [
    Scheme(bl=1, managed=False),
    Scheme(bl=10, managed=False, balanced=False),
    Scheme(bl=31, managed=False),
    Scheme(bl=31, managed=True),
    Scheme(bl=64, managed=False, balanced=False),
]


@pytest.mark.parametrize("scheme", SCHEMES, ids=str)
@pytest.mark.parametrize("gain", [0.5, 10.0])
def test_counts_are_binomial(scheme, gain):
    repeats = 4000
    counts = counted(X, D, gain, scheme, repeats)
    length, p_x, p_d = probabilities(X, D, gain, scheme)
    p = np.outer(p_d, p_x)
    variance = length * p * (1 - p)
    mean = -np.sign(np.outer(D, X)) * length * p
    check_z(counts.mean(0) - mean, np.sqrt(variance / repeats), "mean")
    # The sample variance of a binomial has variance (mu4 - var^2) / n, mu4 = var (1 + 3 (BL - 2) p q).
    # Rare pulses are left out: there it is not normal.
    fourth = variance * (1 + 3 * (length - 2) * p * (1 - p))
    often = variance * repeats > 200
    error = np.sqrt((fourth - variance**2)[often] / repeats)
    check_z(counts.var(0)[often] - variance[often], error, "variance")
    assert often.sum() > 20
    # One train a row and one a column: counts in a column share its train, and so are correlated.
    size = np.abs(counts)
    together = size[:, :-1] * size[:, 1:]
    covariance = length * np.outer(p_d[:-1] * p_d[1:], p_x * (1 - p_x))
    product = (length * p)[:-1] * (length * p)[1:] + covariance
    often = product * repeats > 50
    check_z((together.mean(0) - product)[often], (together.std(0) / np.sqrt(repeats))[often], "same column")


@pytest.mark.parametrize(
    "scheme", [Scheme(bl=10, managed=False), Scheme(bl=31), Scheme(bl=31, balanced=False)], ids=str
)
def test_the_expected_update_is_minus_gain_d_x(scheme):
    gain, repeats = 2.0, 4000
    length, p_x, p_d = probabilities(X, D, gain, scheme)
    assert p_x.max() < 1
    assert p_d.max() < 1
    counts = counted(X, D, gain, scheme, repeats)
    exact = -gain * np.outer(D, X)
    p = np.abs(exact) / length
    check_z(counts.mean(0) - exact, np.sqrt(length * p * (1 - p) / repeats))


def test_the_check_sees_an_update_that_is_10_percent_too_large():
    counts = counted(X, D, 2.0, Scheme(bl=31), 4000)
    exact = -2.0 * np.outer(D, X)
    with pytest.raises(AssertionError):
        check_z(counts.mean(0) * 1.1 - exact, np.abs(exact) ** 0.5 / np.sqrt(4000))


def test_a_long_run_of_samples_moves_weights_by_the_sum_of_updates():
    """Samples one after another on one chip: independent over vectors and steps."""
    gain, batch, steps = 1.0, 50, 60
    scheme = Scheme(bl=31)
    cells = Cells(Counting, torch.zeros(1, 1, 9, 12), {"dw": torch.ones(1)}, torch.zeros(1, dtype=torch.int64))
    x, d = (torch.tensor(np.tile(np.float32(v), (1, batch, 1))) for v in (X, D))
    for step in range(steps):
        samples = Samples(x, d, torch.tensor([gain]), make_keys(1), step)
        cpu.pulse_update_(cells, samples, scheme, cpu.rates(samples, scheme), None)
    exact = -gain * np.outer(D, X) * batch * steps
    length, p_x, p_d = probabilities(X, D, gain, scheme)
    p = np.outer(p_d, p_x)
    check_z(cells.state[0, 0].numpy() - exact, np.sqrt(length * p * (1 - p) * batch * steps))


@pytest.mark.parametrize("bl", [1, 7, 31, 64])
def test_deterministic_trains_pulse_the_nearest_whole_number_of_times_per_line(bl):
    scheme = Scheme(bl=bl, managed=False, deterministic=True)
    counts = np.abs(counted(X, D, 20.0, scheme, 1)[0])
    length, p_x, p_d = probabilities(X, D, 20.0, scheme)
    each = np.floor(p_d * length + 0.5)[:, None] * np.floor(p_x * length + 0.5) / length
    assert np.abs(counts - each).max() <= 1


KIT_CASES = [c for c in KIT["cases"] if c["fits"] != "balanced, x not clipped"]


def test_which_cases_of_the_simulator_are_compared():
    """Three of 18 are not: where BL cannot be long enough the simulator clips d only, mho clips both."""
    assert len(KIT["cases"]) - len(KIT_CASES) == 3
    assert {c["d_scale"] for c in KIT["cases"] if c not in KIT_CASES} == {1.0}


@pytest.mark.parametrize("number", range(len(KIT_CASES)))
def test_pulses_equal_those_of_an_independent_simulator(number):
    case, repeats = KIT_CASES[number], 2000
    # The simulator's BL management balances x and d even with update management off.
    scheme = Scheme(
        bl=case["desired_bl"],
        managed=case["update_bl_management"],
        balanced=case["update_management"] or case["update_bl_management"],
    )
    x, d = np.array(KIT["x"]), np.array(KIT["d_at_scale_1"]) * case["d_scale"]
    counts = counted(x, d, KIT["lr"] / KIT["dw_min"], scheme, repeats)
    mine = counts[:, case["cells"]["rows"]][:, :, case["cells"]["cols"]]
    theirs = {key: np.array(case["cells"][key]) for key in ("mean", "variance")}
    # One pulse in all repeats is the least that either side can resolve.
    error = np.sqrt(theirs["variance"] / case["repeats"] + mine.var(0) / repeats + 1 / repeats**2)
    check_z(mine.mean(0) - theirs["mean"], error, "mean")
    per_cell = np.abs(counts).mean((1, 2))
    error = np.hypot(case["pulses"]["se"], per_cell.std() / np.sqrt(repeats))
    check_z(per_cell.mean() - case["pulses"]["mean_per_cell"], error, "pulses per cell")


def test_granularity_of_constant_step_is_dw_min():
    assert ConstantStep(dw_min=0.002).granularity()[0] == pytest.approx(0.002)
