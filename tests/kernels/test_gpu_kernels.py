"""Triton kernels: compiled for GPUs that this machine need not have, interpreted against the reference."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kernels.laws import Everything, Tabled, TabledCurve, Tiring
from mho.devices import ConstantStep, LinearStep, PiecewiseStep, SoftBounds, TabularStep
from mho.devices.base import law_arguments
from mho.errors import MhoError
from mho.kernels.gpu.compiling import kernels
from mho.kernels.gpu.laws import law_assembly

installed = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="Triton is not installed")


@installed
@pytest.mark.parametrize("capability", [80, 90])
@pytest.mark.parametrize(
    "device",
    [ConstantStep, LinearStep, PiecewiseStep, SoftBounds, TabularStep, Tiring, Everything, Tabled, TabledCurve],
)
@pytest.mark.parametrize("kernel", ["pulse", "burst"])
def test_laws_compile_for_a_gpu(device, capability, kernel):
    per_cell = tuple(name != "c2c" for name in law_arguments(device))
    text = law_assembly(device, per_cell, capability, kernel=kernel)
    assert re.search(rf"^\.target sm_{capability}", text, re.MULTILINE)
    assert f".visible .entry {kernel}" in text
    # Everything is rounded once, as on the other backends (but the floor of a subnormal number is 0).
    assert not re.search(r"\bfma|approx|div\.full|(?<!cvt\.rmi)\.ftz", text)


@installed
def test_interpreted_kernels_equal_the_reference():
    """In a process of its own: TRITON_INTERPRET is read when Triton is imported."""
    script = Path(__file__).with_name("gpu_case.py")
    environment = os.environ | {"TRITON_INTERPRET": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, str(script)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("equal") == 15


def test_without_triton_the_message_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "triton", None)
    kernels.cache_clear()
    with pytest.raises(MhoError, match="Triton is not installed"):
        kernels("triton_trains")
