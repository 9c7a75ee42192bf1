"""Programs started by torchrun, as users start them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from train.runs import environment

TESTS = Path(__file__).parents[1]


def torchrun(processes: int, *arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a program, or `-m MODULE`, in several processes of this machine; return what came of it."""
    return subprocess.run(
        command(processes, *arguments), capture_output=True, text=True, timeout=300, check=False, env=env(**variables)
    )


def command(processes: int, *arguments: object) -> list[str]:
    """Return the command line; every launch finds a free port of its own."""
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    return [*run, *map(str, arguments)]


def env(**variables: str) -> dict[str, str]:
    """Return an environment with this process's mho and the tests' own modules."""
    own = environment()
    return {**own, "OMP_NUM_THREADS": "1", "PYTHONPATH": f"{own['PYTHONPATH']}:{TESTS}", **variables}
