"""The transfer schedule at work: which lines are due after which vector of an optimizer step."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from mho.errors import ConfigError
from mho.random import check_counter, make_key, philox
from mho.tiles.place import Place
from mho.update.counters import Counters
from mho.update.transfer.lines import Lines
from mho.update.transfer.settings import Schedule

BLOCK = 1024
"""Random starts that are drawn at once."""
KEPT = 64
"""Groups of lines that are kept."""


class Round(NamedTuple):
    """Transfers inside a step of which none comes twice to a line.

    lines: in the order of their transfers; after: the vectors of the step that each line has seen before its own.
    """

    lines: Lines
    after: np.ndarray


class Timetable(Counters):
    """Counts units of the schedule, and says which lines are due. `done`: units so far."""

    counters = ("done",)

    def __init__(self, settings: Schedule, place: Place) -> None:
        super().__init__()
        self.settings = settings
        self.count = place.shape[1] if settings.by == "columns" else place.shape[0]
        self.reads = self.count if settings.reads == "all" else settings.reads
        if self.reads > self.count:
            raise ConfigError(
                f"{place.name}: schedule.reads = {self.reads} {settings.by} at each transfer, but the array has "
                f'{self.count}; give schedule.reads = {self.count}, or "all" for every array\'s own number'
            )
        self.key = make_key(place.seed, 0, place.name, "transfer order")
        self.done = 0
        self._starts: tuple[int, np.ndarray] = (-1, np.zeros(0, np.int64))
        self._lines: dict[tuple[int, ...], Lines] = {}

    @property
    def period(self) -> float:
        """Units between two reads of a line, in the mean."""
        return self.count * self.settings.every / self.reads

    def pass_batch(self) -> Lines | None:
        """Count an optimizer step, where that is the unit; return the lines that are due after it."""
        if self.settings.unit != "batch":
            return None
        self.done += 1
        if self.done % self.settings.every:
            return None
        return self._named(self._numbers(np.array([self.done]))[0])

    def pass_vectors(self, vectors: int, positions: int) -> list[Round]:
        """Count vectors, where they or samples of `positions` vectors are the unit; return the transfers among them."""
        if self.settings.unit == "batch":
            return []
        size = positions if self.settings.unit == "sample" else 1
        before, every = self.done, self.settings.every
        self.done = done = before + vectors // size
        units = np.arange(before - before % every + every, done + 1, every)
        after = np.repeat((units - before) * size, self.reads)
        lines = self._numbers(units)
        cuts = [*self._cuts(lines), len(units)]
        rounds = []
        for first, last in pairwise(cuts):
            own = slice(first * self.reads, last * self.reads)
            rounds.append(Round(self._named(lines[first:last].flatten()), after[own]))
        return rounds

    def _named(self, numbers: np.ndarray) -> Lines:
        """Return lines by their numbers: those of before again, whose numbers are on the device already."""
        key = tuple(numbers.tolist())
        if key not in self._lines:
            if len(self._lines) == KEPT:
                self._lines.clear()
            self._lines[key] = Lines(key)
        return self._lines[key]

    def _cuts(self, lines: np.ndarray) -> list[int]:
        """Return where, among transfers of `lines` (transfers, reads), a line comes again: rounds begin there."""
        if self.settings.order == "turn":
            return list(range(0, len(lines), self.count // self.reads))
        cuts, held = [], set(range(self.count))
        for n, own in enumerate(lines.tolist()):
            if not held.isdisjoint(own):
                cuts.append(n)
                held = set()
            held.update(own)
        return cuts

    def _numbers(self, units: np.ndarray) -> np.ndarray:
        """Return the lines that are due after units, (units, reads)."""
        events = units // self.settings.every - 1
        if self.settings.order == "turn":
            starts = events * self.reads
        else:
            starts = np.array([self._random_start(int(event)) for event in events], np.int64)
        return (starts[:, None] + np.arange(self.reads)) % self.count

    def _random_start(self, event: int) -> int:
        block, at = divmod(event, BLOCK)
        if self._starts[0] != block:
            k0, k1 = (np.array([k], np.uint32) for k in self.key)
            zero, cells = np.zeros(1, np.uint32), np.arange(BLOCK, dtype=np.uint32)
            word = philox(k0, k1, cells, zero, zero, np.array([check_counter("transfers", block)], np.uint32))[0]
            self._starts = block, (word.astype(np.uint64) * np.uint64(self.count) >> np.uint64(32)).astype(np.int64)
        return int(self._starts[1][at])
