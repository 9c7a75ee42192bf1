"""`import mho` is free: no plotting, no compiler, no CUDA."""

from __future__ import annotations

import subprocess
import sys

import pytest

COMPILERS = ("triton", "numba", "llvmlite")
HEAVY = (*COMPILERS, "plotly", "matplotlib", "pandas", "scipy", "ray", "pyarrow", "h5py", "rich", "typer")

PROBE = """
import sys
{statement}
heavy = [name for name in {heavy!r} if name in sys.modules]
torch = sys.modules.get("torch")
if torch is not None and torch.cuda.is_initialized():
    heavy.append("CUDA")
print("loaded:", *heavy)
"""


def loaded_by(statement: str) -> list[str]:
    """Return the heavy parts that a fresh process has loaded after `statement`."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(statement=statement, heavy=HEAVY)],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    return done.stdout.strip().removeprefix("loaded:").split()


def test_import_mho_is_light() -> None:
    assert loaded_by("import mho") == []


@pytest.mark.parametrize("name", ["scipy", "numba"])
def test_the_probe_sees_heavy_imports(name: str) -> None:
    assert name in loaded_by(f"import {name}")
