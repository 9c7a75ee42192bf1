"""Real processes killed with kill -9: a worker, and the process that gives the tasks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mho.sweep import plan, run
from mho.sweep.executors.local import Local
from mho.sweep.files import begin, pack_file
from sweep.killing import carry_out_while, kill_after, wait_for
from sweep.small import begin as begin_process
from sweep.small import results, small

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no kill -9 on Windows")

LONG = {"max_chips": 4, "epochs": 8, "images": 100}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return the directory of the same sweep computed in one process, and never stopped."""
    out = tmp_path_factory.mktemp("whole")
    run(small(**LONG), out=out, progress=False)
    return out


def children(pid: int) -> list[int]:
    said = subprocess.run(["pgrep", "-P", str(pid)], stdout=subprocess.PIPE, text=True, check=False).stdout
    return [int(line) for line in said.split()]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_killed_worker_costs_nothing(tmp_path, whole, capsys):
    made, killed = begin(tmp_path, plan(small(**LONG))), []
    executor = Local(2)

    def kill_one() -> None:
        wait_for(pack_file(tmp_path, 0))
        worker = next(w for w in list(executor.running) if w.task is not None)
        killed.append(worker.process.pid)
        os.kill(worker.process.pid, signal.SIGKILL)

    carry_out_while(kill_one, made, executor, tmp_path)
    said = capsys.readouterr().out
    assert f"process {killed[0]}, was killed by signal 9; given again" in said
    assert results(tmp_path) == results(whole)


@pytest.mark.slow
def test_a_killed_driver_leaves_no_worker_behind_and_is_gone_on_with(tmp_path, whole):
    out, workers = tmp_path / "out", []
    process = begin_process(tmp_path, out, "--workers", "2", **LONG)
    kill_after(pack_file(out, 0), process, lambda: workers.extend(children(process.pid)))
    assert len(workers) == 2
    end = time.monotonic() + 20
    while any(map(alive, workers)):
        assert time.monotonic() < end, "workers outlive the process that gave them their tasks"
        time.sleep(0.05)
    assert not (out / "table.parquet").exists()
    kept = {path: path.stat().st_mtime_ns for path in (out / "packs").glob("*.parquet")}
    run(None, out=out, workers=1, progress=False)
    assert results(out) == results(whole)
    assert all(path.stat().st_mtime_ns == when for path, when in kept.items())  # finished packs stay as they were


@pytest.mark.slow
def test_ctrl_c_ends_the_workers_and_says_how_to_go_on(tmp_path, whole):
    out = tmp_path / "out"
    process = begin_process(tmp_path, out, "--workers", "2", **LONG)
    wait_for(pack_file(out, 0), process)
    workers = children(process.pid)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"finished runs are kept; go on with: mho sweep --resume {out}" in said
    assert "Traceback" not in said
    assert not any(map(alive, workers))
