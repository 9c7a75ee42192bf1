"""Products done part by part, and products of patches that are never all there, against products done in one."""

import numpy as np
import pytest
import torch

from mho.errors import NotFiniteError
from mho.kernels import matmul as products
from mho.kernels import product as kernels
from mho.kernels.matmul import matmul
from mho.kernels.product import Draws, Patched, unfold
from mho.periphery import Periphery
from mho.periphery.product import bind, multiply
from mho.random import normal32, philox
from periphery.products import make_keys

EXACT = {"noise_management": "none", "dac_bits": None, "input_range": 8.0}
"""With sixteenths as inputs and weights every sum is exact, whatever its order: results are the same bits."""


def sixteenths(*shape, seed=0):
    generator = np.random.default_rng(seed)
    return torch.from_numpy((generator.integers(-32, 33, shape) / 16).astype(np.float32))


def product(settings, weights, x, *, chips=None, bias=False, learning=True, adding=None):
    """Return the outputs, reads and repeats of one product, and the running scale."""
    chips = range(weights.shape[0]) if chips is None else chips
    bound = bind(settings, weights.shape[0])
    out = torch.zeros(*x.shape[:2], weights.shape[1]) if adding is None else adding.clone()
    draws = Draws(make_keys(chips), 3, 0, 5)
    multiply(bound, weights, x, draws, out, bias=bias, learning=learning, adding=adding is not None)
    return out, bound.reads, bound.repeats, bound.running.tolist()


def equal(one, other):
    assert torch.equal(one[0], other[0])
    assert one[1:] == other[1:]


@pytest.fixture
def in_parts(monkeypatch):
    """Make small products large ones: about 40 inputs at a time, chip by chip."""
    monkeypatch.setattr(kernels, "APART", 100)
    monkeypatch.setattr(kernels, "CACHED", 40)


@pytest.mark.parametrize("bound", [None, 1.0, 2.5])
@pytest.mark.parametrize("bias", [False, True])
def test_parts_are_the_whole(bound, bias, monkeypatch):
    settings = Periphery(**EXACT, output_bound=bound, adc_bits=None, weight_noise=0.1, input_noise=0.0)
    weights, x = sixteenths(3, 6, 11 + bias) / 4, sixteenths(3, 57, 11, seed=1)
    x[:, ::5] = 0.0
    added = sixteenths(3, 57, 6, seed=2)
    whole = product(settings, weights, x, bias=bias), product(settings, weights, x, bias=bias, adding=added)
    assert whole[0][2] > 0 or bound is None
    monkeypatch.setattr(kernels, "APART", 100)
    monkeypatch.setattr(kernels, "CACHED", 40)
    parts = kernels.Plan(3, 57, (11, 6), bias, bind(settings, 3).converters).parts
    assert len(parts) > 3 * 10
    equal(whole[0], product(settings, weights, x, bias=bias))
    equal(whole[1], product(settings, weights, x, bias=bias, adding=added))


@pytest.mark.usefixtures("in_parts")
def test_a_chip_alone_is_the_chip_among_others():
    settings = Periphery(**EXACT, adc_bits=8, output_bound=6.0)
    weights, x = sixteenths(4, 6, 11) / 4, sixteenths(4, 57, 11, seed=1)
    together = product(settings, weights, x)[0]
    for chip in range(4):
        one = slice(chip, chip + 1)
        assert torch.equal(product(settings, weights[one], x[one], chips=[chip])[0], together[one])


@pytest.mark.parametrize("management", ["iterative", "worst-case"])
def test_repeats_of_chips_together_are_those_of_each_alone(management, monkeypatch):
    settings = Periphery(**EXACT, output_bound=2.0, bound_management=management, input_noise=0.1, output_noise=0.1)
    weights, x = sixteenths(5, 6, 11) / 4, sixteenths(5, 20, 11, seed=1)
    x[2] = 0.0  # a chip that never saturates
    together = product(settings, weights, x)
    assert together[2] > 5
    for size in (1, 66, 140):  # one chip at a time, one, and two
        monkeypatch.setattr("mho.periphery.product.TOGETHER", size)
        parts = product(settings, weights, x)
        assert torch.allclose(parts[0], together[0], atol=1e-5)
        assert parts[1:] == together[1:]
    for chip in range(5):
        one = slice(chip, chip + 1)
        alone = product(settings, weights[one], x[one], chips=[chip])
        assert torch.allclose(alone[0], together[0][one], atol=1e-5)


def test_each_chip_has_its_own_constants_when_it_is_done_apart(in_parts):
    weights, x = sixteenths(2, 6, 11) / 4, sixteenths(2, 57, 11, seed=1)
    settings = Periphery(**EXACT | {"input_range": [0.5, 4.0]}, adc_bits=[3, 8], output_noise=[0.0, 0.2])
    out = product(settings, weights, x)[0]
    for chip in range(2):
        own = Periphery(
            **EXACT | {"input_range": (0.5, 4.0)[chip]}, adc_bits=(3, 8)[chip], output_noise=(0.0, 0.2)[chip]
        )
        one = slice(chip, chip + 1)
        assert torch.equal(product(own, weights[one], x[one], chips=[chip])[0], out[one])


