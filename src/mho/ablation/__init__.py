"""Many configurations as chips of one run: `mho ablate` finds which property of the hardware costs the accuracy."""

from mho.ablation.costs import Cost, Row
from mho.ablation.run import Ablation, Options, Plan, ablate, plan, resume

__all__ = ["Ablation", "Cost", "Options", "Plan", "Row", "ablate", "plan", "resume"]
