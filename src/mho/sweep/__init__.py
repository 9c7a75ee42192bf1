"""Many configurations as chips of one run: `mho ablate` finds which property of the hardware costs the accuracy."""

from mho.sweep.ablation import Ablation, Options, Plan, ablate, plan, resume
from mho.sweep.costs import Cost, Row

__all__ = ["Ablation", "Cost", "Options", "Plan", "Row", "ablate", "plan", "resume"]
