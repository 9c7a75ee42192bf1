"""The learner that the rules of the family share: samples move a fast array, reads of it move the slow one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from mho.devices.base import over_chips
from mho.devices.spread import PerChip, numbers
from mho.tiles.array import Array
from mho.tiles.cell import ArraySettings
from mho.update.apply import Prepared, apply_array_
from mho.update.counters import Counters
from mho.update.learner import Learner
from mho.update.moving import Gains, Rate, gains, prepare_array
from mho.update.rule import Making
from mho.update.transfer.chopping import Signs
from mho.update.transfer.filters import Filter
from mho.update.transfer.lines import Lines
from mho.update.transfer.portion import portion
from mho.update.transfer.reading import Reader
from mho.update.transfer.settings import Schedule, Speeds
from mho.update.transfer.speed import FastRate, TransferRate
from mho.update.transfer.timetable import Timetable
from mho.update.transfer.writing import Counts, Trains


class Estimate(Protocol):
    """What the fast array would show without signal, learned from its reads. values: (chips, lines, cells)."""

    values: Tensor

    def relative(self, lines: Lines, read: Tensor, switched: Tensor | None) -> Tensor:
        """Return read (chips, these lines, cells) less the reference, and learn from the read.

        switched: (chips, these lines), whether the chopper switched since the last read; None without a chopper.
        """


class Pair:
    """The slow and the fast array of a block, and how what is kept per line is laid out: size = (lines, cells)."""

    def __init__(self, making: Making, fast: ArraySettings | None, schedule: Schedule) -> None:
        self.weight, self.fast = making.array(), making.array(fast, "fast")
        self.update, self.schedule, self.place = making.update, schedule, self.fast.place
        rows, columns = self.place.shape
        self.size = (columns, rows) if schedule.by == "columns" else (rows, columns)
        self.timetable = Timetable(schedule, self.place)

    @property
    def steps(self) -> tuple[np.ndarray, np.ndarray]:
        """The step sizes of the fast and the slow array, (chips,) each."""
        return self.fast.step_size, self.weight.step_size


@dataclass
class Parts:
    """What a rule of the family is composed of, at work on one pair of arrays.

    read: of lines of the fast array. write: of the slow one, with `Trains` in proportion to the read, with `Counts` by
    the pulses of the filter. gamma: the block shows C + gamma (A - estimate), lines with the sign of their chopper.
    """

    speeds: Speeds
    read: Reader
    write: Trains | Counts
    filter: Filter | None = None
    chopper: Signs | None = None
    estimate: Estimate | None = None
    gamma: PerChip = 0.0


class Token(NamedTuple):
    """A prepared update of the fast array; the optimizer's rate, maxima and number of vectors, those of a sample."""

    prepared: list[Prepared]
    lr: Rate
    maxima: Tensor | None
    vectors: int
    positions: int


