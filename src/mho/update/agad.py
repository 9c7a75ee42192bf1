"""AGAD: chopped transfer against a reference that is estimated on the fly."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mho.devices.spread import PerChip, numbers
from mho.periphery.settings import Periphery
from mho.tiles.cell import ArraySettings
from mho.update.rule import Making, Rule
from mho.update.transfer.checks import CLEARED, TRANSFER_READ, check_rule
from mho.update.transfer.settings import Buffer, Chopper, LastPeriod, Schedule, speeds_of

if TYPE_CHECKING:
    from mho.update.learner import Learner

SWITCHING = Chopper(switching="regular")
"""All lines switch at every tenth read of theirs."""


@dataclass(frozen=True)
class Agad(Rule):
    """Analog gradient accumulation with dynamic reference (AGAD): c-TTv2 whose reads are taken against a moving mean.

    H_j <- H_j + beta c_j (read(A_j) - R_j) / theta, R_j the mean of the reads in the last period of the line's
    chopper, when it was written with the other sign. A constant offset of the fast array has no effect at all, so
    it needs no reference devices.
    Source: Rasch, Carta, Fagbohungbe & Gokmen, Nat. Commun. 15:7133 (2024); IBM aihwkit, `DynamicTransferCompound`,
    whose defaults these are but for scale_fast_lr. Its presets for devices of few states have chopper.probability =
    0.02, fast_lr = 0.5 without scale_fast_lr, auto_scale, and buffer.granularity = 1000.

    reference: how the mean is taken. The other settings are those of `ChoppedTTv2`.
    Rates may be lists of one per chip. Raises ConfigError for other values.
    """

    fast_lr: PerChip = 1.0
    scale_fast_lr: bool = True
    transfer_lr: PerChip = 1.0
    scale_transfer_lr: bool = True
    auto_scale: bool = False
    schedule: Schedule = field(default_factory=Schedule)
    chopper: Chopper = SWITCHING
    reference: LastPeriod = field(default_factory=LastPeriod)
    buffer: Buffer = CLEARED
    read: Periphery = TRANSFER_READ
    fast: ArraySettings | None = None

    def __post_init__(self) -> None:
        own = []
        if any(p == 0 for p in numbers(self.chopper.probability)):
            own.append(("chopper.probability", "is 0, but without switching there is no last period; give 0.1"))
        check_rule(self, own)

    def learner(self, making: Making) -> Learner:
        """Return the learner of one block of a weight matrix."""
        from mho.update.transfer import parts as p  # configurations are read without torch

        pair, by = p.Pair(making, self.fast, self.schedule), self.schedule.by
        parts = p.Parts(
            speeds_of(self), p.Reader(pair.fast, self.read, by), p.Counts(pair.weight, by),
            filter=p.BufferFilter(self.buffer, pair.place, pair.size),
            chopper=p.Signs(self.chopper, pair.place, pair.size[0]),
            estimate=p.PeriodMean(self.reference, self.chopper, pair.place, pair.size),
        )  # fmt: skip
        return p.TransferLearner(pair, parts)
