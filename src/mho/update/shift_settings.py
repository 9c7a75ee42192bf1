"""How a model's devices are zero-shifted: the settings of `mho.zero_shift` and of a run's table `zero_shift`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from mho.devices.spread import PerChip, numbers, per_chip
from mho.errors import ConfigError, nearest
from mho.tiles.cell import Cell

Method = Literal["pulses", "exact", "mean", "none"]
METHODS: tuple[Method, ...] = ("pulses", "exact", "mean", "none")
WRITES = ("ideal", "pulses")
MOST = 2**26 - 2
"""Pulses of one calibration: they are numbered within one field of the random counter."""


class ChipShift(NamedTuple):
    """The settings of one chip."""

    method: Method
    pulses: int
    read_noise: float
    copy_error: float


@dataclass(frozen=True)
class ZeroShift:
    """Zero-shifting: every device is read against a reference device that holds its symmetry point.

    method: how the reference is found. "pulses": `pulses` alternating pulses drive every device to its symmetry point,
        and its conductance, as read, is copied. "exact": the symmetry point itself, computed from the law. "mean": one
        value for all devices of an array, the mean of their symmetry points. "none": nothing is done.
    pulses: of each device, an even number: pairs of an up and a down pulse.
    read_noise: standard deviation of the reading that is copied (method "pulses"), in weight units.
    copy_error: standard deviation of what is copied on the reference device, in weight units (all methods).
    write: how the weights of before are written back: "ideal" (clipped to what is left of each device's range), or by
        "pulses", one after another until each device has crossed its target.
    force: shift devices that are stated as shifted already.
    All numbers and the method may be lists of one per chip. Raises ConfigError for other values.
    Source: Kim et al., arXiv 1907.10228 (2019).
    """

    method: Method | tuple[Method, ...] = "pulses"
    pulses: int | tuple[int, ...] = 2000
    read_noise: PerChip = 0.0
    copy_error: PerChip = 0.0
    write: Literal["ideal", "pulses"] = "ideal"
    force: bool = False

    def __post_init__(self) -> None:
        for name in ("read_noise", "copy_error"):
            object.__setattr__(self, name, per_chip(getattr(self, name)))
        for name in ("method", "pulses"):
            value = getattr(self, name)
            object.__setattr__(self, name, tuple(value) if isinstance(value, (list, tuple)) else value)
        problems = list(self._problems())
        if problems:
            raise ConfigError("; ".join(problems))

    def _problems(self) -> Iterator[str]:
        for method in listed(self.method):
            if method not in METHODS:
                yield f"method is one of {', '.join(METHODS)}, found {method!r}; {nearest(str(method), METHODS)}"
        for pulses in listed(self.pulses):
            if not isinstance(pulses, int) or isinstance(pulses, bool) or pulses < 2 or pulses % 2 or pulses > MOST:
                yield (
                    f"pulses come in pairs of an up and a down pulse, so their number is even, from 2 to {MOST:,}; "
                    f"found {pulses!r}"
                )
        for name in ("read_noise", "copy_error"):
            if any(not 0 <= v < math.inf for v in numbers(getattr(self, name))):
                yield f"{name} is a standard deviation and cannot be negative, found {getattr(self, name)}"
        if self.write not in WRITES:
            yield f"write is one of {', '.join(WRITES)}, found {self.write!r}"
        if self.force not in (True, False):
            yield f"force is true or false, found {self.force!r}"

    @property
    def shifts(self) -> bool:
        """Whether any chip is shifted."""
        return any(method != "none" for method in listed(self.method))

    def wrong_lengths(self, chips: int) -> list[tuple[str, int]]:
        """Return name and length of every list that has neither 1 entry nor one per chip."""
        lengths = [(n, len(listed(getattr(self, n)))) for n in ChipShift._fields]
        return [(name, length) for name, length in lengths if length not in (1, chips)]

    def on_chips(self, chips: int) -> tuple[ChipShift, ...]:
        """Return the settings of every chip; raise ConfigError for a list of another length."""
        if wrong := self.wrong_lengths(chips):
            told = ", ".join(f"{name} lists {length} values" for name, length in wrong)
            raise ConfigError(f"zero_shift: {told}, but there are {chips} chips; give one value, or {chips}")
        columns = [listed(getattr(self, name)) for name in ChipShift._fields]
        return tuple(ChipShift(*(c[k] if len(c) > 1 else c[0] for c in columns)) for k in range(chips))


def unshiftable(cell: Cell, path: str = "cell") -> str:
    """Return why devices of a cell (set at a path) cannot be zero-shifted and what would work, or nothing."""
    if cell.pair == "one-sided":
        return (
            f'has {path}.pair = "one-sided": pulses can only raise its devices, so up and down steps never balance; '
            "leave zero_shift out (the pair's difference is 0 at the start), or take a device that pulses also lower"
        )
    if cell.pair == "differential":
        return (
            f'has {path}.pair = "differential", which is read against its other side already; leave zero_shift out, or '
            f'give {path}.pair = "none"'
        )
    if cell.reference != "none":
        return (
            f'has {path}.reference = "{cell.reference}", and a device has one reference; leave zero_shift out, or give '
            f'{path}.reference = "none"'
        )
    return ""


def listed(value: Any) -> tuple[Any, ...]:
    """Return values over chips as a tuple (of one, when all chips share the value)."""
    return value if isinstance(value, tuple) else (value,)
