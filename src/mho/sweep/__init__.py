"""Sweeps over any setting: points packed as chips of few runs, spread over processes and machines.

`mho.sweep.run(sweep, out=DIR)` computes one, `mho.sweep.plan(sweep)` only says what would be computed.
"""

from mho.sweep.plan import Plan, plan
from mho.sweep.run import run
from mho.sweep.settings import Grid, Sweep
from mho.sweep.sweep_file import dump, load, loads
from mho.sweep.table import SweepTable, read

__all__ = ["Grid", "Plan", "Sweep", "SweepTable", "dump", "load", "loads", "plan", "read", "run"]
