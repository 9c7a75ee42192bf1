"""Ageing against its closed forms: drift, retention, temperature, noise.

Statistical checks are two-sided, and each says how often it would fail by chance.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from mho.errors import ConfigError, MhoError
from mho.inference.ageing import Chip, aged, exponents
from mho.inference.ageing_settings import (
    BOLTZMANN,
    PCM,
    ROOM,
    Ageing,
    Drift,
    FlickerNoise,
    ReadNoise,
    Retention,
    Temperature,
)  # fmt: skip
from mho.tiles.draw import TileDraw

G_MAX = 25e-6
SHAPE = (2, 300, 250)
"""Devices of a pair, rows, columns: 150,000 devices a chip."""
YEAR = 365.25 * 86400.0
FIVE_SIGMA = 5.0
"""Means and variances may differ from theirs by so many standard errors: one of 1.7 million checks does by chance."""


def draw_of(*chips: int, shape: tuple[int, int, int] = SHAPE) -> TileDraw:
    return TileDraw(3, chips or (0,), "fc1[0,0]", shape)


def written(x: float, chips: int = 1) -> Tensor:
    return torch.full((chips, *SHAPE), x * G_MAX)


def age(conductance: Tensor, ageing: Ageing, seconds: float, *, target: Tensor | None = None, **more: Any) -> Tensor:
    draw = more.pop("draw", None) or draw_of(*range(conductance.shape[0]))
    wanted = conductance if target is None else target
    return aged(conductance, wanted, ageing, seconds=seconds, draw=draw, g_max=G_MAX, **more)


def close(found: Tensor, expected: Tensor) -> None:
    """Fail where conductances differ by more than 1e-5 of themselves; torch's own tolerance is larger than they are."""
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=0.0)


def check_moments(found: Tensor, mean: float, std: float) -> None:
    """Fail where mean or standard deviation of normal draws are off by more than five standard errors."""
    values = found.double().flatten()
    n = values.numel()
    assert abs(float(values.mean()) - mean) < FIVE_SIGMA * std / math.sqrt(n)
    assert abs(float(values.std()) / std - 1) < FIVE_SIGMA / math.sqrt(2 * n)


def test_nothing_ages_by_default() -> None:
    g = written(0.4)
    assert age(g, Ageing(), 10 * YEAR) is g


@pytest.mark.parametrize("seconds", [0.0, 1.0, 3600.0, 10 * YEAR])
def test_a_drift_of_one_exponent_is_a_power_law(seconds: float) -> None:
    found = age(written(0.5), Ageing(drift=Drift(nu=0.06), t0=20.0), seconds)
    expected = 0.5 * G_MAX * ((seconds + 20.0) / 20.0) ** -0.06
    close(found, torch.full_like(found, expected))


@pytest.mark.parametrize(("x", "mean", "std"), [(1.0, 0.049, 0.008), (0.05, 0.0708, 0.0315), (0.0005, 0.1, 0.045)])
def test_exponents_of_pcm_follow_the_targeted_conductance(x: float, mean: float, std: float) -> None:
    """Values by hand from the published formula: both clamps, and between them.

    The exponents are folded at 0, where for x = 0.0005 and 0.05 one of 76 and of 81 devices lies, so the mean of
    abs(mu + s xi) is compared, whose closed form is that of the folded normal.
    """
    found = exponents(torch.full(SHAPE, x), PCM.drift, Chip(draw_of().keys, 0, 1))
    z = mean / std
    folded = std * math.sqrt(2 / math.pi) * math.exp(-(z**2) / 2) + mean * math.erf(z / math.sqrt(2))
    spread = math.sqrt(mean**2 + std**2 - folded**2)
    assert abs(float(found.double().mean()) - folded) < FIVE_SIGMA * spread / math.sqrt(found.numel()) + 5e-5
    assert abs(float(found.double().std()) / spread - 1) < 0.01
    assert float(found.min()) >= 0


