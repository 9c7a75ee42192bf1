"""Triton kernels: compiled for GPUs that this machine need not have, interpreted against the reference."""

from __future__ import annotations

import importlib.util
import re
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import mho.devices
from kernels.gpu_cases import CHECKS
from kernels.interpreting import interpreted
from kernels.laws import Everything, Tabled, TabledCurve, Tiring
from mho.devices import Device, SoftBounds, catalogue
from mho.devices.base import law_arguments
from mho.devices.ops import OPS
from mho.errors import MhoError, ShapeError
from mho.kernels.cells import Cells
from mho.kernels.gpu.compiling import assembly, counter, kernels, power_of_two, typed
from mho.kernels.gpu.laws import FULL, Given, block_of, law_assembly
from mho.kernels.gpu.pulse import divisor, parts_of
from mho.kernels.translate import law_source, law_tables

installed = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="Triton is not installed")

BUILT_IN = [d for d in vars(mho.devices).values() if isinstance(d, type) and issubclass(d, Device) and d is not Device]
CAPABILITIES = (80, 90)
GPU_FLAGS = {
    "BIAS": 1, "MANAGED": 1, "BALANCED": 1, "FUSED": 1, "ONE": 1, "FUSES": 4, "SCAN": 1024, "OFFSET": 1,
}  # fmt: skip
GPU_TYPES = typed(
    p_i64="x_tape d_tape tick",
    p_i32="lengths flags quads ends chosen device_of keys",
    i32="""place vectors batch columns rows bl first parts capacity inputs groups step words of_x of_d programs weights
    plane devices size""",
)
OTHERS = {
    "rates": ("triton_trains", {"VECTORS": 32, "BLOCK": 32}),
    "schedule": ("triton_trains", {"VECTORS": 64}),
    "tape": ("triton_trains", {"EVEN": 0, "BLOCK": 128}),
    "tape of even trains": ("triton_trains", {"EVEN": 1, "BLOCK": 128}),
    "show": ("triton_show", {"BLOCK": 512}),
    "finite": ("triton_finite", {"BLOCK": 1024}),
}


def check_assembly(text: str, capability: int, kernel: str) -> None:
    """Fail unless PTX is of the kernel and the GPU, rounds everything once, and adds no floats in unknown order."""
    assert re.search(rf"^\.target sm_{capability}", text, re.MULTILINE)
    assert f".visible .entry {kernel}" in text
    # As on the other backends (but the floor of a subnormal number is 0).
    assert not re.search(r"\bfma|approx|div\.full|(?<!cvt\.rmi)\.ftz", text)
    assert not re.search(r"\b(atom|red)\b.*\.b?f\d", text)


def per_cell(device: type[Device]) -> tuple[bool, ...]:
    return tuple(name != "c2c" for name in law_arguments(device))


@installed
@pytest.mark.parametrize("capability", CAPABILITIES)
@pytest.mark.parametrize("device", [*BUILT_IN, Tiring, Everything, Tabled, TabledCurve])
def test_pulses_compile_for_a_gpu(device, capability):
    check_assembly(law_assembly(device, per_cell(device), capability), capability, "pulse")


@installed
@pytest.mark.parametrize("kernel", ["burst", "mean"])
@pytest.mark.parametrize("device", [*BUILT_IN, Tiring, Everything, Tabled, TabledCurve])
def test_bursts_and_means_compile_for_a_gpu(device, kernel):
    capability = CAPABILITIES[BUILT_IN.index(device) % 2 if device in BUILT_IN else 1]
    check_assembly(law_assembly(device, per_cell(device), capability, kernel=kernel), capability, kernel)


@installed
@pytest.mark.parametrize("capability", CAPABILITIES)
@pytest.mark.parametrize("name", OTHERS)
def test_kernels_without_a_law_compile_for_a_gpu(name, capability):
    template, constants = OTHERS[name]
    kernel = getattr(kernels(template), name.split()[0])
    flags = {n: v for n, v in (GPU_FLAGS | constants).items() if n in kernel.arg_names}
    text = assembly(kernel, flags, GPU_TYPES, capability=capability)
    check_assembly(text, capability, name.split()[0])


def test_all_laws_of_the_catalogue_are_compiled():
    assert {type(row.device) for row in catalogue.devices()} <= set(BUILT_IN)


def test_laws_that_are_compiled_use_everything_a_law_may():
    text = "".join(law_source(law.pulse, "law") for law in (Everything, Tabled))
    assert [op for op in OPS if not re.search(rf"\b{op}\(", text)] == []
    assert law_tables(Tabled)
    assert Tiring.state


@installed
@pytest.mark.parametrize(
    "checks",
    [
        ("rates", "pulses", "long_tapes", "empty", "ticks", "fuse", "bursts", "mean", "versions"),
        ("blocks", "drawn"),
        ("many_steps:1000",),
    ],
    ids=lambda checks: checks[0],
)
def test_interpreted_kernels_equal_the_reference(checks):
    printed = interpreted("gpu_interpreted.py", *checks, timeout=1200)
    assert [line.split()[0] for line in printed.splitlines()] == list(checks)


def test_every_check_is_run():
    run = {name for mark in test_interpreted_kernels_equal_the_reference.pytestmark if mark.name == "parametrize"
           for checks in mark.args[1] for name in (c.partition(":")[0] for c in checks)}  # fmt: skip
    assert run == {*CHECKS, "drawn"}


def test_counters_keep_their_bits_and_blocks_are_powers_of_two():
    assert [counter(n) for n in (0, 2**31 - 1, 2**31, 2**32 - 1)] == [0, 2**31 - 1, -(2**31), -1]
    assert [power_of_two(n, 16, 1024) for n in (0, 1, 16, 17, 1024, 5000)] == [16, 16, 16, 32, 1024, 1024]


@given(divisor_=st.integers(1, 2**31 - 1), n=st.integers(0, 2**31 - 1), k=st.integers(0, 2**31 - 1))
@settings(max_examples=300)
def test_lines_of_cells_are_found_without_a_division(divisor_, n, k):
    magic, shift = divisor(divisor_)
    exact = k // divisor_ * divisor_
    for value in (n, exact, max(exact - 1, 0)):
        assert (2 * value * (magic % 2**32) >> 32) >> shift == value // divisor_


def test_large_tiles_have_lanes_of_several_cells_and_enough_programs():
    for cells in (1, 1000, 2**18, 2**20, 2**24, 2**32):
        block = block_of(cells)
        parts = parts_of(cells, block)
        assert block in (32, 64)
        assert cells < 2**18 or cells // (block * parts) >= FULL
        assert (parts > 1) == (cells >= 2 * block * FULL)
    assert parts == 16


def test_a_tile_that_31_bits_cannot_number_is_refused():
    state = torch.empty(2, 1, 2**16, 2**15, device="meta")
    cells = Cells(SoftBounds, state, {}, torch.zeros(2, dtype=torch.int64))
    with pytest.raises(ShapeError, match=r"tile of 1 x 65536 x 32768 devices.* 31 bits: use smaller tiles"):
        Given(cells)


def test_without_triton_the_message_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "triton", None)
    kernels.cache_clear()
    with pytest.raises(MhoError, match="Triton is not installed"):
        kernels("triton_trains")
