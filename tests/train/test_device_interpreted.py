"""A whole run on the GPU backend, by Triton's interpreter: the pulses of the CPU, and checkpoints that go to either.

The interpreter is chosen before Triton is imported, so each test is a program of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from train.runs import environment

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed"),
]

NETWORK = """
from torch import nn


def small(shape, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 6), nn.Sigmoid(), nn.Linear(6, classes))
"""

BEGIN = """
import sys, warnings
import torch
from kernels.interpreting import hasten
from mho.config import RunConfig
from mho.data import load
from mho.train import train

warnings.simplefilter("ignore")
hasten()
folder = sys.argv[1]
data = load("digits").first(8, 4)
common = dict(data="digits", epochs=1, batch_size=4, threads=1, chips=2, network=folder + "/network.py:small")


def run(**changes):
    places = {k: changes.pop(k) for k in ("out", "resume") if k in changes}
    return train(RunConfig(**common, **changes), progress=False, data=data, **places)


def state(result):
    return result.model.state_dict()
"""

SAME = """
gpu, cpu = run(backend="gpu"), run()
for name, value in state(cpu).items():
    torch.testing.assert_close(state(gpu)[name], value, rtol=0, atol=1e-6, msg=name)
for key in ("train_accuracy", "test_accuracy", "pulses", "products", "test_products"):
    assert gpu.metrics[0][key] == cpu.metrics[0][key], key
torch.testing.assert_close(gpu.metrics[0]["train_loss"], cpu.metrics[0]["train_loss"])
assert sum(map(sum, cpu.metrics[0]["pulses"].values())) > 0
"""

CHECKPOINT = """
from mho.train.folder import RunFolder
from mho.train.loop import Trainer
from pathlib import Path

run(backend="gpu", out=folder + "/run")
cpu = Trainer(RunConfig(**common), data)
RunFolder(Path(folder) / "run").restore(cpu)
gpu = Trainer(RunConfig(backend="gpu", **common), data)
RunFolder(Path(folder) / "run").restore(gpu)
lines = [trainer.run_epoch() for trainer in (cpu, gpu)]
for name, value in cpu.model.state_dict().items():
    torch.testing.assert_close(gpu.model.state_dict()[name], value, rtol=0, atol=1e-6, msg=name)
assert lines[0]["pulses"] == lines[1]["pulses"]
"""


def interpreted(script: str, folder: Path) -> None:
    (folder / "network.py").write_text(NETWORK)
    told = environment() | {"TRITON_INTERPRET": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + script, str(folder)],
        capture_output=True, text=True, timeout=300, check=False, env=told,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]


def test_a_run_has_the_pulses_of_the_cpu(tmp_path: Path) -> None:
    interpreted(SAME, tmp_path)


def test_a_checkpoint_goes_on_on_either(tmp_path: Path) -> None:
    interpreted(CHECKPOINT, tmp_path)
