"""The kernels' product against the reference, over settings drawn by hypothesis."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mho.kernels.product import Draws
from mho.periphery import Periphery
from mho.periphery.product import bind, multiply
from periphery.products import compare, kernel_product, make_keys

BIT = st.one_of(st.none(), st.integers(2, 12))
BITS = st.one_of(BIT, st.lists(BIT, min_size=2, max_size=2))
CHIPS = 2


def per_chip(low, high):
    number = st.floats(low, high, width=32)
    return st.one_of(number, st.lists(number, min_size=CHIPS, max_size=CHIPS))


@st.composite
def peripheries(draw):
    return Periphery(
        noise_management=draw(st.sampled_from(["none", "max-abs", "constant", "running-max"])),
        scale=draw(per_chip(0.25, 4.0)),
        bound_management=draw(st.sampled_from(["none", "iterative", "worst-case"])),
        input_range=draw(per_chip(0.5, 2.0)),
        dac_bits=draw(BITS),
        dac_stochastic=draw(st.booleans()),
        input_noise=draw(st.one_of(st.just(0.0), per_chip(0.0, 0.25))),
        weight_noise=draw(st.one_of(st.just(0.0), per_chip(0.0, 0.25))),
        output_noise=draw(st.one_of(st.just(0.0), per_chip(0.0, 0.25))),
        output_bound=draw(per_chip(0.25, 8.0)),
        adc_bits=draw(BITS),
        adc_stochastic=draw(st.booleans()),
    )


@settings(max_examples=300)
@given(
    config=peripheries(), rows=st.integers(1, 9), columns=st.integers(1, 40), bias=st.booleans(),
    seed=st.integers(0, 2**16), call=st.integers(0, 2**32 - 1), first=st.integers(0, 1000),
)  # fmt: skip
def test_matches_reference(config, rows, columns, bias, seed, call, first):
    if config.bound_management == "worst-case" and config.dac_bits is not None:
        config = Periphery(**{**vars(config), "dac_bits": None})  # its scale is a rounded sum: see below
    generator = np.random.default_rng(seed)
    weights = torch.from_numpy(generator.uniform(-1, 1, (CHIPS, rows, columns + bias)).astype(np.float32))
    x = generator.normal(size=(CHIPS, 3, columns)).astype(np.float32)
    x[generator.random((CHIPS, 3)) < 0.2] = 0.0
    compared, differing = compare(config, weights, torch.from_numpy(x), bias=bias, call=call, first=first)
    assert differing <= max(2, 0.02 * compared)


def test_few_codes_differ_at_all():
    """Over 192,000 codes of 9 bits fewer than 1 in 1,000 differ, and every one lies at an edge."""
    generator = np.random.default_rng(1)
    weights = torch.from_numpy(generator.uniform(-0.6, 0.6, (2, 64, 128)).astype(np.float32))
    x = torch.from_numpy(generator.normal(size=(2, 1500, 128)).astype(np.float32))
    compared, differing = compare(Periphery(output_bound=4.0), weights, x, bias=False, call=3, first=0)
    print(f"{differing} of {compared} codes differ, each within rounding of its edge")
    assert compared > 180_000
    assert differing < 1e-3 * compared


@pytest.mark.parametrize("bits", [2, 3, 7, 9])
def test_bits_are_levels(bits):
    """n bits make 2^n - 2 steps over the whole range and zero is a level, for both converters."""
    values = torch.linspace(-1.3, 1.3, 20001).reshape(1, -1, 1)
    one = torch.ones(1, 1, 1)
    exact = {"noise_management": "none", "bound_management": "none", "output_noise": 0.0}
    dac = Periphery(**exact, dac_bits=bits, adc_bits=None, output_bound=None)
    adc = Periphery(**exact, dac_bits=None, adc_bits=bits, output_bound=1.0, input_range=2.0)
    for converter in (dac, adc):
        levels = kernel_product(converter, one, values)[0].unique().numpy()
        assert len(levels) == 2**bits - 1
        assert 0.0 in levels
        np.testing.assert_allclose(np.diff(levels), 2 / (2**bits - 2), rtol=0, atol=3e-7)
        np.testing.assert_allclose(levels[[0, -1]], [-1, 1], rtol=1e-6)


def test_zero_vectors_give_zero():
    weights = torch.rand(1, 5, 4)
    for management in ("none", "max-abs", "constant", "running-max"):
        config = Periphery(noise_management=management, output_noise=0.5, input_noise=0.5)
        assert not kernel_product(config, weights, torch.zeros(1, 3, 4))[0].any()


def test_bias_column_counts_in_max_abs():
    """The bias column's 1 sets the scale: an input of 0.4 is then below half a step of the 2-bit DAC."""
    config = Periphery(dac_bits=2, output_noise=0.0, adc_bits=None, output_bound=None)
    weights = torch.tensor([[[1.0, 0.0]]])
    x = torch.tensor([[[0.4]]])
    assert kernel_product(config, weights[:, :, :1], x)[0].item() == pytest.approx(0.4)
    assert kernel_product(config, weights, x, bias=True)[0].item() == 0.0


