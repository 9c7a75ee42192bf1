"""Rules and program-and-verify on the kernels of GPUs, interpreted, have the states and counts of the CPU."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="Triton is not installed")
def test_interpreted_rules_equal_those_on_the_cpu() -> None:
    """In a process of its own: TRITON_INTERPRET is read when Triton is imported."""
    script = Path(__file__).with_name("rules_case.py")
    environment = os.environ | {"TRITON_INTERPRET": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, str(script)], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("equal") == 13
