"""Kernel files in the cache: they follow an edited law, survive damage, and are shared by processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import sys
import torch
from mho.devices import Device, Spread, law, maximum, minimum, where
from mho.kernels import cpu
from mho.kernels.cells import Cells, Samples, Scheme

FACTOR = 1.0

def size(dw):
    return dw * 1.0

class Own(Device):
    dw_min: Spread = Spread(0.25)
    def cells(self, draw):
        return {"dw": draw(self.dw_min)}
    @law
    def pulse(w, up, xi, dw):
        return w + where(up, size(dw), -size(dw)) * FACTOR

one = torch.ones(1, 1, 1)
cells = Cells(Own, torch.zeros(1, 1, 1, 1), {"dw": torch.tensor([0.25])}, torch.zeros(1, dtype=torch.int64))
samples = Samples(one, -one, torch.ones(1) * 100, torch.zeros(1, 5, 2, dtype=torch.int32), 0)
scheme = Scheme(bl=1)
cpu.pulse_update_(cells, samples, scheme, cpu.rates(samples, scheme), None)
print(cells.state.item())
"""


def run(script: Path, cache: Path, **environment) -> subprocess.CompletedProcess[str]:
    """Run a script in a fresh process with this cache."""
    where = os.pathsep.join(sys.path)
    variables = os.environ | {"MHO_CACHE": str(cache), "PYTHONPATH": where} | environment
    command = [sys.executable, str(script)]
    return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=300, check=False)


def value(done: subprocess.CompletedProcess[str]) -> float:
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """A script and a cache that holds its kernels."""
    folder = tmp_path_factory.mktemp("own")
    script = folder / "own.py"
    script.write_text(SCRIPT)
    assert value(run(script, folder)) == 0.25
    return script, folder


def test_the_next_process_follows_an_edited_law(compiled):
    script, cache = compiled
    edited = SCRIPT.replace("dw * 1.0", "dw * 2.0").replace("FACTOR = 1.0", "FACTOR = 3.0")
    script.write_text(edited)  # a helper of the law, and a number of the module
    assert value(run(script, cache)) == 1.5
    script.write_text(edited.replace("return w + where", "return w - where"))
    assert value(run(script, cache)) == -1.5
    script.write_text(SCRIPT)
    assert value(run(script, cache)) == 0.25


def test_a_second_process_compiles_nothing(compiled):
    script, cache = compiled
    files = {p: p.stat().st_mtime_ns for p in (cache / "kernels").rglob("*") if p.is_file()}
    assert any(p.suffix == ".nbc" for p in files)
    assert value(run(script, cache)) == 0.25
    assert files == {p: p.stat().st_mtime_ns for p in (cache / "kernels").rglob("*") if p.is_file()}


@pytest.mark.parametrize(
    ("pattern", "damage"),
    [
        ("pulse_Own_*.py", lambda content: content[: len(content) // 2]),
        ("__pycache__/pulse_Own_*.nbi", lambda content: b""),
        ("__pycache__/pulse_Own_*.nbc", lambda content: content[: len(content) // 2]),
        ("__pycache__/pulse_Own_*.nbc", lambda content: b"garbage"),
    ],
    ids=["half a source", "empty index", "half a kernel", "garbage"],
)
def test_a_damaged_kernel_file_is_replaced(compiled, pattern, damage):
    script, cache = compiled
    found = list((cache / "kernels").glob(pattern))
    assert found
    for path in found:
        path.write_bytes(damage(path.read_bytes()))
    assert value(run(script, cache)) == 0.25


def test_a_cache_that_cannot_be_written_is_named(tmp_path):
    script = tmp_path / "own.py"
    script.write_text(SCRIPT)
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    done = run(script, blocked)
    assert done.returncode != 0
    assert str(blocked) in done.stderr
    assert "MHO_CACHE" in done.stderr