def test_exponents_belong_to_the_device() -> None:
    ageing = Ageing(drift=Drift(nu=0.05, std=0.01))
    first, later = age(written(0.5), ageing, 100.0, call=1), age(written(0.5), ageing, 1e6, call=2)
    nu = -torch.log(first.double() / (0.5 * G_MAX)) / math.log(120.0 / 20.0)
    again = -torch.log(later.double() / (0.5 * G_MAX)) / math.log((1e6 + 20.0) / 20.0)
    torch.testing.assert_close(nu, again, rtol=0.0, atol=1e-6)
    check_moments(nu, 0.05, 0.01)


def test_drift_depends_on_the_target_and_not_on_what_was_written() -> None:
    ageing = Ageing(drift=PCM.drift)
    one, two = age(written(0.5), ageing, 1e4, target=written(0.2)), age(written(0.25), ageing, 1e4, target=written(0.2))
    close(one, 2 * two)


@pytest.mark.parametrize(("x", "seconds"), [(1.0, 3600.0), (0.2, 0.0), (0.001, 3600.0)])
def test_flicker_noise_of_pcm(x: float, seconds: float) -> None:
    """sigma = g min(0.2, 0.0088 / x^0.65) sqrt(ln((t + t0 + t_r) / (2 t_r))), and 0 below where it is clipped."""
    share = min(0.2, 0.0088 / max(x**0.65, 1e-3)) * math.sqrt(math.log((seconds + 20 + 250e-9) / (2 * 250e-9)))
    found = age(written(x), Ageing(flicker=PCM.flicker), seconds, call=7) / (x * G_MAX)
    if share < 0.15:
        check_moments(found, 1.0, share)
    else:  # beyond 5 sigma of no noise, some are clipped: quantiles are as of the normal distribution
        middle = torch.quantile(found.flatten().double(), torch.tensor([0.5, 0.8413447]).double())
        assert abs(float(middle[0]) - 1) < FIVE_SIGMA * share * 1.2533 / math.sqrt(found.numel())
        assert abs(float(middle[1]) - 1 - share) < FIVE_SIGMA * share * 1.6 / math.sqrt(found.numel())
        assert float(found.min()) == 0.0


def test_flicker_noise_is_of_the_programmed_size_and_the_drifted_conductance() -> None:
    """Its share is that of x as programmed; it multiplies the conductance at that time."""
    one = age(written(0.5), Ageing(flicker=FlickerNoise(0.01, power=1.0)), 1e5, call=1)
    drift = Ageing(drift=Drift(nu=0.1), flicker=FlickerNoise(0.01, power=1.0))
    close(age(written(0.5), drift, 1e5, call=1), one * ((1e5 + 20) / 20) ** -0.1)


def test_read_noise() -> None:
    noise = Ageing(read_noise=ReadNoise(relative=0.03, absolute=1e-7))
    check_moments(age(written(0.8), noise, 5.0) / G_MAX, 0.8, 0.03 * 0.8 + 1e-7 / G_MAX)


def test_noise_is_new_at_every_call_and_the_same_for_a_call() -> None:
    noise = Ageing(read_noise=ReadNoise(0.05), flicker=FlickerNoise(0.01))
    one, two, again = (age(written(0.5), noise, 60.0, call=call) for call in (1, 2, 1))
    assert torch.equal(one, again)
    pairs = torch.stack([one.flatten(), two.flatten()]).double()
    n = pairs.shape[1]
    assert abs(float(torch.corrcoef(pairs)[0, 1])) < FIVE_SIGMA / math.sqrt(n)


def test_the_two_noises_are_independent() -> None:
    white = age(written(0.5), Ageing(read_noise=ReadNoise(0.05)), 60.0)
    slow = age(written(0.5), Ageing(flicker=FlickerNoise(0.01)), 60.0)
    pairs = torch.stack([white.flatten(), slow.flatten()]).double()
    assert abs(float(torch.corrcoef(pairs)[0, 1])) < FIVE_SIGMA / math.sqrt(pairs.shape[1])


@pytest.mark.parametrize("beta", [1.0, 0.5])
def test_retention_loss_goes_towards_rest(beta: float) -> None:
    loss = Ageing(retention=Retention(time=1e6, rest=2e-6, beta=beta))
    for seconds in (0.0, 3e5, 1e9):
        expected = 2e-6 + (0.5 * G_MAX - 2e-6) * math.exp(-((seconds / 1e6) ** beta))
        found = age(written(0.5), loss, seconds)
        close(found, torch.full_like(found, expected))
    low = age(torch.zeros(1, *SHAPE), loss, 1e9)
    close(low, torch.full_like(low, 2e-6))


