"""The reference estimate at work: what the fast array would show without signal, learned from its reads."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from mho.devices.base import over_chips
from mho.tiles.place import Place
from mho.update.transfer.lines import Lines
from mho.update.transfer.settings import Chopper, LastPeriod


class PeriodMean(nn.Module):
    """`LastPeriod` at work, all (chips, lines, cells of a line).

    mean: the moving mean of the reads. values: what it was when the line's chopper last switched, the reference.
    known: (chips, lines) whether there is one yet. seen: (lines,) whether a line was read yet.
    """

    mean: Tensor
    values: Tensor
    known: Tensor
    seen: Tensor
    weight: Tensor

    def __init__(self, settings: LastPeriod, chopper: Chopper, place: Place, size: tuple[int, int]) -> None:
        super().__init__()
        n = len(place.chips)
        periods = over_chips(tuple(map(float, chopper.periods())), n, "chopper.probability").astype(np.float64)
        tails = over_chips(settings.tail, n, "reference.tail").astype(np.float64)
        weight = np.minimum(tails / np.maximum(periods, 1.0), 1.0).reshape(n, 1, 1).astype(np.float32)
        self.register_buffer("weight", torch.from_numpy(weight), persistent=False)
        self.register_buffer("mean", torch.zeros(n, *size))
        self.register_buffer("values", torch.zeros(n, *size))
        self.register_buffer("known", torch.zeros(n, size[0], dtype=torch.bool))
        self.register_buffer("seen", torch.zeros(size[0], dtype=torch.bool))

    def relative(self, lines: Lines, read: Tensor, switched: Tensor | None) -> Tensor:
        """Return read less the reference (0 where there is none yet), and take the read into the mean.

        read: (chips, these lines, cells), switched: (chips, these lines), whether the chopper switched since the last
        read.
        """
        assert switched is not None, "a mean of the last period needs a chopper"
        seen = lines.of(self.seen, 0)
        mean = torch.where(seen.view(1, -1, 1), lines.of(self.mean), read)
        values = torch.where(switched.unsqueeze(2), mean, lines.of(self.values))
        known = lines.of(self.known) | switched
        lines.put(self.mean, torch.lerp(mean, read, self.weight))
        lines.put(self.values, values)
        lines.put(self.known, known)
        lines.put(self.seen.unsqueeze(0), torch.ones_like(seen).unsqueeze(0))
        return (read - values) * known.unsqueeze(2)
