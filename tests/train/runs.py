"""Small runs for the tests: a few digits, in this process or in one of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from mho.config import RunConfig

COMMAND = [sys.executable, "-c", "from mho.cli import main; main()"]
SMALL = {"data": "digits", "train_images": 60, "epochs": 2, "batch_size": 10, "threads": 1}


def small(**changes: Any) -> RunConfig:
    """Return the configuration of a run that takes a moment."""
    return RunConfig(**{**SMALL, **changes})


def mho(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the command line and return what came of it."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True, text=True, timeout=300, check=False, env=environment(), **options,
    )  # fmt: skip


def start(*arguments: object) -> subprocess.Popen[str]:
    """Start the command line and return at once; it hears Ctrl-C, which tests started in the background ignore."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "preexec_fn": _hear_ctrl_c}
    return subprocess.Popen([*COMMAND, *map(str, arguments)], env=environment(), **pipes)  # type: ignore[call-overload, no-any-return]


def _hear_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def environment() -> dict[str, str]:
    """Return an environment for plain output, with this process's mho."""
    import mho as package

    source = str(Path(package.__file__).parents[1])
    paths = [source, *filter(None, [os.environ.get("PYTHONPATH")])]
    wide = {"COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1"}
    return {**os.environ, **wide, "PYTHONPATH": os.pathsep.join(paths)}


def lines(folder: Path) -> list[dict[str, Any]]:
    """Return the metrics of a run directory, none before there is a file."""
    path = folder / "metrics.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def wait_for_epoch(folder: Path, epoch: int, process: subprocess.Popen[str]) -> None:
    """Return as soon as the line of an epoch is there."""
    limit = time.monotonic() + 120
    while len(lines(folder)) < epoch:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < limit
        time.sleep(0.002)


def bytes_of(folder: Path) -> dict[str, bytes]:
    """Return the checkpoint's files."""
    return {path.name: path.read_bytes() for path in sorted((folder / "checkpoint").iterdir())}


def without_times(folder: Path) -> list[dict[str, Any]]:
    """Return the metrics without what differs from run to run."""
    return [{k: v for k, v in line.items() if k != "seconds"} for line in lines(folder)]
