"""Tiki-Taka: samples pulse a fast array, whose lines are read and written to a slow one in proportion."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mho.devices.spread import PerChip
from mho.periphery.settings import Periphery
from mho.tiles.cell import ArraySettings
from mho.update.rule import Making, Rule
from mho.update.settings import Update
from mho.update.transfer.checks import TRANSFER_READ, check_rule
from mho.update.transfer.settings import Schedule, speeds_of

if TYPE_CHECKING:
    from mho.update.learner import Learner


@dataclass(frozen=True)
class TikiTaka(Rule):
    """Tiki-Taka (v1): gradients go to a fast array A; its lines are transferred to the slow array C by pulse trains.

    A <- A - alpha sum d x^T by pulses; when line j is due, C_j <- C_j + beta read(A_j) by pulses. The block shows
    C + gamma A. A should have its symmetry point at 0: its devices drift there, and elsewhere the drift is transferred.
    Source: Gokmen & Haensch, Front. Neurosci. 14:103 (2020); IBM aihwkit, `TransferCompound`.

    fast_lr: alpha, with `scale_fast_lr` times the optimizer's rate. transfer_lr: beta, with `scale_transfer_lr` times
    the optimizer's rate. gamma: from 0. schedule: which lines are due, and when. read: the periphery of reading them.
    write: the pulse trains of the slow array. fast: device and cell of A; None: the layer's own.
    Rates and gamma may be lists of one per chip. Raises ConfigError for other values.
    """

    fast_lr: PerChip = 1.0
    scale_fast_lr: bool = True
    transfer_lr: PerChip = 1.0
    scale_transfer_lr: bool = True
    gamma: PerChip = 0.0
    schedule: Schedule = field(default_factory=Schedule)
    read: Periphery = TRANSFER_READ
    write: Update = field(default_factory=Update)
    fast: ArraySettings | None = None

    def __post_init__(self) -> None:
        check_rule(self)

    def learner(self, making: Making) -> Learner:
        """Return the learner of one block of a weight matrix."""
        from mho.update.transfer import parts as p  # configurations are read without torch

        pair, by = p.Pair(making, self.fast, self.schedule), self.schedule.by
        parts = p.Parts(
            speeds_of(self), p.Reader(pair.fast, self.read, by), p.Trains(pair.weight, self.write, by), gamma=self.gamma
        )
        return p.TransferLearner(pair, parts)
