"""Tiki-Taka v2: a digital buffer between the fast and the slow array."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mho.devices.spread import PerChip
from mho.periphery.settings import Periphery
from mho.tiles.cell import ArraySettings
from mho.update.rule import Making, Rule
from mho.update.transfer.checks import BUFFER, TRANSFER_READ, check_rule
from mho.update.transfer.settings import Buffer, Schedule, Speeds

if TYPE_CHECKING:
    from mho.update.learner import Learner


@dataclass(frozen=True)
class TTv2(Rule):
    """Tiki-Taka v2: what is read from the fast array collects in a digital buffer, which gives single pulses.

    A <- A - alpha sum d x^T by pulses; when line j is due, H_j <- H_j + beta read(A_j) / theta, and where abs(H) >= 1
    the slow device gets a pulse (see `Buffer`). Noise of reads averages out in H. The block shows C + gamma A.
    Source: Gokmen, Front. Artif. Intell. 4:699148 (2021); IBM aihwkit, `BufferedTransferCompound`; defaults as its
    presets for TTv2 (fast_lr 0.5, auto_scale, auto_granularity 1000).

    fast_lr: alpha; with `auto_scale` in units of what makes BL pulses of the largest product (see `Speeds`), with
    `scale_fast_lr` times the optimizer's rate. transfer_lr: beta, with `scale_transfer_lr` times the optimizer's rate.
    gamma: from 0. schedule: which lines are due, and when. buffer: H. read: the periphery of reading lines.
    fast: device and cell of A; None: the layer's own.
    Rates and gamma may be lists of one per chip. Raises ConfigError for other values.
    """

    fast_lr: PerChip = 0.5
    scale_fast_lr: bool = False
    transfer_lr: PerChip = 1.0
    scale_transfer_lr: bool = True
    auto_scale: bool = True
    gamma: PerChip = 0.0
    schedule: Schedule = field(default_factory=Schedule)
    buffer: Buffer = BUFFER
    read: Periphery = TRANSFER_READ
    fast: ArraySettings | None = None

    def __post_init__(self) -> None:
        check_rule(self)

    @property
    def speeds(self) -> Speeds:
        """The rates of both arrays."""
        return Speeds(self.fast_lr, self.scale_fast_lr, self.transfer_lr, self.scale_transfer_lr, self.auto_scale)

    def learner(self, making: Making) -> Learner:
        """Return the learner of one block of a weight matrix."""
        from mho.update.transfer import parts as p  # configurations are read without torch

        pair, by = p.Pair(making, self.fast, self.schedule), self.schedule.by
        parts = p.Parts(
            self.speeds, p.Reader(pair.fast, self.read, by), p.Counts(pair.weight, by),
            filter=p.BufferFilter(self.buffer, pair.place, pair.size), gamma=self.gamma,
        )  # fmt: skip
        return p.TransferLearner(pair, parts)
