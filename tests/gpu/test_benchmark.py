"""benchmarks/gpu.py: every row runs in Triton's interpreter, and the table replaces the one between its marks."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "gpu.py"


def run(*options, **environment):
    command = [sys.executable, str(SCRIPT), *options]
    return subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, timeout=600, check=False
    )


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="Triton is not installed")
def test_every_row_runs_and_is_written(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- gpu table: begin -->\nold\n<!-- gpu table: end -->\nafter\n")
    done = run("--interpret", "--write", str(page), MHO_DATA=str(tmp_path))
    assert done.returncode == 0, done.stderr[-3000:]
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    rows = [line for line in text.splitlines() if line.startswith("|")][2:]
    assert len(rows) == 10
    assert "pulses equal" in rows[0]
    assert all("| not measured |" in row for row in rows[1:])


def test_without_a_gpu_it_says_what_to_do():
    done = run(CUDA_VISIBLE_DEVICES="")
    assert done.returncode == 1
    assert "finds no CUDA device" in done.stderr
    assert "--interpret" in done.stderr