def test_time_constants_are_log_normal_and_belong_to_the_device() -> None:
    loss = Ageing(retention=Retention(time=1e6, spread=0.7))
    for seconds, call in ((2e5, 1), (4e5, 2)):
        left = age(written(0.5), loss, seconds, call=call).double() / (0.5 * G_MAX)
        tau = (-seconds / torch.log(left)).log()
        if call == 1:
            first = tau
            inner = left[(left > 1e-5) & (left < 1 - 1e-5)]
            assert inner.numel() / left.numel() > 0.99
            check_moments(tau.clamp(math.log(1e6) - 4.5 * 0.7, math.log(1e6) + 4.5 * 0.7), math.log(1e6), 0.7)
    torch.testing.assert_close(first, tau, rtol=0.0, atol=0.02)


def test_arrhenius() -> None:
    """At 85 degrees and 1.1 eV, a retention loss is as far as at room temperature after exp(E/k (1/300 - 1/358.15))."""
    hot = Temperature(profile=((0.0, 358.15),))
    faster = math.exp(1.1 / BOLTZMANN * (1 / ROOM - 1 / 358.15))
    assert faster == pytest.approx(1000, rel=0.01)
    loss = Retention(time=1e8, rest=1e-6, activation=1.1)
    found = age(written(0.5), Ageing(retention=loss, temperature=hot), 1e5)
    close(found, age(written(0.5), Ageing(retention=loss), 1e5 * faster))
    assert hot.equivalent(50.0, 0.0) == 50.0
    drift = Ageing(drift=Drift(nu=0.05, activation=0.3), temperature=hot)
    slow = math.exp(0.3 / BOLTZMANN * (1 / ROOM - 1 / 358.15))
    close(age(written(0.5), drift, 50.0), age(written(0.5), Ageing(drift=Drift(0.05)), 50 * slow))


def test_a_hot_day_counts_for_itself() -> None:
    profile = Temperature(profile=((0.0, 300.0), (100.0, 400.0), (150.0, 300.0)))
    pace = math.exp(-0.5 / BOLTZMANN * (1 / 400.0 - 1 / 300.0))
    assert profile.equivalent(80.0, 0.5) == 80.0
    assert profile.equivalent(120.0, 0.5) == pytest.approx(100 + 20 * pace)
    assert profile.equivalent(1000.0, 0.5) == pytest.approx(100 + 50 * pace + 850)
    assert [profile.at(t) for t in (0, 99, 100, 149, 150, 1e9)] == [300, 300, 400, 400, 300, 300]


def test_conduction_depends_on_the_temperature_of_the_reading() -> None:
    warm = Temperature(profile=((0.0, 300.0), (60.0, 330.0)), conduction=0.2)
    ageing = Ageing(temperature=warm)
    assert torch.equal(age(written(0.5), ageing, 59.0), written(0.5))
    raised = math.exp(-0.2 / BOLTZMANN * (1 / 330 - 1 / 300))
    assert raised == pytest.approx(2.02, abs=0.01)
    close(age(written(0.5), ageing, 60.0), written(0.5) * raised)


def test_steps_in_time_compose() -> None:
    """Drift and loss at t2 are the same, whether t1 was looked at or not; the profile counts as a whole."""
    hot = Temperature(profile=((0.0, 300.0), (500.0, 380.0)))
    ageing = Ageing(drift=PCM.drift, retention=Retention(1e5, spread=0.3, rest=1e-6, activation=0.4), temperature=hot)
    for call, seconds in enumerate((1.0, 400.0, 600.0)):
        age(written(0.5), ageing, seconds, call=call)
    assert torch.equal(age(written(0.5), ageing, 1e4, call=9), age(written(0.5), ageing, 1e4, call=1))


