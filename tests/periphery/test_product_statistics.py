"""Mean and spread of products: against another simulator, and against what each noise should give.

Bounds are two-sided. Over seeds the false-alarm rate is as stated; with the seeds fixed a test always does the same.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from mho.periphery import Periphery
from periphery.products import kernel_product

OTHER = json.loads((Path(__file__).parents[1] / "data/forward_statistics.json").read_text())
REPEATS = 4000


@pytest.mark.parametrize("case", OTHER["cases"], ids=lambda c: "-".join(list(c.values())[:3]))
def test_agrees_with_another_simulator(case):
    """All 64 means and spreads agree; false-alarm rate 1e-3 a case (their errors have 39 degrees)."""
    x = np.array(OTHER["x"][case["x"]], np.float32)
    weights = torch.tensor(OTHER["W"])
    names = {"NONE": "none", "ABS_MAX": "max-abs", "ITERATIVE": "iterative"}
    config = Periphery(
        noise_management=names[case["noise_management"]], bound_management=names[case["bound_management"]]
    )
    out, product = kernel_product(config, weights[None], torch.from_numpy(x).expand(1, REPEATS, -1).contiguous())
    values = out[0].numpy().astype(np.float64)
    theirs = np.array(case["mean"]) + ties(weights.numpy(), x, config, product)
    limit = stats.t.isf(0.5e-3 / 128, 39)
    spread = values.std(axis=0, ddof=1)
    # The file's figures have 6 digits; an output held at the bound has no error at all.
    slack = 2e-6 * np.abs(theirs) + 1e-6
    error = np.hypot(case["se_mean"], spread / REPEATS**0.5)
    assert (np.abs(values.mean(axis=0) - theirs) <= limit * error + slack).all()
    error = np.hypot(case["se_std"], spread / (2 * REPEATS) ** 0.5)
    assert (np.abs(spread - case["std"]) <= limit * error + 1e-6).all()


def ties(weights, x, config, product):
    """Return how much more our outputs are than the kit's, whose DAC rounds ties towards 0 and ours to even."""
    if config.noise_management != "max-abs" or product.repeats == 0:
        return 0.0
    assert product.repeats == REPEATS  # one halving for every vector: the largest input is at 31.5 of 63 steps
    top = np.abs(x).argmax()
    return weights[:, top] * 2 * x[top] / 63


def check_moments(values, mean, variance, alarm=1e-3):
    """Fail unless mean and variance agree, two-sided, each at half the false-alarm rate over all columns."""
    n, columns = values.shape
    level = alarm / 4 / columns
    z = (values.mean(axis=0) - mean) / np.sqrt(variance / n)
    assert np.abs(z).max() < stats.norm.isf(level)
    ratio = values.var(axis=0, ddof=1) / variance * (n - 1)
    assert stats.chi2.ppf(level, n - 1) < ratio.min()
    assert ratio.max() < stats.chi2.isf(level, n - 1)


EXACT = {
    "dac_bits": None,
    "adc_bits": None,
    "output_bound": None,
    "output_noise": 0.0,
    "noise_management": "none",
}


def noisy(config, x, weights, repeats=20_000):
    x = torch.tensor(x, dtype=torch.float32).expand(1, repeats, -1).contiguous()
    return kernel_product(config, torch.tensor(weights, dtype=torch.float32)[None], x)[0][0].numpy().astype(float)


def test_output_noise_has_its_variance():
    weights = [[0.5, -0.25], [0.0, 0.0], [1.0, 1.0], [0.1, 0.0], [0.2, 0.0]]
    config = Periphery(**EXACT | {"output_noise": 0.06})
    check_moments(noisy(config, [0.5, 0.2], weights), np.array([0.2, 0, 0.7, 0.05, 0.1]), 0.06**2)


def test_output_noise_grows_with_the_scale():
    config = Periphery(
        **EXACT | {"output_noise": 0.06, "noise_management": "constant", "scale": 3.0, "input_range": 9.0}
    )
    check_moments(noisy(config, [0.5], [[1.0]]), 0.5, (3 * 0.06) ** 2)


def test_input_noise_reaches_outputs_through_the_weights():
    weights = np.array([[0.5, -0.25], [1.0, 1.0]])
    config = Periphery(**EXACT | {"input_noise": 0.1})
    values = noisy(config, [0.5, 0.2], weights)
    check_moments(values, weights @ [0.5, 0.2], 0.1**2 * (weights**2).sum(axis=1))
    both = np.corrcoef(values.T)[0, 1]
    expected = weights[0] @ weights[1] / np.sqrt((weights[0] ** 2).sum() * (weights[1] ** 2).sum())
    assert abs(np.arctanh(both) - np.arctanh(expected)) * np.sqrt(len(values) - 3) < stats.norm.isf(0.5e-3)


@pytest.mark.parametrize("x", [[1.0, 0.0, 0.0], [0.1, -0.2, 0.05], [1.0, 1.0, -1.0]])
def test_read_noise_grows_with_the_norm_of_x(x):
    config = Periphery(**EXACT | {"weight_noise": 0.05})
    check_moments(noisy(config, x, np.zeros((3, 3))), 0.0, 0.05**2 * np.dot(x, x))


@pytest.mark.parametrize("where", ["dac", "adc"])
def test_stochastic_rounding_is_unbiased(where):
    """A value between two levels takes either, with mean the value and variance step^2 f (1 - f)."""
    step = 2 / 6
    config = EXACT | {"output_bound": 1.0, f"{where}_bits": 3, f"{where}_stochastic": True}
    for value in (0.05, 0.3, -0.4):
        f = (value / step) % 1
        check_moments(noisy(Periphery(**config), [value], [[1.0]]), value, step**2 * f * (1 - f))


def test_outputs_vectors_calls_and_chips_draw_their_own_noise():
    """No two of 64 outputs, 50 vectors, 2 calls and 2 chips share a noise value, and all are uncorrelated."""
    config = Periphery(**EXACT | {"output_noise": 1.0})
    x, weights = torch.ones(2, 50, 1), torch.zeros(2, 64, 1)
    calls = [kernel_product(config, weights, x, call=c)[0] for c in (0, 1)]
    drawn = torch.stack(calls).reshape(2 * 2 * 50, 64).numpy().astype(float)
    assert len(np.unique(drawn)) == drawn.size
    again = kernel_product(config, weights, x, call=1)[0]
    assert torch.equal(again, calls[1])
    rows = drawn.reshape(4, -1)
    for i in range(4):
        for j in range(i):
            z = (rows[i] * rows[j]).sum() / np.sqrt(rows.shape[1])
            assert abs(z) < stats.norm.isf(0.5e-3 / 6)


def test_first_vector_continues_a_call():
    """A call split into two, as a large convolution's is, draws what the whole call draws."""
    config = Periphery(output_noise=0.3, input_noise=0.1, adc_stochastic=True, bound_management="none")
    x, weights = torch.rand(2, 7, 5), torch.rand(2, 6, 5)
    whole = kernel_product(config, weights, x)[0]
    parts = [kernel_product(config, weights, x[:, a:b].contiguous(), first=a)[0] for a, b in ((0, 3), (3, 7))]
    assert torch.allclose(whole, torch.cat(parts, dim=1), atol=1e-5)
