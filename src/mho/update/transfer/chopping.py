"""The chopper at work: the sign of every line of the fast array, and when it switches."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from mho.devices.base import over_chips
from mho.kernels.product import normals
from mho.random import make_keys
from mho.tiles.place import Place
from mho.update.counters import Counters
from mho.update.transfer.lines import Lines
from mho.update.transfer.settings import Chopper

KEPT = 4
"""Tables of draws that are kept: lines that are read in turn need those of one or two reads at a time."""


class Signs(Counters):
    """The signs of the lines of an array on every chip, (chips, lines), 1 or -1.

    switched: (chips, lines) bool, lines whose sign has switched since they were read last. reads: (lines,) how often
    each was read. Switching draws are keyed by (seed, chip, array) and counted by line and read.
    """

    counters = ("reads",)
    signs: Tensor
    switched: Tensor
    keys: Tensor
    below: Tensor

    def __init__(self, settings: Chopper, place: Place, count: int) -> None:
        from scipy.special import ndtri

        super().__init__()
        self.settings, self.count, n = settings, count, len(place.chips)
        keys = make_keys(place.seed, place.chips, place.name, "chopper").view(np.int32)
        self.register_buffer("keys", torch.from_numpy(keys), persistent=False)
        chance = over_chips(settings.probability, n, "chopper.probability").reshape(n, 1)
        with np.errstate(divide="ignore"):
            below = torch.from_numpy(ndtri(chance.astype(np.float64)).astype(np.float32))
        self.register_buffer("below", below, persistent=False)
        periods = over_chips(tuple(map(float, settings.periods())), n, "chopper.probability").reshape(n, 1)
        self.periods = periods.astype(np.int64)
        self.register_buffer("signs", torch.ones(n, count))
        self.register_buffer("switched", torch.zeros(n, count, dtype=torch.bool))
        self.reads = np.zeros(count, np.int64)
        self._drawn: dict[tuple[int, torch.device], Tensor] = {}

    def read_(self, lines: Lines) -> tuple[Tensor, Tensor]:
        """Return sign and whether it switched since the last read, (chips, these lines); then let them switch."""
        sign, switched = lines.of(self.signs).clone(), lines.of(self.switched).clone()
        numbers = list(lines.numbers)
        self.reads[numbers] += 1
        flips = self._flips(lines, self.reads[numbers])
        lines.put(self.signs, torch.where(flips, -sign, sign))
        lines.put(self.switched, flips)
        return sign, switched

    def _flips(self, lines: Lines, reads: np.ndarray) -> Tensor:
        """Return which lines switch after these numbers of reads, (chips, these lines)."""
        if self.settings.switching == "regular":
            due = (self.periods > 0) & (reads % np.maximum(self.periods, 1) == 0)
            return torch.from_numpy(due).to(self.signs.device)
        first = int(reads[0])
        if (reads == first).all():
            return lines.of(self._table(first)) < self.below
        rows = [self._table(r)[:, k] for r, k in zip(reads.tolist(), lines.numbers, strict=True)]
        return torch.stack(rows, dim=1) < self.below

    def _table(self, read: int) -> Tensor:
        """Return the standard normal draws (chips, lines) after one number of reads."""
        key = read, self.keys.device
        if key not in self._drawn:
            if len(self._drawn) == KEPT:
                del self._drawn[next(iter(self._drawn))]
            self._drawn[key] = normals(self.keys, (len(self.keys), self.count), read)
        return self._drawn[key]
