"""Weights drawn by writing pairs: their means and spreads are those that were asked for.

Statistical tests are two-sided, each with a false-alarm rate of 1e-4 over all the weights it looks at (Bonferroni), at
fixed seeds.
"""

from __future__ import annotations

import math

import pytest
import torch
from scipy.stats import chi2, kurtosis, norm

from mho.errors import ConfigError, ShapeError
from mho.inference.conductances import Conductances
from mho.inference.errors import WriteError
from mho.inference.sampling import PairSampler, measured

ALARM = 1e-4
SAMPLES = 4000
MEAN = torch.tensor([[0.0, 0.1, -0.2], [0.05, -0.3, 0.25]])
STD = torch.tensor([[0.1, 0.08, 0.1], [0.03, 0.12, 0.07]])
POLYNOMIAL = WriteError("polynomial", c2c=1.0, coefficients=(0.005, 0.15))


def sampler(error: WriteError, std: torch.Tensor = STD, chips: tuple[int, ...] = (0,)) -> PairSampler:
    """Return a sampler of six weights."""
    return PairSampler(error, MEAN, std, chips=chips, name="a", seed=3)


@pytest.mark.parametrize(
    "error", [WriteError("multiplicative", c2c=0.2), WriteError("log-normal", c2c=0.2), POLYNOMIAL]
)
def test_means_and_spreads_are_those_asked_for(error: WriteError) -> None:
    """The characteristic is known to about 0.8 %: that much more is allowed, beside the noise of the samples."""
    one = sampler(error)
    drawn = torch.stack([one.sample(k)[0] for k in range(SAMPLES)]).double()
    z = norm.ppf(1 - ALARM / (2 * MEAN.numel())) / math.sqrt(SAMPLES)
    assert one.missed == 0
    assert ((drawn.mean(0) - MEAN).abs() < (z + 0.01) * STD).all()
    assert (drawn.std(0) / STD - 1).abs().max() < z / math.sqrt(2) * (1 + kurtosis(drawn[:, 0, 2]) / 2) ** 0.5 + 0.02


def test_a_spread_below_what_the_mean_scatters_is_missed_and_the_mean_kept() -> None:
    one = sampler(WriteError("multiplicative", c2c=0.3), torch.full_like(STD, 0.001))
    found = one.spreads
    assert one.missed == pytest.approx(5 / 6), "only the weight of mean 0 can be as quiet as that"
    assert found.flatten().tolist() == pytest.approx((0.3 * MEAN.abs()).flatten().tolist(), rel=0.02, abs=1e-3)


def test_samples_are_independent_of_one_another_and_of_other_weights() -> None:
    one = sampler(WriteError("multiplicative", c2c=0.2))
    drawn = torch.stack([one.sample(k)[0].flatten() for k in range(SAMPLES)]).double()
    z = (drawn - drawn.mean(0)) / drawn.std(0)
    both = torch.cat((z[1:].T @ z[:-1], z.T @ z - SAMPLES * torch.eye(6))) / SAMPLES
    off = both.abs().max() * math.sqrt(SAMPLES)
    assert off < norm.ppf(1 - ALARM / (2 * (36 + 15))), f"a correlation of {float(off):.1f} standard errors"


def test_device_to_device_spread_shifts_means_by_as_much_as_the_pair_is_written() -> None:
    """A pair at levels g has its mean shifted by d2d sqrt(g+^2 + g-^2): by d2d / c2c of its spread."""
    chips = tuple(range(400))
    one = sampler(WriteError("multiplicative", c2c=0.2, d2d=0.05), chips=chips)
    means = torch.stack([one.sample(k) for k in range(20)]).double().mean(0)
    ratio = (0.25**2 + 1 / 20) * len(chips)
    low, high = chi2.ppf([ALARM / 12, 1 - ALARM / 12], len(chips)) * ratio / len(chips)
    found = ((means - MEAN) / STD).square().sum(0)
    assert ((found > 0.96 * low) & (found < 1.04 * high)).all()


def test_a_chip_alone_draws_what_it_draws_among_others() -> None:
    error = WriteError("log-normal", c2c=0.2, d2d=0.1)
    many, alone = sampler(error, chips=(0, 1, 5)), sampler(error, chips=(5,))
    assert torch.equal(many.sample(7)[2], alone.sample(7)[0])
    assert not torch.equal(alone.sample(7), alone.sample(8))
    assert many.devices == 12


def test_the_characteristic_of_a_log_normal_write_is_the_known_one() -> None:
    curve = measured(WriteError("log-normal", c2c=0.3, d2d=0.5), Conductances())
    mean, spread = math.exp(0.045), math.exp(0.045) * math.sqrt(math.exp(0.09) - 1)
    error = norm.ppf(1 - ALARM / 2) / 128
    assert curve.mean.tolist() == pytest.approx((curve.target * mean).tolist(), abs=error * spread)
    assert curve.spread.tolist() == pytest.approx((curve.target * spread).tolist(), rel=1.5 * error)


def test_errors_that_cannot_be_a_source_of_spread_are_refused() -> None:
    with pytest.raises(ConfigError, match="differs from write to write"):
        sampler(WriteError("multiplicative", d2d=0.1))
    with pytest.raises(ConfigError, match="one value per chip"):
        sampler(WriteError("multiplicative", c2c=(0.1, 0.2)))
    with pytest.raises(ConfigError, match="does not rise"):
        sampler(WriteError("levels", c2c=1.0, table=((0.0, 0.0, 0.1), (1.0, -1.0, 0.1))))
    with pytest.raises(ShapeError, match=r"means \(2, 3\) and spreads \(3,\)"):
        sampler(WriteError("multiplicative", c2c=0.1), torch.ones(3))
