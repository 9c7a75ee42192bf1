"""Tiki-Taka v2: a digital buffer between the fast and the slow array."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mho.devices.spread import PerChip
from mho.periphery.settings import Periphery
from mho.tiles.cell import ArraySettings
from mho.update.rule import Making, Rule
from mho.update.transfer.checks import TRANSFER_READ, check_rule
from mho.update.transfer.settings import Buffer, Schedule, speeds_of

if TYPE_CHECKING:
    from mho.update.learner import Learner


@dataclass(frozen=True)
class TTv2(Rule):
    """Tiki-Taka v2: what is read from the fast array collects in a digital buffer, which gives single pulses.

    A <- A - alpha sum d x^T by pulses; when line j is due, H_j <- H_j + beta read(A_j) / theta, and where abs(H) >= 1
    the slow device gets a pulse (see `Buffer`). Noise of reads averages out in H. The block shows C + gamma A.
    Source: Gokmen, Front. Artif. Intell. 4:699148 (2021); IBM aihwkit, `BufferedTransferCompound`, whose defaults these
    are. Its presets for devices of few states have fast_lr = 0.5 without scale_fast_lr, auto_scale, and
    buffer.granularity = 1000: the fast array then gets as many pulses however small the errors are.

    fast_lr: alpha, with `scale_fast_lr` times the optimizer's rate; with `auto_scale` in units of what makes BL pulses
    of the largest product (see `Speeds`). transfer_lr: beta, with `scale_transfer_lr` times the optimizer's rate.
    gamma: from 0. schedule: which lines are due, and when. buffer: H. read: the periphery of reading lines.
    fast: device and cell of A; None: the layer's own.
    Rates and gamma may be lists of one per chip. Raises ConfigError for other values.
    """

    fast_lr: PerChip = 1.0
    scale_fast_lr: bool = True
    transfer_lr: PerChip = 1.0
    scale_transfer_lr: bool = True
    auto_scale: bool = False
    gamma: PerChip = 0.0
    schedule: Schedule = field(default_factory=Schedule)
    buffer: Buffer = field(default_factory=Buffer)
    read: Periphery = TRANSFER_READ
    fast: ArraySettings | None = None

    def __post_init__(self) -> None:
        check_rule(self)

    def learner(self, making: Making) -> Learner:
        """Return the learner of one block of a weight matrix."""
        from mho.update.transfer import parts as p  # configurations are read without torch

        pair, by = p.Pair(making, self.fast, self.schedule), self.schedule.by
        parts = p.Parts(
            speeds_of(self), p.Reader(pair.fast, self.read, by), p.Counts(pair.weight, by),
            filter=p.BufferFilter(self.buffer, pair.place, pair.size), gamma=self.gamma,
        )  # fmt: skip
        return p.TransferLearner(pair, parts)
