"""A study that is killed goes on where it was, to the same results."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mho.studies import run
from studies.small import settings

CASES = ("digital baseline", "+ BL management")


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
def test_a_killed_study_goes_on_to_the_same_results(small: Path, tmp_path: Path) -> None:
    chosen = settings(small, epochs=30, train_images=64)
    words = ["study", "run", "gokmen-2016", "--plain", "--out", str(tmp_path / "killed")]
    words += [word for setting in chosen for word in ("--set", setting)]
    words += [word for case in CASES for word in ("--case", case)]
    code = "import sys; from mho.cli import main; main()"
    with subprocess.Popen([sys.executable, "-c", code, *words], stdout=subprocess.PIPE, env=os.environ) as child:
        metrics = tmp_path / "killed" / "runs" / "bl-management" / "metrics.jsonl"
        deadline = time.monotonic() + 100
        while not metrics.is_file() and child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        child.send_signal(signal.SIGKILL)
    assert metrics.is_file()
    assert not (metrics.parent / "summary.json").exists(), "it was too fast to be killed in time"
    partial = json.loads((tmp_path / "killed" / "results.json").read_text(encoding="utf-8"))
    assert [row["case"] for row in partial] == [CASES[0]]
    resumed = run("gokmen-2016", out=tmp_path / "killed", settings=chosen, cases=CASES, progress=False)
    whole = run("gokmen-2016", out=tmp_path / "whole", settings=chosen, cases=CASES, progress=False)
    assert resumed == whole
    assert [row["case"] for row in resumed] == list(CASES)