class TransferLearner(Counters, Learner):
    """Samples pulse the fast array; when lines are due, they are read, filtered and written to the slow array.

    reads: lines that were read so far.
    """

    counters = ("reads",)
    shown: Tensor | None
    gamma: Tensor

    def __init__(self, pair: Pair, parts: Parts) -> None:
        super().__init__(weight=pair.weight, fast=pair.fast)
        self.update, self.by = pair.update, pair.schedule.by
        self.timetable, self.read, self.write = pair.timetable, parts.read, parts.write
        self.filter, self.chopper = parts.filter, parts.chopper
        self.estimate: Any = parts.estimate
        self.fast_rate = FastRate(parts.speeds, pair.fast, pair.update)
        self.transfer_rate = TransferRate(parts.speeds, _worth(pair, parts))
        n = len(pair.place.chips)
        gamma = torch.from_numpy(over_chips(parts.gamma, n, "gamma").reshape(n, 1, 1).copy())
        self.register_buffer("gamma", gamma, persistent=False)
        self.register_buffer("shown", torch.zeros_like(self.weight.visible) if any(numbers(parts.gamma)) else None)
        self.reads = 0
        self.lr: Rate | None = None

    @property
    def weight(self) -> Array:
        """The slow array, C."""
        return self.array_list[0]

    @property
    def fast(self) -> Array:
        """The fast array, A."""
        return self.array_list[1]

    @property
    def visible(self) -> Tensor:
        """The weights that a product sees, (chips, rows, columns)."""
        return self.weight.visible if self.shown is None else self.shown

    @property
    def reach(self) -> Tensor:
        """Per chip the largest weight of either sign that the mean cell of the slow array can show."""
        return self.weight.reach

    def prepare(self, x: Tensor, d: Tensor, lr: Rate, *, bias: bool, first: int, positions: int) -> Token:
        """Return the update of the fast array, ready to apply; raise NotFiniteError for NaN or infinity."""
        maxima = self.fast_rate.seen(x, d, bias)
        gain = self.fast_rate.gain(lr, maxima)
        prepared = prepare_array(self.fast, x, d, gain, self.update, bias=bias, first=first)
        return Token(prepared, lr, maxima, x.shape[1], positions)

    def apply_(self, prepared: Token) -> None:
        """Move the fast array by samples, and the slow one by the transfers that are due among them.

        A line of the fast array matters to no other, so its samples before a transfer come first for all lines of a
        round of transfers together; what follows is the same as vector by vector.
        """
        self.fast_rate.keep_(prepared.maxima, None if prepared.maxima is None else self.fast.tile_list[0].intact())
        self.lr = prepared.lr
        done: np.ndarray | None = None
        for lines, after in self.timetable.pass_vectors(prepared.vectors, prepared.positions):
            done = np.zeros(self.timetable.count, np.int64) if done is None else done
            until, own = done.copy(), list(lines.numbers)
            until[own] = after
            self._move(prepared, (int(done[own].min()), int(after[-1])), (done, until))
            self.transfer_(lines)
            done = until
        if done is None:
            self._move(prepared, (0, prepared.vectors), None)
        else:
            rest = np.full_like(done, prepared.vectors)
            self._move(prepared, (int(done.min()), prepared.vectors), (done, rest))
        self._show()

    def _move(self, token: Token, vectors: tuple[int, int], part: tuple[np.ndarray, np.ndarray] | None) -> None:
        """Move the fast array by some vectors; part: from which to which vector each line takes part."""
        if part is None and self.chopper is None:
            apply_array_(token.prepared)
        else:
            factors = None if self.chopper is None else self.chopper.signs.unsqueeze(1)
            if part is not None:
                begin, end = torch.from_numpy(np.stack(part)).to(self.gamma.device)
                at = torch.arange(*vectors, device=begin.device).unsqueeze(1)
                mask = ((at >= begin) & (at < end)).float().unsqueeze(0)
                factors = mask if factors is None else mask * factors
            assert factors is not None
            apply_array_([portion(step, vectors, factors, self.by) for step in token.prepared])
        self.fast.show_()

    def transfer_(self, lines: Lines) -> None:
        """Read lines of the fast array and move the same lines of the slow one."""
        assert self.lr is not None
        lines = lines.gated(self.fast.tile_list[0].intact())
        first = self.read.first
        read, sign, switched = self.read(lines), None, None
        if self.chopper is not None:
            sign, switched = self.chopper.read_(lines)
        if self.estimate is not None:
            read = self.estimate.relative(lines, read, switched)
        if sign is not None:
            read = read * sign.unsqueeze(2)
        worth, sweep = self.transfer_rate(self.lr, read.device), self.reads // self.timetable.count
        if isinstance(self.write, Trains):
            self.write(lines, read, worth, first, sweep)
        else:
            assert self.filter is not None
            self.write(lines, self.filter(lines, read, worth), sweep)
        self.weight.show_()
        self.reads += len(lines.numbers)

    def rest_(self) -> None:
        """Transfer what is due after an optimizer step, and let the devices rest."""
        lines = self.timetable.pass_batch()
        if lines is not None and self.lr is not None:
            self.transfer_(lines)
        self.read.end()
        super().rest_()
        self._show()

    def write_(self, weights: Tensor) -> Tensor:
        """Set the slow array ideally, the fast one and the filter to 0; return the clipped share per chip."""
        clipped = self.weight.write_(weights)
        self.fast.write_(torch.zeros_like(weights))
        if self.filter is not None:
            self.filter.held.zero_()
        self._show()
        return clipped

    def show_(self) -> None:
        """Recompute what a product sees after arrays were moved by hand."""
        super().show_()
        self._show()

    def _show(self) -> None:
        if self.shown is None:
            return
        hidden = self.fast.visible
        if self.estimate is not None:
            hidden = hidden - self._laid_out(self.estimate.values)
        if self.chopper is not None:
            hidden = hidden * self._laid_out(self.chopper.signs.unsqueeze(2))
        torch.addcmul(self.weight.visible, self.gamma, hidden, out=self.shown)

    def _laid_out(self, kept: Tensor) -> Tensor:
        """Return what is kept per line, (chips, lines, ...), as (chips, rows, columns)."""
        return kept.transpose(1, 2) if self.by == "columns" else kept

    def tally(self) -> dict[str, Any]:
        """Return by array what happened to its devices so far, and how many lines were read for transfers."""
        return super().tally() | {"transfer_reads": self.reads}


def _worth(pair: Pair, parts: Parts) -> Gains:
    """Return what turns the rate of a transfer into what a read is worth to what takes it."""
    if isinstance(parts.write, Trains):
        return gains(pair.weight, parts.write.update)
    assert parts.filter is not None
    return Gains(parts.filter.theta(pair.steps, pair.timetable.period))
