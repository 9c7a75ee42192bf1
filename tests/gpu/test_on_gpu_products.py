"""Products and passes on a CUDA device against those of the CPU. Run with -m gpu."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from mho.kernels.product import Draws, Patched, fold, leak_, normals, unfold
from mho.periphery import Periphery
from mho.periphery.product import bind, multiply
from periphery.products import make_keys

pytestmark = pytest.mark.gpu


def sixteenths(*shape, seed=0):
    """With these as inputs and weights every sum is exact, whatever its order."""
    return torch.from_numpy((np.random.default_rng(seed).integers(-32, 33, shape) / 16).astype(np.float32))


def both(settings, weights, x, precision="float32", **given):
    """Return outputs, reads and repeats of one product on the CPU and on the GPU."""
    found = []
    for device in ("cpu", "cuda"):
        bound = bind(settings, weights.shape[0])
        bound.precision, bound.running = precision, bound.running.to(device)
        keys = make_keys(range(weights.shape[0])).to(device)
        out = torch.zeros(*x.shape[:2], weights.shape[1], device=device)
        multiply(bound, weights.to(device), moved(x, device), Draws(keys, 2**32 - 1, 0, 3), out, **given)
        found.append((out.cpu(), bound.reads, bound.repeats))
    return found


def moved(x, device):
    if isinstance(x, Patched):
        return Patched(x.images.to(device), x.start.to(device), x.offset.to(device))
    return x.to(device)


@pytest.mark.parametrize("size", [(5, 11, 6), (64, 512, 300), (3, 5000, 4100)])
@pytest.mark.parametrize("management", ["none", "iterative", "worst-case"])
def test_products_are_those_of_the_cpu(management, size):
    vectors, columns, rows = size
    weights, x = sixteenths(2, rows, columns + 1) / 4, sixteenths(2, vectors, columns, seed=1)
    x[0, 1] = 0.0
    settings = Periphery(
        noise_management="none", dac_bits=None, input_range=8.0, adc_bits=None, output_noise=0.1, weight_noise=0.01,
        output_bound=0.6 * columns**0.5, bound_management=management,
    )  # fmt: skip
    cpu, gpu = both(settings, weights, x, bias=True)
    assert (cpu[2] > 0) == (management != "none")
    if management == "worst-case":  # its scale is a rounded quotient
        torch.testing.assert_close(gpu[0], cpu[0], rtol=1e-5, atol=1e-3)
    else:
        torch.testing.assert_close(gpu[0], cpu[0], rtol=1e-6, atol=1e-5)
    assert cpu[1:] == gpu[1:]


@pytest.mark.parametrize("precision", ["float32", "tf32", "bf16"])
def test_converted_products_agree(precision):
    weights, x = torch.randn(2, 256, 512) / 8, torch.randn(2, 100, 512)
    cpu, gpu = both(Periphery(dac_bits=6, output_bound=20.0), weights, x, precision)
    off = (cpu[0] - gpu[0]).abs() > 1e-3
    assert off.float().mean() < (0.05 if precision == "tf32" else 0.002)  # codes at an edge
    torch.testing.assert_close(gpu[0], cpu[0], rtol=0, atol=0.5)


def test_noise_of_inputs_and_stochastic_converters_are_the_same_draws():
    settings = Periphery(
        noise_management="running-max", dac_stochastic=True, adc_stochastic=True, input_noise=0.1, output_bound=6.0
    )
    cpu, gpu = both(settings, torch.randn(2, 40, 70) / 8, torch.randn(2, 30, 70), learning=True)
    assert ((cpu[0] - gpu[0]).abs() > 1e-3).float().mean() < 0.01


def test_patches_and_nan():
    start = torch.tensor([7 * i + j for i in range(5) for j in range(5)], dtype=torch.int32)
    offset = torch.tensor([0, 1, 2, 7, 8, 9], dtype=torch.int32)
    images = sixteenths(2, 4, 42, seed=3)
    settings = Periphery(noise_management="none", dac_bits=None, input_range=8.0, adc_bits=6, output_bound=1.0)
    cpu, gpu = both(settings, sixteenths(2, 3, 6) / 4, Patched(images, start, offset))
    torch.testing.assert_close(gpu[0], cpu[0])
    assert gpu[2] > 0
    bound = bind(Periphery(), 2)
    x = torch.ones(2, 3, 6, device="cuda")
    x[1, 2, 3], x[0, 1, 0] = torch.nan, torch.inf
    out = torch.empty(2, 3, 4, device="cuda")
    multiply(bound, torch.ones(2, 4, 6, device="cuda"), x, Draws(make_keys((0, 1)).cuda(), 0), out)
    assert torch.equal(out.isnan().all(2), ~x.isfinite().all(2))


def test_passes_are_those_of_the_cpu():
    start, offset = torch.arange(0, 100, 3, dtype=torch.int32), torch.arange(70, dtype=torch.int32)
    images, back = torch.randn(5, 200), torch.randn(5, 34, 70)
    gpu = start.cuda(), offset.cuda()
    assert torch.equal(unfold(images.cuda(), *gpu).cpu(), unfold(images, start, offset))
    assert torch.equal(fold(back.cuda(), 200, *gpu).cpu(), fold(back, 200, start, offset))
    keys = make_keys((0, 5))
    assert torch.equal(normals(keys.cuda(), (2, 5001), 2**32 - 1).cpu(), normals(keys, (2, 5001), 2**32 - 1))
    for keep, reset in itertools.product((torch.rand(2), torch.rand(2, 1, 300, 40)), repeat=2):
        ours, theirs = torch.randn(2, 1, 300, 40).cuda(), torch.empty(2, 1, 300, 40)
        theirs.copy_(ours)
        leak_(ours, keep.cuda(), reset.cuda())
        leak_(theirs, keep, reset)
        assert torch.equal(ours.cpu(), theirs)
