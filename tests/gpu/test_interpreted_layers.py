"""Layers trained on the kernels of GPUs, interpreted, have the pulses, counts and states of the CPU."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

QUICK = ("pairs in turn", "mean and pulses")
SLOW = ("several at random", "one-sided, refreshed", "two laws", "restless", "ideal")
BAD = ("a bad batch, sgd", "a bad batch, adam", "a bad batch, fused")


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="Triton is not installed")
@pytest.mark.parametrize(
    "names", [pytest.param(QUICK[:1]), pytest.param(QUICK[1:] + SLOW, marks=pytest.mark.slow), BAD]
)
def test_interpreted_layers_equal_those_on_the_cpu(names: tuple[str, ...]) -> None:
    """In a process of its own: TRITON_INTERPRET is read when Triton is imported."""
    script = Path(__file__).with_name("layers_case.py")
    environment = os.environ | {"TRITON_INTERPRET": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, str(script), *names], env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("equal") == len(names)
