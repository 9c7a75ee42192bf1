"""`python -m mho`, the same as the command `mho`."""

from mho.cli import main

main()
