"""Sweeps in which something is killed: wait until there are results to lose, kill, and go on."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

from mho.sweep.engine import carry_out
from mho.sweep.executors.base import Executor
from mho.sweep.files import write_table
from mho.sweep.plan import Plan
from mho.sweep.progress import Lines


def wait_for(path: Path, process: subprocess.Popen[str] | None = None, seconds: float = 300) -> None:
    """Return as soon as a file is there; the process that is to write it must go on until then."""
    end = time.monotonic() + seconds
    while not path.exists():
        assert process is None or process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end, f"{path} did not come in {seconds} s"
        time.sleep(0.01)


def kill_after(path: Path, process: subprocess.Popen[str], look: Callable[[], None] = lambda: None) -> None:
    """Kill a process as soon as a file is there, and `look` was called; it never outlives the test."""
    try:
        wait_for(path, process)
        look()
    finally:
        process.kill()
        process.communicate()


def carry_out_while(kill: Callable[[], None], made: Plan, executor: Executor, folder: Path) -> None:
    """Carry out a whole plan and write its table, while `kill` does its work beside it."""
    killer = threading.Thread(target=kill)
    killer.start()
    try:
        carry_out(made, made.packs, executor, folder, shown=Lines())
    finally:
        executor.close()
        killer.join()
    write_table(folder, made)
