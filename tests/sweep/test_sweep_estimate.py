"""What a sweep is said to cost before it starts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mho.sweep import Grid, Sweep, plan
from mho.sweep.compute import run_of
from mho.sweep.estimate import Estimate, counted, estimate, expected, size
from mho.sweep.executors.serial import Serial
from mho.sweep.progress import duration, speed
from sweep.small import small

MEASURE = """
import json
from mho.data import load
from mho.sweep import Grid, Sweep, plan
from mho.sweep.compute import run_of
from mho.sweep.probe import probe, resident
from mho.train import Trainer
grid = Grid({"device.dw_min": {"from": 0.001, "to": 0.002, "points": 48}})
made = plan(Sweep((grid,), {"data": "digits", "epochs": 2}, seeds=1, baseline=98.0))
config, data = run_of(made.task(made.packs[0])), load("digits")
said = probe(run_of(made.task(made.packs[0], [0, 1])), data, 1)  # compiles, and is of other size
said = probe(config, data, 1)
before = resident()
trainer = Trainer(config.with_(train_images=20), data)
trainer.run_epoch()
print(json.dumps({**said, "run": resident() - before}))
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system does not say what a process holds")
def test_memory_is_estimated_as_it_is_measured():
    run = subprocess.run(
        [sys.executable, "-c", MEASURE], stdout=subprocess.PIPE, text=True, check=True, timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    found = json.loads(run.stdout)
    assert found["chips"] == 48
    assert found["counted"] > 48 * 50_000 * 8  # a state and a step size of every device, at least
    told = max(found["counted"], found["measured"])
    assert 0.5 * found["run"] < told < 3 * found["counted"]


def test_the_cost_of_packs_is_that_of_probes_for_as_many_chips(monkeypatch):
    made = plan(small())
    probed = []

    def probe(config, data, threads):
        probed.append(config.n_chips)
        chips = config.n_chips
        return {"seconds": 10.0 * chips, "counted": 5e6 * chips, "measured": 4e6, "chips": chips}

    monkeypatch.setattr("mho.sweep.probe.probe", probe)
    cost = estimate(made, made.packs, Serial())
    assert probed == [4, 8]  # the baselines, and one of the two alike
    assert cost == Estimate(seconds=40.0 + 80.0 + 80.0, memory=40e6, workers=1)
    assert counted(made, made.packs[2:])[-1] == "finished already: 2 runs; left: 1"
    assert expected(cost)[0].startswith("expected: 3.3 min, and for the largest run 40 MB")


@pytest.mark.parametrize("seeds", [16, 500])
def test_a_large_pack_is_probed_with_some_of_its_chips(monkeypatch, seeds):
    grid = Grid({"dw_min": {"from": 0.001, "to": 0.002, "points": 50}})
    made = plan(Sweep((grid,), {"data": "digits"}, seeds=seeds, max_chips=50 * seeds, baseline=98.0))
    monkeypatch.setattr(
        "mho.sweep.probe.probe",
        lambda config, data, threads: {
            "seconds": 0.5 * config.n_chips, "counted": 1e6 * config.n_chips, "measured": 0.0, "chips": config.n_chips
        },
    )  # fmt: skip
    monkeypatch.setattr("mho.sweep.compute.run_of", runs := Runs())
    cost = estimate(made, made.packs, Serial())
    assert runs.chips == [128]
    assert cost == Estimate(seconds=0.5 * 50 * seeds, memory=1e6 * 50 * seeds, workers=1)


class Runs:
    """Makes the run of a task, and notes its chips."""

    def __init__(self):
        self.chips = []

    def __call__(self, task):
        made = run_of(task)
        self.chips.append(made.n_chips)
        return made


def test_numbers_are_said_in_units_that_fit():
    assert [duration(s) for s in (3, 100, 6000, 90_000, 1e6)] == ["3 s", "1.7 min", "1.7 h", "25 h", "12 days"]
    assert [speed(r) for r in (12.34, 0.1, 0.05)] == ["12 points/s", "0.1 points/s", "3 points/min"]
    assert [size(b) for b in (3e3, 4.2e6, 1.5e9)] == ["3 kB", "4.2 MB", "1.5 GB"]
