"""The command `mho`. Importing this loads neither torch nor the command-line library."""

from __future__ import annotations

import os
import sys

# Threads of torch that wait for work spin for milliseconds by default. Where anything else runs on the machine, they
# then take the cores from the very thread they wait for: 18 to 24 ms instead of 2 to 5 ms a step of the fully connected
# network on 2 busy cores. OpenMP reads this when torch is loaded, so it must be set before.
SPINS = "1000"


def main() -> None:
    """Run the command line and exit: 0, or not 0 with the reason on stderr in one line."""
    os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
    from mho.cli.app import run

    sys.exit(run(sys.argv[1:]))
