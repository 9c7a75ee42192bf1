"""Filters between the arrays at work: from what was read to whole pulses of the slow array."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from mho.devices.base import over_chips
from mho.devices.spread import PerChip
from mho.tiles.place import Place
from mho.update.transfer.lines import Lines
from mho.update.transfer.settings import Average, Buffer


class BufferFilter(nn.Module):
    """`Buffer` at work. held: (chips, lines, cells of a line), the buffer H in pulses of the slow array."""

    held: Tensor
    keep: Tensor

    def __init__(self, settings: Buffer, place: Place, size: tuple[int, int]) -> None:
        super().__init__()
        self.settings, n = settings, len(place.chips)
        self.register_buffer("keep", _column(settings.momentum, n, "buffer.momentum"), persistent=False)
        self.register_buffer("held", torch.zeros(n, *size))

    def theta(self, steps: tuple[np.ndarray, np.ndarray], period: float) -> np.ndarray:
        """Return theta, (chips,) float64, for the step sizes of the fast and the slow array and a reading period."""
        n, (fast, slow) = len(self.keep), steps
        threshold, granularity = (
            over_chips(getattr(self.settings, key), n, f"buffer.{key}").reshape(n).astype(np.float64)
            for key in ("threshold", "granularity")
        )
        return threshold * np.where(granularity > 0, fast * granularity / period, slow)

    def __call__(self, lines: Lines, read: Tensor, scale: Tensor) -> Tensor:
        """Add read (chips, these lines, cells) x scale (chips,); return the whole pulses that are due, as floats."""
        held = lines.of(self.held).addcmul(read, scale.view(-1, 1, 1))
        pulses = held.trunc().clamp_(-self.settings.most, self.settings.most)
        if self.settings.forget:
            held = torch.where(pulses != 0, held * self.keep, held)
        else:
            held.addcmul_(pulses, self.keep - 1.0)
        lines.put(self.held, held)
        return pulses


class AverageFilter(nn.Module):
    """`Average` at work. held: (chips, lines, cells of a line), the moving average H in weight units."""

    held: Tensor
    keep: Tensor

    def __init__(self, settings: Average, place: Place, size: tuple[int, int]) -> None:
        super().__init__()
        self.settings, n = settings, len(place.chips)
        self.register_buffer("keep", _column(settings.momentum, n, "average.momentum"), persistent=False)
        self.register_buffer("held", torch.zeros(n, *size))

    def theta(self, steps: tuple[np.ndarray, np.ndarray], period: float) -> np.ndarray:
        """Return theta, (chips,) float64, for the step sizes of the fast and the slow array and a reading period."""
        n = len(self.keep)
        return over_chips(self.settings.threshold, n, "average.threshold").reshape(n).astype(np.float64) * steps[1]

    def __call__(self, lines: Lines, read: Tensor, scale: Tensor) -> Tensor:
        """Average read (chips, these lines, cells) in; return the whole pulses of H x scale, as floats."""
        held = read + self.keep * (lines.of(self.held) - read)
        lines.put(self.held, held)
        return (held * scale.view(-1, 1, 1)).trunc_().clamp_(-self.settings.most, self.settings.most)


Filter = BufferFilter | AverageFilter


def _column(value: PerChip, chips: int, name: str) -> Tensor:
    return torch.from_numpy(over_chips(value, chips, name).reshape(chips, 1, 1).copy())
