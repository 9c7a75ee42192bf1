"""Chopped Tiki-Taka v2: the signs of the fast array's lines switch at random, so that its offsets average out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mho.devices.spread import PerChip
from mho.periphery.settings import Periphery
from mho.tiles.cell import ArraySettings
from mho.update.rule import Making, Rule
from mho.update.transfer.checks import CLEARED, TRANSFER_READ, check_rule
from mho.update.transfer.settings import Buffer, Chopper, Schedule, speeds_of

if TYPE_CHECKING:
    from mho.update.learner import Learner


@dataclass(frozen=True)
class ChoppedTTv2(Rule):
    """Chopped Tiki-Taka v2 (c-TTv2): TTv2 whose fast array is written and read with switching signs.

    A_j <- A_j - alpha c_j sum d x_j by pulses; when line j is due, H_j <- H_j + beta c_j read(A_j) / theta, then c_j
    may switch; where abs(H) >= 1 the slow device gets a pulse. What A shows without signal, as a symmetry point that
    was not met, enters H with both signs and cancels.
    Source: Rasch, Carta, Fagbohungbe & Gokmen, Nat. Commun. 15:7133 (2024); IBM aihwkit, `ChoppedTransferCompound`,
    whose defaults these are but for scale_fast_lr. Its presets for devices of few states have chopper.probability =
    0.01, fast_lr = 0.5 without scale_fast_lr, auto_scale, and buffer.granularity = 1000.

    chopper: when signs switch. The other settings are those of `TTv2`.
    Rates may be lists of one per chip. Raises ConfigError for other values.
    """

    fast_lr: PerChip = 1.0
    scale_fast_lr: bool = True
    transfer_lr: PerChip = 1.0
    scale_transfer_lr: bool = True
    auto_scale: bool = False
    schedule: Schedule = field(default_factory=Schedule)
    chopper: Chopper = field(default_factory=Chopper)
    buffer: Buffer = CLEARED
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
            filter=p.BufferFilter(self.buffer, pair.place, pair.size),
            chopper=p.Signs(self.chopper, pair.place, pair.size[0]),
        )  # fmt: skip
        return p.TransferLearner(pair, parts)
