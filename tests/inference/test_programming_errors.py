"""Levels and errors of a write against closed forms and another simulator; bounds are two-sided."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from inference.programmed_models import draw
from mho.inference import Conductances, WriteError, preset

OTHER = json.loads((Path(__file__).parents[1] / "data/programming_statistics.json").read_text())
WINDOW = Conductances(g_min=20e-6, g_max=60e-6)
ALARM = 1e-3  # false-alarm rate of each test, over all of its numbers
N = 40_000


def targets(*siemens: float, chips: int = 1) -> torch.Tensor:
    """Return N devices for each conductance, (chips, 1, conductances, N)."""
    return torch.tensor(siemens).reshape(1, 1, -1, 1).expand(chips, 1, len(siemens), N).contiguous()


def check(values: np.ndarray, mean: float, sigma: float, tests: int) -> None:
    """Fail unless mean and standard deviation of normal values are these, at ALARM over so many tests."""
    level = ALARM / 4 / tests
    assert abs(values.mean() - mean) < stats.norm.isf(level) * sigma / len(values) ** 0.5
    ratio = values.var(ddof=1) / sigma**2 * (len(values) - 1)
    assert stats.chi2.ppf(level, len(values) - 1) < ratio < stats.chi2.isf(level, len(values) - 1)


def written(error: WriteError, g: torch.Tensor, call: int = 0, **options) -> np.ndarray:
    chips = tuple(range(g.shape[0]))
    return error.written(g, WINDOW, draw(chips, **options), call)[:, 0].double().numpy()


@pytest.mark.parametrize(("c2c", "d2d"), [(0.05, 0.0), (0.0, 0.03), (0.04, 0.03)])
def test_moments_of_each_model(c2c: float, d2d: float) -> None:
    sigma, g = float(np.hypot(c2c, d2d)), (25e-6, 50e-6)
    forms = {
        "additive": (lambda v, t: v, lambda t: t, lambda t: sigma * 40e-6),
        "multiplicative": (lambda v, t: v, lambda t: t, lambda t: sigma * t),
        "log-normal": (lambda v, t: np.log(v / t), lambda t: 0.0, lambda t: sigma),
    }
    for model, (seen, mean, spread) in forms.items():
        out = written(WriteError(model, c2c, d2d), targets(*g))
        for values, t in zip(out[0], g, strict=True):
            check(seen(values, t), mean(t), spread(t), 18)


def test_a_polynomial_is_the_spread_over_the_target() -> None:
    g = (20e-6, 40e-6, 60e-6)
    out = written(WriteError("polynomial", c2c=1.0, coefficients=(0.01, 0.05, -0.03)), targets(*g))
    for values, t in zip(out[0], g, strict=True):
        x = t / 60e-6
        check(values, t, (0.01 + 0.05 * x - 0.03 * x**2) * 60e-6, 3)


def test_a_table_is_read_along_lines() -> None:
    table = ((0.0, 0.05, 0.02), (0.5, 0.0, 0.04), (1.0, -0.1, 0.01))
    out = written(WriteError("levels", c2c=1.0, table=table), targets(20e-6, 30e-6, 40e-6, 55e-6, 60e-6))
    wanted = [(0.05, 0.02), (0.025, 0.03), (0.0, 0.04), (-0.075, 0.0175), (-0.1, 0.01)]
    for values, t, (mean, sigma) in zip(out[0], (20e-6, 30e-6, 40e-6, 55e-6, 60e-6), wanted, strict=True):
        check(values, t + mean * 40e-6, sigma * 40e-6, 5)
    beyond = WriteError("levels", table=table).written(targets(10e-6, 70e-6), WINDOW, draw())[0, 0, :, 0]
    torch.testing.assert_close(beyond, torch.tensor([10e-6 + 2e-6, 70e-6 - 4e-6]), rtol=1e-5, atol=0)
    alone = WriteError("levels", table=((0.3, 0.5, 0.0),)).written(targets(40e-6), WINDOW, draw())[0, 0, 0, 0]
    assert float(alone) == pytest.approx(60e-6)
    steep = WriteError("levels", table=((0.5, 0.0, 0.0), (0.5 + 1e-12, 0.3, 0.0), (0.75, 0.3, 0.0), (1.0, 0.1, 0.0)))
    found = steep.written(targets(39e-6, 40e-6, 45e-6, 55e-6), WINDOW, draw())[0, 0, :, 0]
    torch.testing.assert_close(found[[0, 2, 3]], torch.tensor([39e-6, 45e-6 + 12e-6, 55e-6 + 8e-6]), rtol=1e-5, atol=0)
    assert torch.isfinite(found).all()


def test_agrees_with_another_simulator_on_phase_change_memory() -> None:
    settings = preset("pcm")
    g = [1e-6 * v for v in OTHER["g_target"]]
    out = settings.error.written(targets(*g), settings.conductances, draw())[0, 0].double().numpy() * 1e6
    limit = stats.norm.isf(ALARM / 4 / len(g))
    theirs = OTHER["programmed"]
    for k, values in enumerate(out):
        spread = values.std(ddof=1)
        error = np.hypot(theirs["se_mean"][k], spread / N**0.5)
        assert abs(values.mean() - theirs["mean"][k]) < limit * error
        kurtosis = stats.kurtosis(values, fisher=False)  # at 0 siemens half of the devices are clipped
        error = np.hypot(theirs["se_std"][k] * ((kurtosis - 1) / 2) ** 0.5, spread * ((kurtosis - 1) / 4 / N) ** 0.5)
        assert abs(spread - theirs["std"][k]) < limit * error


def test_what_a_device_keeps_and_what_is_drawn_anew() -> None:
    error = WriteError("additive", c2c=0.03, d2d=0.04)
    g = targets(40e-6)
    first, again, other = (written(error, g, call)[0, 0] / 40e-6 for call in (0, 0, 1))
    assert (first == again).all()
    covariance = np.cov(first, other)
    limit = stats.norm.isf(ALARM / 2) * np.sqrt((0.0025**2 + 0.0016**2) / N)
    assert abs(covariance[0, 1] - 0.04**2) < limit
    elsewhere = written(error, g, name="other tile")[0, 0] / 40e-6
    assert abs(np.cov(first, elsewhere)[0, 1]) < stats.norm.isf(ALARM / 2) * 0.0025 / N**0.5


def test_spreads_may_differ_between_chips() -> None:
    out = written(WriteError("multiplicative", c2c=(0.0, 0.1), d2d=(0.2, 0.0)), targets(40e-6, chips=2))
    for values, sigma in zip(out[:, 0], (0.2, 0.1), strict=True):
        check(values, 40e-6, sigma * 40e-6, 2)


def test_conductances_are_not_negative() -> None:
    for model in ("additive", "multiplicative"):
        out = written(WriteError(model, c2c=1.0), targets(1e-6))
        assert out.min() == 0.0
        assert 0.1 < (out == 0.0).mean() < 0.6
    assert WriteError().written(targets(1e-6), WINDOW, draw()).unique().tolist() == [pytest.approx(1e-6)]


def test_weights_with_the_error_of_a_write_for_training_with_noise() -> None:
    """w (1 + n) of a pair whose other device is at 0 siemens, and w + (n+ - n-) of additive errors."""
    weights = torch.linspace(-0.9, 0.9, 7).reshape(1, 7, 1).expand(1, 7, N).contiguous()
    kept = weights.clone()
    out = WriteError("multiplicative", c2c=0.1).apply(weights, draw())[0].double().numpy()
    for values, w in zip(out, weights[0, :, 0].tolist(), strict=True):
        if abs(w) > 1e-6:
            check(values, w, 0.1 * abs(w), 7)
    out = WriteError("additive", c2c=0.01).apply(weights, draw(), conductances=WINDOW, call=3)[0].double().numpy()
    for values, w in zip(out, weights[0, :, 0].tolist(), strict=True):
        check(values, w, 0.01 * 2**0.5, 7)
    assert torch.equal(weights, kept)
    assert not np.array_equal(
        out, WriteError("additive", c2c=0.01).apply(weights, draw(), conductances=WINDOW)[0].numpy()
    )


@given(st.integers(2, 300), st.lists(st.floats(-1.5, 1.5, width=32), min_size=1, max_size=20))
def test_levels_are_an_even_grid_with_both_ends(levels: int, values: list[float]) -> None:
    weights = torch.tensor([-1.0, 1.0, *values]).reshape(1, 1, -1)
    found = Conductances(levels=levels).quantised(weights)[0, 0].double()
    grid = torch.linspace(-1, 1, levels, dtype=torch.float64)
    nearest = (found[:, None] - grid).abs().min(1)
    assert nearest.values.max() < 1e-6
    clipped = weights[0, 0].double().clamp(-1, 1)
    assert (found - clipped).abs().max() <= 1 / (levels - 1) + 1e-6
    assert found[:2].tolist() == [pytest.approx(-1), pytest.approx(1)]


def test_all_levels_are_used() -> None:
    found = Conductances(levels=16).quantised(torch.linspace(-1, 1, 5000).reshape(1, 1, -1))
    assert len(found.unique()) == 16
    assert 0.0 not in found  # an even number of levels has none at 0


@given(
    st.sampled_from(["pair", "offset", "single"]), st.floats(0, 1e-4), st.floats(1e-7, 1e-4),
    st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=8),
)  # fmt: skip
def test_weights_come_back_from_siemens(layout: str, low: float, more: float, values: list[float]) -> None:
    settings = Conductances(layout, low, low + more)
    weights = torch.tensor(values).reshape(1, 1, -1)
    siemens = settings.to_siemens(weights)
    assert siemens.shape == (1, settings.devices, 1, len(values) + (layout == "offset"))
    assert siemens.min() >= low * (1 - 1e-6)
    assert siemens.max() <= (low + more) * (1 + 1e-6)
    tolerance = 1e-6 * (low + more) / more + 1e-6
    torch.testing.assert_close(settings.to_weights(siemens), weights, rtol=0, atol=4 * tolerance)
