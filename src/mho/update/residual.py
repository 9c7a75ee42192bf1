"""Residual learning: gradients are taken at W + gamma P, and P holds the residual that W still lacks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from mho.devices.spread import PerChip
from mho.periphery.settings import Periphery
from mho.tiles.cell import ArraySettings
from mho.update.rule import Making, Rule
from mho.update.settings import Update
from mho.update.transfer.checks import TRANSFER_READ, check_rule
from mho.update.transfer.settings import Average, Schedule, convert, positive, speeds_of

if TYPE_CHECKING:
    from mho.update.learner import Learner


@dataclass(frozen=True)
class Residual(Rule):
    """Residual learning: the fast array P follows the residual of the slow array W, since the block shows W + gamma P.

    P <- P - alpha sum d x^T by pulses, with errors d at W + gamma P; when line j is due, W_j <- W_j + beta read(P_j).
    version: "v1", where W moves by pulse trains, which is Tiki-Taka with gamma > 0; "v2", where reads enter a moving
    average H and W moves by beta H in whole pulses, none below the threshold (see `Average`).
    Source: Wu, Xiao, Gokmen, Fagbohungbe & Chen, arXiv 2502.06309 (2025), who use gamma from 0.1 to 0.4.

    fast_lr: alpha, with `scale_fast_lr` times the optimizer's rate. transfer_lr: beta, with `scale_transfer_lr` times
    the optimizer's rate. gamma: above 0. schedule: which lines are due, and when. average: H (v2). read: the periphery
    of reading them. write: the pulse trains of W (v1). fast: device and cell of P; None: the layer's own.
    Rates and gamma may be lists of one per chip. Raises ConfigError for other values.
    """

    version: Literal["v1", "v2"] = "v1"
    fast_lr: PerChip = 1.0
    scale_fast_lr: bool = True
    transfer_lr: PerChip = 1.0
    scale_transfer_lr: bool = True
    gamma: PerChip = 0.4
    schedule: Schedule = field(default_factory=Schedule)
    average: Average = field(default_factory=Average)
    read: Periphery = TRANSFER_READ
    write: Update = field(default_factory=Update)
    fast: ArraySettings | None = None

    def __post_init__(self) -> None:
        own = []
        if self.version not in ("v1", "v2"):
            own.append(("version", f"is v1 or v2, found {self.version!r}"))
        convert(self, "gamma")
        own += positive(self, "gamma", "the share of P that the network sees; give 0.4")
        check_rule(self, own)

    def learner(self, making: Making) -> Learner:
        """Return the learner of one block of a weight matrix."""
        from mho.update.transfer import parts as p  # configurations are read without torch

        pair, by = p.Pair(making, self.fast, self.schedule), self.schedule.by
        read = p.Reader(pair.fast, self.read, by)
        if self.version == "v1":
            parts = p.Parts(speeds_of(self), read, p.Trains(pair.weight, self.write, by), gamma=self.gamma)
        else:
            average = p.AverageFilter(self.average, pair.place, pair.size)
            parts = p.Parts(speeds_of(self), read, p.Counts(pair.weight, by), filter=average, gamma=self.gamma)
        return p.TransferLearner(pair, parts)
