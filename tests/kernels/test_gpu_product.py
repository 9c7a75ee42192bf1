"""Products on a GPU: interpreted against the CPU's, launched on fake tensors, and compiled for GPUs."""

from __future__ import annotations

import copy
import importlib.util
import itertools
import pickle
import re

import pytest
import torch

from kernels.interpreting import interpreted
from kernels.launches import launches
from mho.kernels.gpu import passes, product
from mho.kernels.product import Draws, Patched, fold, leak_, normals, peaks, unfold
from mho.periphery import Periphery
from mho.periphery.product import bind, multiply, read_lines

pytestmark = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="Triton is not installed")


def test_interpreted_products_equal_those_of_the_cpu():
    assert interpreted("gpu_product_case.py").count("equal") == 10


@pytest.mark.slow
def test_interpreted_products_equal_the_reference_in_whatever_blocks():
    assert interpreted("gpu_product_case.py", "slow").count("equal") == 3


PLAIN = Periphery(dac_bits=None, adc_bits=None, output_noise=0.0, output_bound=None, noise_management="none")
NOISY = Periphery(
    dac_stochastic=True, adc_stochastic=True, input_noise=0.1, weight_noise=0.1, noise_management="running-max"
)
SETTINGS = [Periphery(), PLAIN, NOISY, Periphery(bound_management="worst-case"), Periphery(ideal=True)]


def launch_products(settings, precision="float32", *, patched=False, width=37, brief=False):
    """Do products forwards and backwards on fake tensors; `brief`: only one."""
    bound = bind(settings, 2)
    bound.precision, bound.running = precision, torch.zeros(2, device="cuda")
    weights = torch.empty(2, 13, width + 1, device="cuda")
    keys = torch.zeros(2, 2, dtype=torch.int32, device="cuda")
    x = torch.empty(2, 6, width, device="cuda")
    if patched:
        start, offset = (torch.empty(n, dtype=torch.int32, device="cuda") for n in (3, width))
        x = Patched(torch.empty(2, 2, 100, device="cuda"), start, offset)
    out = torch.empty(2, 6, 13, device="cuda")
    draws = Draws(keys, 2**32 - 1, 0, 2**31, torch.zeros(1, dtype=torch.int64, device="cuda"))
    for bias, adding in [(True, False)] if brief else itertools.product((False, True), (False, True)):
        own = weights[:, :, : width + bias]
        multiply(bound, own, x, draws, out, bias=bias, adding=adding)
    if brief:
        return
    back = torch.empty(2, 6, width, device="cuda")
    multiply(bound, weights[:, :, :-1].transpose(1, 2), out, Draws(keys, 0), back, learning=True)
    shape = torch.empty(2, 0, width, device="cuda")
    multiply(bound, weights, shape, Draws(keys, 0), out[:, :0], bias=True)
    if not settings.ideal:
        read_lines(
            bound, weights[:, 2:5, :].transpose(1, 2)[:, :3], Draws(keys, 0), torch.empty(2, 3, 3, device="cuda")
        )


@pytest.mark.parametrize("settings", SETTINGS, ids=["default", "plain", "noisy", "worst-case", "ideal"])
def test_nothing_comes_to_the_host(settings, monkeypatch):
    with launches(monkeypatch, product, passes) as noted:
        for precision in ("float32", "tf32", "bf16"):
            launch_products(settings, precision)
        launch_products(settings, patched=True)
        names = {kernel.__name__ for kernel, *_ in noted}
    expected = {"unfold"} if settings.ideal else {"prepare", "finish"}
    expected |= {"peaks"} if settings is NOISY else set()
    bounded = settings.output_bound is not None and not settings.ideal
    if bounded:
        expected |= {"again", "reach" if settings.bound_management == "worst-case" else "search"}
    assert names == expected


def test_large_products_are_done_in_runs(monkeypatch):
    monkeypatch.setattr(product, "HELD", 250)
    with launches(monkeypatch, product, passes) as noted:
        launch_products(Periphery())
        assert sum(kernel.__name__ == "prepare" for kernel, *_ in noted) == 5 * 3 + 1


