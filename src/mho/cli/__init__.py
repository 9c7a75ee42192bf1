"""The command `mho`. Importing this loads neither torch nor the command-line library."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit: 0, or not 0 with the reason on stderr in one line."""
    from mho.cli.app import run

    sys.exit(run(sys.argv[1:]))