def test_iterative_repeats_at_most_ten_times_and_counts():
    config = Periphery(noise_management="none", output_noise=0.0, dac_bits=None, input_range=1e6, output_bound=1.0)
    weights = torch.ones(1, 1, 1)
    out, product = kernel_product(config, weights, torch.tensor([[[0.5], [3.0], [1e9]]]))
    assert product.repeats == 0 + 2 + 10
    assert product.reads == 3 + 12
    assert out[0, 2, 0] == 1024.0  # ten doublings later it still saturates, and the last repeat stands
    assert out[0, 1, 0] == pytest.approx(3.0, abs=4 / 510 * 2)


def test_worst_case_repeats_once_and_never_saturates():
    generator = np.random.default_rng(0)
    weights = torch.from_numpy(generator.uniform(-0.6, 0.6, (1, 64, 128)).astype(np.float32))
    x = torch.from_numpy(generator.uniform(0, 1, (1, 500, 128)).astype(np.float32))
    weights[0, 0] = 0.6
    config = Periphery(bound_management="worst-case", output_bound=6.0)
    out, product = kernel_product(config, weights, x)
    assert product.repeats == 500
    exact = torch.bmm(x, weights.transpose(1, 2))
    # The scale is about max(abs(W) abs(x)) / bound; a clipped output would fall short by far more.
    scale = (x.abs() @ weights.abs().transpose(1, 2)).amax(2, keepdim=True) / 6
    assert ((out - exact).abs() < 6 * 0.06 * 1.2 * scale + 0.6).all()


def test_backward_has_no_bound_management_by_default():
    from mho import AnalogConfig

    assert AnalogConfig().forward.bound_management == "iterative"
    assert AnalogConfig().backward.bound_management == "none"


def test_repeats_draw_fresh_noise():
    """The same vector under a bound that it never and always reaches sees different noise."""
    weights, x = torch.ones(1, 8, 1), torch.ones(1, 1, 1)
    exact = {
        "noise_management": "none",
        "adc_bits": None,
        "dac_bits": None,
        "output_noise": 0.01,
        "input_range": 4.0,
    }
    free = kernel_product(Periphery(**exact, output_bound=4.0), weights, x)[0]
    repeated = kernel_product(Periphery(**exact, output_bound=0.9), weights, x)[0]
    assert not torch.isclose((repeated - 1) / 2, free - 1, atol=1e-4).any()


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("config", [Periphery(), Periphery(ideal=True), Periphery(noise_management="running-max")])
def test_refuses_what_is_not_finite(bad, config):
    from mho.errors import NotFiniteError

    x = torch.rand(2, 3, 4)
    x[1, 2, 0] = bad
    with pytest.raises(NotFiniteError, match="NaN or infinity"):
        kernel_product(config, torch.rand(2, 5, 4), x)


def test_running_mean_follows_training_only():
    config = Periphery(noise_management="running-max", momentum=0.75, output_noise=0.0)
    product = bind(config, 2)
    weights, out = torch.ones(2, 1, 1), torch.empty(2, 2, 1)

    def call(values, learning):
        x = torch.tensor(values).reshape(2, 2, 1)
        multiply(product, weights, x, Draws(make_keys((0, 1)), 0), out, learning=learning)
        return product.running.tolist()

    assert call([1.0, 3.0, 0.0, 0.0], False) == [0, 0]
    assert call([1.0, 3.0, 0.0, 0.0], True) == [2.0, 0.0]
    assert call([9.0, 9.0, -1.0, 1.0], False) == [2.0, 0.0]
    assert call([-4.0, 8.0, -1.0, 1.0], True) == [0.75 * 2 + 0.25 * 6, 1.0]
    assert out[0, 1, 0] == pytest.approx(3.0, abs=3 / 42.5 / 2)  # clipped at the running scale of 3