def launch_passes():
    """Do every pass on fake tensors."""
    start, offset = (torch.empty(n, dtype=torch.int32, device="cuda") for n in (3, 5))
    assert unfold(torch.empty(2, 100, device="cuda"), start, offset).shape == (2, 3, 5)
    assert fold(torch.empty(2, 3, 5, device="cuda"), 100, start, offset).shape == (2, 100)
    keys = torch.zeros(2, 2, dtype=torch.int32, device="cuda")
    assert normals(keys, (2, 3, 5), 7, torch.zeros(1, dtype=torch.int64, device="cuda")).device == keys.device
    state = torch.empty(2, 1, 3, 4, device="cuda")
    for keep, reset in itertools.product((torch.empty(2, device="cuda"), state), repeat=2):
        leak_(state, keep, reset)
    assert peaks(torch.empty(2, 5, 3, device="cuda"), True)[1]


def test_passes_go_to_the_gpu_with_their_tensors(monkeypatch):
    with launches(monkeypatch, product, passes) as noted:
        launch_passes()
    assert [kernel.__name__ for kernel, *_ in noted] == ["unfold", "fold", "normals", *["leak"] * 4, "peaks"]


def check_assemblies(noted, capability):
    count = 0
    for name, constants, text in noted.assemblies(capability):
        count += 1
        assert re.search(rf"^\.target sm_{capability}", text, re.MULTILINE)
        assert f".visible .entry {name}" in text
        found = set(re.findall(r"\bfma|approx|div\.full|(?<!cvt\.rmi)\.ftz", text))
        # Everything is rounded once, as on the CPU, but in the sums of products of matrices. Of those that are done by
        # tensor cores one sees that nothing else is fused.
        if name in ("search", "reach", "again") and "mma" not in text:
            assert found == {"fma"}, (name, constants)
        else:
            assert not found, (name, constants)
    return count


@pytest.mark.parametrize("capability", [80, 90])
def test_products_compile_for_a_gpu(capability, monkeypatch):
    with launches(monkeypatch, product, passes) as noted:
        launch_products(Periphery(), "bf16", brief=True)
        launch_products(PLAIN, patched=True, brief=True)
        launch_products(NOISY, "tf32", brief=True)
        launch_products(Periphery(bound_management="worst-case"), width=5000, brief=True)
        launch_passes()
    assert check_assemblies(noted, capability) > 15


@pytest.mark.slow
@pytest.mark.parametrize("capability", [80, 90])
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_every_way_to_make_a_product_compiles(precision, capability, monkeypatch):
    with launches(monkeypatch, product, passes) as noted:
        for settings, patched in itertools.product(SETTINGS, (False, True)):
            launch_products(settings, precision, patched=patched)
            launch_products(settings, precision, width=5000)
    assert check_assemblies(noted, capability) > 50


def test_what_a_product_keeps_on_a_gpu_stays_there(monkeypatch):
    """A copy has its own constants and counts, made when they are asked for; what was counted goes with it."""
    bound = bind(Periphery(noise_management="running-max"), 2)
    bound.counted[:] = [5, 3]
    there = copy.deepcopy(bound)
    with launches(monkeypatch, product, passes):
        device = torch.device("cuda", 0)
        table = bound.converters.on(device)
        assert bound.converters.on(device) is table
        assert table.device == device
        assert bound.on_gpu(device).counts is bound.on_gpu(device).counts
        bound.count(7, device)
        assert bound.counted == [5, 3]
    bound.counting = {device: torch.tensor([7, 1])}
    for other in (copy.deepcopy(bound), pickle.loads(pickle.dumps(bound))):
        assert not other.counting
        assert not other.converters.elsewhere
        assert (other.reads, other.repeats) == (12, 4)
        assert torch.equal(other.converters.table, there.converters.table)