def test_an_exponential_loss_composes_from_what_is_left() -> None:
    loss = Ageing(retention=Retention(time=1e5, rest=3e-6))
    halfway = age(written(0.5), loss, 4e4)
    close(age(halfway, loss, 6e4), age(written(0.5), loss, 1e5))


def test_a_chip_alone_ages_as_among_many() -> None:
    ageing = replace(PCM, retention=Retention(1e6, spread=0.5), read_noise=ReadNoise(0.02))
    many = age(written(0.3, 4), ageing, 1e5, call=3, draw=draw_of(4, 5, 6, 7))
    alone = age(written(0.3), ageing, 1e5, call=3, draw=draw_of(6))
    assert torch.equal(many[2:3], alone)
    assert not torch.equal(many[1], many[2])


def test_settings_may_differ_between_chips() -> None:
    ageing = Ageing(drift=Drift(nu=(0.0, 0.05)), read_noise=ReadNoise((0.0, 0.1)))
    found = age(written(0.5, 2), ageing, 1e4)
    assert torch.equal(found[0], written(0.5)[0])
    check_moments(found[1] / (0.5 * G_MAX * ((1e4 + 20) / 20) ** -0.05), 1.0, 0.1)
    with pytest.raises(ConfigError, match="list of 2 values over chips"):
        age(written(0.5, 3), ageing, 1e4)


def test_what_is_given_stays() -> None:
    g = written(0.5)
    age(g, replace(PCM, read_noise=ReadNoise(0.5)), 1e4)
    assert torch.equal(g, written(0.5))


def test_conductances_are_not_negative() -> None:
    assert float(age(written(0.1), Ageing(read_noise=ReadNoise(1.0)), 1.0).min()) == 0.0


@pytest.mark.parametrize("seconds", [-1.0, math.nan, math.inf])
def test_a_time_that_cannot_be(seconds: float) -> None:
    with pytest.raises(MhoError, match=r"from 0 s on, found .* give the seconds since programming"):
        age(written(0.5), PCM, seconds)


BAD = [
    (lambda: Drift(std=-0.1), "std: is a standard deviation and cannot be negative, found -0.1"),
    (lambda: Drift(nu=math.nan), "nu: expected a finite number or a list of numbers, one per chip, found nan"),
    (lambda: Drift(nu_low=0.2, nu_high=0.1), "nu_low: is 0.2, above nu_high = 0.1; exchange them"),
    (lambda: Drift(activation=-1.0), "activation: cannot be negative"),
    (lambda: ReadNoise(relative=-0.1), "relative: cannot be negative"),
    (lambda: ReadNoise(absolute=(0.0, math.inf)), "absolute: expected a finite number"),
    (lambda: FlickerNoise(t_read=0.0), "t_read: is the time of one reading in seconds, above 0, found 0"),
    (lambda: Retention(time=0.0), 'time: is a time constant .* retention = "none" has no loss'),
    (lambda: Retention(time=1.0, beta=1.5), "beta: is above 0 and at most 1, found 1.5"),
    (lambda: Temperature(((0.0, 300.0), (50.0, 310.0), (20.0, 300.0))), "goes backwards: 20 s after 50 s"),
    (lambda: Temperature(((10.0, 300.0),)), "begins at 0 seconds, found 10"),
    (lambda: Temperature(((0.0, -5.0),)), "in kelvin, above 0"),
    (lambda: Temperature(()), r"lists \[seconds, kelvin\] from 0 on, found none; give \[\[0, 300\]\]"),
    (lambda: Temperature(((0.0, 300.0, 1.0),)), "profile: expected a list, each "),  # type: ignore[arg-type]
    (lambda: Ageing(drift=0.05), "drift: expected a table of nu, "),  # type: ignore[arg-type]
    (lambda: Temperature(reference=0.0), "reference: is in kelvin"),
    (lambda: Ageing(t0=0.0), "t0: is the time from programming to the first read"),
]


@pytest.mark.parametrize(("make", "says"), BAD, ids=[says for _, says in BAD])
def test_settings_that_cannot_be(make: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        make()


def test_whether_calls_differ() -> None:
    assert PCM.noisy
    assert not Ageing(drift=Drift(0.05)).noisy
    assert Ageing(read_noise=ReadNoise(absolute=1e-9)).noisy
