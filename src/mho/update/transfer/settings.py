"""The settings of the parts of a transfer: schedule, filters, chopper, reference estimate, rates."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, Literal

from mho.devices.spread import PerChip, numbers, per_chip
from mho.errors import SettingsError

Unit = Literal["batch", "sample", "vector"]
Wrong = Iterator[tuple[str, str]]


@dataclass(frozen=True)
class Schedule:
    """When lines of the fast array are read and transferred, and which.

    every: units between two transfers. unit: "batch" (optimizer steps), "sample" (images), or "vector" (of the update:
        an output position of a convolution, a sample of a linear layer), which is what IBM's kit counts by default.
        Inside an optimizer step the samples before a transfer move the fast array before it, the others after it.
    reads: lines read at each transfer, or "all" of them.
    by: "columns" (one input each) or "rows" (one output each). order: lines follow each other in "turn" or start at a
        "random" one at each transfer (the same on all chips).
    Raises ConfigError for other values. Source: IBM aihwkit, `TransferCompound` (transfer_every, units_in_mbatch,
    n_reads_per_transfer, transfer_columns, random_selection).
    """

    every: int = 1
    unit: Unit = "vector"
    reads: int | Literal["all"] = 1
    by: Literal["columns", "rows"] = "columns"
    order: Literal["turn", "random"] = "turn"

    def __post_init__(self) -> None:
        check(self._problems())

    def _problems(self) -> Wrong:
        if not whole(self.every):
            yield "every", f"is {self.unit}s between two transfers, a whole number from 1, found {self.every!r}; give 1"
        if self.reads != "all" and not whole(self.reads):
            yield "reads", f'is a whole number of lines from 1, or "all", found {self.reads!r}; give 1'
        yield from one_of(self, {"unit": Unit.__args__, "by": ("columns", "rows"), "order": ("turn", "random")})  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Speeds:
    """How strongly samples move the fast array, and a read of it the slow one.

    fast_lr: the rate of the fast array, A -= fast_lr sum d x^T; with `scale_fast_lr` times the optimizer's rate.
    transfer_lr: the slow array moves by transfer_lr times what was read; with `scale_transfer_lr` times the optimizer's
        rate.
    auto_scale: the fast rate follows the errors: it is fast_lr BL dA / (m_x m_d), dA the step size of the fast array,
        BL the train length, m_x and m_d running means (momentum `auto_momentum` per backward pass, in convolutions per
        block of patches) of max abs(x) and max abs(d), so that the largest product of a sample makes fast_lr BL pulses.
    Every number but `auto_momentum` may be a list of one per chip. Raises ConfigError for other values.
    Source: IBM aihwkit, `ChoppedTransferCompound`.
    """

    fast_lr: PerChip = 1.0
    scale_fast_lr: bool = True
    transfer_lr: PerChip = 1.0
    scale_transfer_lr: bool = True
    auto_scale: bool = False
    auto_momentum: float = 0.99

    def __post_init__(self) -> None:
        convert(self, "fast_lr", "transfer_lr")
        check(self._problems())

    def _problems(self) -> Wrong:
        for name in ("fast_lr", "transfer_lr"):
            yield from positive(self, name, "a rate; the nearest that works is a small one, such as 0.01")
        if not 0 <= self.auto_momentum < 1:
            yield "auto_momentum", f"is from 0 to below 1, found {self.auto_momentum}; give 0.99"


@dataclass(frozen=True)
class Buffer:
    """A digital buffer H between the arrays, in pulses of the slow array: it collects what is read, and gives pulses.

    H += transfer rate x read / theta; where abs(H) >= 1 the slow device gets trunc(H) pulses, at most `most`, and H
    becomes momentum H (`forget`), or loses the pulses less their share `momentum`.
    theta = threshold dC, dC the step size of the slow array, with which it moves by rate x read on average;
        with a `granularity` g > 0, theta = threshold dA g / T, dA the step size of the fast array and T the units of
        the schedule between two reads of a line: at a rate of 1, a device that is one step away from 0 gives a pulse
        every g units, however often it is read.
    Numbers may be lists of one per chip. Raises ConfigError for other values.
    Source: Gokmen, Front. Artif. Intell. 4:699148 (2021); IBM aihwkit, `BufferedTransferCompound` (thres_scale,
    momentum, forget_buffer) and `ChoppedTransferCompound` (auto_granularity).
    """

    threshold: PerChip = 1.0
    momentum: PerChip = 0.1
    forget: bool = True
    granularity: PerChip = 0.0
    most: int = 1

    def __post_init__(self) -> None:
        convert(self, "threshold", "momentum", "granularity")
        check(self._problems())

    def _problems(self) -> Wrong:
        yield from positive(self, "threshold", "a number of pulses; give 1")
        yield from share(self, "momentum")
        if any(not 0 <= g < math.inf for g in numbers(self.granularity)):
            yield "granularity", f"cannot be negative, found {self.granularity}; give 1000, or 0 to switch it off"
        if not whole(self.most):
            yield "most", f"is a whole number of pulses from 1, found {self.most!r}; give 1"


@dataclass(frozen=True)
class Average:
    """A moving average H of what is read, and a threshold below which the slow array is left alone.

    H <- momentum H + (1 - momentum) read; at each transfer the slow device gets trunc(rate H / theta) pulses, at most
    `most`, with theta = threshold dC, dC the step size of the slow array. Nothing is taken from H.
    Numbers may be lists of one per chip. Raises ConfigError for other values.
    Source: Wu et al., arXiv 2502.06309 (2025), residual learning v2.
    """

    momentum: PerChip = 0.9
    threshold: PerChip = 1.0
    most: int = 1

    def __post_init__(self) -> None:
        convert(self, "threshold", "momentum")
        check(self._problems())

    def _problems(self) -> Wrong:
        yield from positive(self, "threshold", "a number of pulses; give 1")
        yield from share(self, "momentum")
        if not whole(self.most):
            yield "most", f"is a whole number of pulses from 1, found {self.most!r}; give 1"


@dataclass(frozen=True)
class Chopper:
    """Signs of the lines of the fast array: samples write and reads recover a line with its sign, which switches.

    probability: with which a line switches after it was read ("random"), or 1 / reads between two switches
    (`switching` = "regular": every ceil(1/probability)-th read, at least every second). 0 never switches.
    May be a list of one per chip. Raises ConfigError for other values.
    Source: Rasch et al., Nat. Commun. 15:7133 (2024); IBM aihwkit, `ChoppedTransferCompound` (in_chop_prob,
    in_chop_random).
    """

    probability: PerChip = 0.1
    switching: Literal["random", "regular"] = "random"

    def __post_init__(self) -> None:
        convert(self, "probability")
        check(self._problems())

    def _problems(self) -> Wrong:
        if any(not 0 <= p < 1 for p in numbers(self.probability)):
            yield "probability", f"is from 0 to below 1, found {self.probability}; give 0.1"
        yield from one_of(self, {"switching": ("random", "regular")})

    def periods(self) -> tuple[int, ...]:
        """Return the reads of a line between two switches over chips: exactly, or in the mean; 0 for never."""
        return tuple(max(2, math.ceil(1 / p)) if p else 0 for p in numbers(self.probability))


@dataclass(frozen=True)
class LastPeriod:
    """A reference that is estimated on the fly: the mean of a line's reads in the last period of its chopper.

    What is transferred is the read less this mean, so that a constant offset of the fast array has no effect. The mean
    is a moving one of momentum 1 - min(1, tail / reads in a period): above 1 the end of a period weighs more than
    its beginning, where the fast array still remembers the other sign. Nothing is transferred before a line's first
    period has ended. `tail` may be a list of one per chip. Raises ConfigError for other values.
    Source: Rasch et al., Nat. Commun. 15:7133 (2024); IBM aihwkit, `DynamicTransferCompound` (tail_weightening).
    """

    tail: PerChip = 5.0

    def __post_init__(self) -> None:
        convert(self, "tail")
        check(positive(self, "tail", "a weight; give 5"))


def speeds_of(rule: Any) -> Speeds:
    """Return the rates of both arrays that a rule states, those that it does not state at their defaults."""
    return Speeds(**{f.name: getattr(rule, f.name) for f in fields(Speeds) if hasattr(rule, f.name)})


def check(problems: Iterator[tuple[str, str]]) -> None:
    """Raise ConfigError with everything that is wrong."""
    if wrong := list(problems):
        raise SettingsError(wrong)


def convert(settings: Any, *names: str) -> None:
    """Bring numbers, or lists of one per chip, of frozen settings to their type."""
    for name in names:
        object.__setattr__(settings, name, per_chip(getattr(settings, name)))


def whole(value: object) -> bool:
    """Return whether a value is a whole number from 1."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def positive(settings: Any, name: str, what: str) -> Wrong:
    """Yield what is wrong where a number is not finite and above 0."""
    if any(not 0 < v < math.inf for v in numbers(getattr(settings, name))):
        yield name, f"must be finite and above 0, found {getattr(settings, name)}: it is {what}"


def share(settings: Any, name: str) -> Wrong:
    """Yield what is wrong where a number is not from 0 to below 1."""
    if any(not 0 <= v < 1 for v in numbers(getattr(settings, name))):
        yield name, f"is a share, from 0 to below 1, found {getattr(settings, name)}; give 0.1, or 0 for none"


def one_of(settings: Any, choices: dict[str, tuple[str, ...]]) -> Wrong:
    """Yield what is wrong where a word is not one of its choices."""
    for name, allowed in choices.items():
        if getattr(settings, name) not in allowed:
            yield name, f"is one of {', '.join(allowed)}, found {getattr(settings, name)!r}"
