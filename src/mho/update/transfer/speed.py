"""Rates at work: pulses of the fast array per unit of x d, and what a read of it is worth."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from mho.devices.base import over_chips
from mho.devices.spread import PerChip, numbers
from mho.kernels.product import peaks
from mho.tiles.array import Array
from mho.update.fuse import unless_blown
from mho.update.moving import Gains, Rate, gains
from mho.update.settings import Update
from mho.update.transfer.settings import Speeds


class FastRate(nn.Module):
    """The rate of the fast array. maxima: (2, chips), running means of max abs(x) and max abs(d), 0 at first.

    top: (chips,), the pulses of the largest product at a rate of 1.
    """

    maxima: Tensor
    top: Tensor

    def __init__(self, settings: Speeds, array: Array, update: Update) -> None:
        super().__init__()
        self.settings, n = settings, len(array.place.chips)
        self.gains = gains(array, update)
        unit = array.step_size / array.unit if update.ideal else np.ones(n)
        top = over_chips(settings.fast_lr, n, "fast_lr").reshape(n).astype(np.float64) * update.bl * unit
        self.register_buffer("top", torch.from_numpy(top.astype(np.float32)), persistent=False)
        self.register_buffer("maxima", torch.zeros(2, n))
        self.rates = Gains(np.ones(n))

    def seen(self, x: Tensor, d: Tensor, bias: bool) -> Tensor | None:
        """Return the mean max abs(x) and max abs(d) of samples, (2, chips); None where nothing is scaled."""
        if not self.settings.auto_scale:
            return None
        return torch.stack((peaks(x, bias)[0].mean(1), peaks(d, False)[0].mean(1)))

    def _after(self, found: Tensor) -> Tensor:
        """Return the running means after samples with these maxima."""
        moved = torch.lerp(found, self.maxima, self.settings.auto_momentum)
        return torch.where(self.maxima > 0, torch.where(found > 0, moved, self.maxima), found)

    def gain(self, lr: Rate, found: Tensor | None) -> Tensor:
        """Return pulses (or, for an ideal update, conductance) per unit of x d, (chips,), for samples `seen`."""
        if found is None:
            scaled = self.settings.scale_fast_lr
            rate = times(self.settings.fast_lr, lr) if scaled else self.settings.fast_lr
            return self.gains(rate, self.maxima.device)
        maxima = self._after(found)
        size = maxima[0] * maxima[1]
        gain = torch.where(size > 0, self.top / size, torch.zeros_like(size))
        return gain * self.rates(lr, gain.device) if self.settings.scale_fast_lr else gain

    def keep_(self, found: Tensor | None, gate: Tensor | None = None) -> None:
        """Let the running means follow an update that is applied, unless the gate (of `Tile.intact`) is shut."""
        if found is not None:
            self.maxima.copy_(unless_blown(gate, self._after(found), self.maxima))


class TransferRate:
    """What a read is worth: rate / unit, the unit per chip."""

    def __init__(self, settings: Speeds, unit: Gains) -> None:
        self.settings, self.unit = settings, unit

    def __call__(self, lr: Rate, device: torch.device) -> Tensor:
        """Return the worth of a read, (chips,) float32."""
        scaled = self.settings.scale_transfer_lr
        return self.unit(times(self.settings.transfer_lr, lr) if scaled else self.settings.transfer_lr, device)


def times(one: PerChip, other: Rate) -> PerChip:
    """Return the product of two numbers, either of which may be a list over chips."""
    if not isinstance(one, tuple) and not isinstance(other, tuple):
        return one * other
    a, b = numbers(one), numbers(other)
    n = max(len(a), len(b))
    return tuple(p * q for p, q in zip(a * n if len(a) == 1 else a, b * n if len(b) == 1 else b, strict=True))