def patched(images=5):
    """Return patches of 2 chips' images of 6x7 pixels that a 2x3 kernel sees, taken and not yet taken."""
    flat = sixteenths(2, images, 42, seed=3)
    flat[:, :1] = 0.0
    start = torch.tensor([7 * i + j for i in range(5) for j in range(5)], dtype=torch.int32)
    offset = torch.tensor([0, 1, 2, 7, 8, 9], dtype=torch.int32)
    late = Patched(flat, start, offset)
    return late, unfold(flat.flatten(0, 1), start, offset).view(2, images * 25, 6)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(
    "settings",
    [
        Periphery(dac_bits=5, adc_bits=6), Periphery(noise_management="running-max"), Periphery(ideal=True),
        Periphery(output_bound=0.5), Periphery(output_bound=0.5, bound_management="worst-case"),
        Periphery(dac_stochastic=True, adc_stochastic=True, input_noise=0.1, weight_noise=0.1),
    ],
    ids=["converters", "running-max", "ideal", "iterative", "worst-case", "noises"],
)  # fmt: skip
def test_patches_taken_late_are_patches(settings, bias):
    late, taken = patched()
    weights = sixteenths(2, 3, 6 + bias, seed=4) / 4
    assert late.shape == taken.shape
    equal(product(settings, weights, late, bias=bias), product(settings, weights, taken, bias=bias))


@pytest.mark.usefixtures("in_parts")
def test_patches_taken_part_by_part():
    late, taken = patched()
    settings = Periphery(**EXACT, output_bound=1.0, adc_bits=None)
    weights = sixteenths(2, 3, 6, seed=4) / 4
    equal(product(settings, weights, late), product(settings, weights, taken))


def test_columns_of_patches():
    late, taken = patched()
    weights = sixteenths(2, 3, 4, seed=4)
    ours = product(Periphery(), weights, late[:, :, 1:5])
    equal(ours, product(Periphery(), weights, taken[:, :, 1:5]))


def test_no_images_make_no_outputs():
    late, _ = patched(images=0)
    for settings in (Periphery(), Periphery(ideal=True)):
        assert product(settings, sixteenths(2, 3, 6), late)[0].shape == (2, 0, 3)


@pytest.mark.parametrize("settings", [Periphery(), Periphery(ideal=True), Periphery(noise_management="running-max")])
def test_refuses_patches_that_are_not_finite(settings):
    late, _ = patched()
    late.images[1, 4, 41] = torch.nan
    with pytest.raises(NotFiniteError, match="NaN or infinity"):
        product(settings, sixteenths(2, 3, 6), late)
    late.images[1, 4, 41] = 0.0
    late.images[1, 4, 35] = torch.inf  # the corner that no patch of this kernel sees, were it not for the last row
    with pytest.raises(NotFiniteError, match="NaN or infinity"):
        product(settings, sixteenths(2, 3, 6), late)


@pytest.mark.parametrize("rows", [1, 3, 4, 6, 17])
def test_noise_of_every_output_is_its_own_word(rows):
    """Over many chunks of many vectors, output r of vector v is word r % 4 of block (r / 4, v)."""
    vectors = 3000
    settings = Periphery(**EXACT, output_bound=None, adc_bits=None, output_noise=1.0)
    out = product(settings, torch.zeros(1, rows, 2), torch.ones(1, vectors, 2))[0][0].numpy()
    r, v = np.meshgrid(np.arange(rows), np.arange(vectors))
    k0, k1 = make_keys([0]).numpy().view(np.uint32)[0]
    fixed = [np.full(r.shape, k, np.uint32) for k in (k0, k1)]
    counter = [
        (r // 4).astype(np.uint32),
        (v + 5).astype(np.uint32),
        np.zeros_like(fixed[0]),
        np.full_like(fixed[0], 3),
    ]
    words = np.stack(philox(*fixed, *counter))
    assert np.array_equal(out, normal32(np.take_along_axis(words, (r % 4)[None], axis=0)[0]))


@pytest.mark.parametrize("shape", [(7, 5, 3), (64, 200, 128), (300, 576, 64)])
@pytest.mark.parametrize("transposed", [False, True])
def test_either_library_multiplies(shape, transposed, monkeypatch):
    vectors, columns, rows = shape
    x = sixteenths(1, vectors, columns)
    weights = (
        sixteenths(1, columns, rows).transpose(1, 2) if transposed else sixteenths(1, rows, columns + 1)[:, :, :-1]
    )
    expected = torch.bmm(x.double(), weights.double().transpose(1, 2)).float()
    room = torch.empty(1, vectors, rows)
    for least in (0, 1 << 60):
        monkeypatch.setattr(products, "LARGE", least)
        assert torch.equal(matmul(x, weights, room), expected)
        assert torch.equal(matmul(x, weights), expected)
    monkeypatch.setattr(products, "LARGE", 0)
    monkeypatch.setattr(products, "_linear", lambda: None)
    assert torch.equal(matmul(x, weights), expected)


def test_an_ideal_product_takes_patches_by_the_image(monkeypatch):
    late, taken = patched()
    weights = sixteenths(2, 3, 6, seed=4)
    expected = product(Periphery(ideal=True), weights, taken)
    monkeypatch.setattr("mho.periphery.product.PATCH_ELEMENTS", 2 * 25 * 6 * 2)
    assert [piece[:2] for piece in late.split(2 * 25 * 6 * 2)] == [(0, 50), (50, 100), (100, 125)]
    equal(product(Periphery(ideal=True), weights, late), expected)


def test_onednn_is_given_dense_matrices_only(monkeypatch):
    """A matrix without its bias column goes to its slow reference: a training step of LeNet took 20 times as long."""
    asked = []
    monkeypatch.setattr(products, "LARGE", 0)
    monkeypatch.setattr(products, "_linear", lambda: lambda x, w, *rest: asked.append(w.stride()) or x @ w.t())
    x, weights = sixteenths(1, 8, 5), sixteenths(1, 5, 6)
    for given in (weights[:, :, :-1], weights[:, :, :-1].transpose(1, 2), weights[:, :, :5].contiguous()):
        matmul(x, given)
    assert asked == [(5, 1)]
