"""A run of every rule that is stopped or killed in the middle of its second epoch goes on to the same bytes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mho
from mho.config import RunConfig, save
from mho.optim import AnalogSGD
from rules.cases import NAMES, busy
from train.runs import bytes_of, environment, lines, small, without_times

EPOCHS, STEPS = 3, 6
AT = STEPS + 4
"""The step of the second epoch before which a run ends."""
WITH_EVERYTHING = "agad"
"""The rule whose learner has most to keep: schedule, buffer, chopper, reference estimate, two arrays."""
Runs = Callable[[str], Path]
KILLED = """
import os, signal, sys
import mho
from mho.config import load
from mho.optim import AnalogSGD

step, done = AnalogSGD.step, 0

def stepping(self, *rest):
    global done
    done += 1
    if done == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self, *rest)

AnalogSGD.step = stepping
mho.train(load(sys.argv[1]), out=sys.argv[2], progress=False)
"""


class Stopped(Exception):
    """Raised in the middle of an epoch."""


def run_of(name: str) -> RunConfig:
    """Return a run of the rule on two chips, with settings under which all of it is at work."""
    return small(epochs=EPOCHS, train_images=10 * STEPS, chips=2, lr=0.05, analog=busy(name))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Return, by rule, the directory of a run that never stopped."""
    folder, done = tmp_path_factory.mktemp("whole"), set()

    def of(name: str) -> Path:
        if name not in done:
            mho.train(run_of(name), out=folder / name, progress=False)
            done.add(name)
        return folder / name

    return of


def same(folder: Path, other: Path) -> None:
    assert bytes_of(folder) == bytes_of(other)
    assert without_times(folder) == without_times(other)
    told, wanted = (json.loads((path / "summary.json").read_text())["rules"] for path in (folder, other))
    assert told == wanted
    assert any(sum(array["pulses"]) > 0 for array in wanted["fc1"][0].values() if isinstance(array, dict))


def go_on(folder: Path, whole: Path) -> None:
    """Resume a run of which one epoch is kept, and compare it with one that never stopped."""
    assert len(lines(folder)) == 1
    mho.train(resume=folder, progress=False)
    same(folder, whole)


@pytest.mark.parametrize("name", NAMES)
def test_stopped_in_the_second_epoch_and_resumed(
    name: str, whole: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, done = AnalogSGD.step, 0

    def stepping(self: AnalogSGD, *rest: Any) -> Any:
        nonlocal done
        done += 1
        if done == AT:
            raise Stopped
        return step(self, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(AnalogSGD, "step", stepping)
        with pytest.raises(Stopped):
            mho.train(run_of(name), out=tmp_path / "run", progress=False)
    go_on(tmp_path / "run", whole(name))


def killed(name: str, folder: Path) -> None:
    """Run in a process of its own, which gets kill -9 in the middle of the second epoch."""
    save(run_of(name), folder / "run.toml")
    command = [sys.executable, "-c", KILLED, str(folder / "run.toml"), str(folder / "run"), str(AT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=environment())
    assert done.returncode == -signal.SIGKILL, done.stderr


def test_killed_in_the_second_epoch_and_resumed(whole: Runs, tmp_path: Path) -> None:
    killed(WITH_EVERYTHING, tmp_path)
    go_on(tmp_path / "run", whole(WITH_EVERYTHING))


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if name != WITH_EVERYTHING])
def test_every_other_rule_killed_in_the_second_epoch_and_resumed(name: str, whole: Runs, tmp_path: Path) -> None:
    killed(name, tmp_path)
    go_on(tmp_path / "run", whole(name))


def test_the_rule_is_part_of_what_a_run_goes_on_with(whole: Runs, tmp_path: Path) -> None:
    """The configuration in the run directory holds the rule with its settings, and another rule is refused."""
    from mho.config import load
    from mho.errors import MhoError

    folder = tmp_path / "run"
    mho.train(run_of(WITH_EVERYTHING).with_(epochs=1), out=folder, progress=False)
    assert load(folder / "config.toml").analog.rule == run_of(WITH_EVERYTHING).analog.rule
    before = bytes_of(folder)
    with pytest.raises(MhoError, match="rule"):
        mho.train(run_of("ttv2"), resume=folder, progress=False)
    assert bytes_of(folder) == before
