"""Device-to-device draws: every device's own parameters, keyed by (seed, chip, tile name, field name)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from mho.devices.base import over_chips
from mho.devices.correlation import Correlations, mixing
from mho.devices.spread import Spread
from mho.kernels.product import normals
from mho.random import make_keys


class TileDraw:
    """Draws of one tile of shape (devices, rows, columns) on the chips of a run; see `mho.devices.Draw`.

    correlations: of the draws of two fields, as a device states them. `shares` holds, by name, the share of devices
    whose draw was negative and was folded back.
    """

    def __init__(
        self, seed: int, chips: tuple[int, ...], name: str, shape: tuple[int, int, int], correlations: Correlations = ()
    ) -> None:
        self.seed, self.chips, self.name, self.shape = seed, chips, name, shape
        self.mixing = mixing(correlations)
        self.shares: dict[str, float] = {}

    def xi(self, purpose: str) -> np.ndarray:
        """Return standard normal draws (chips, devices, rows, columns) for a purpose."""
        return normals(self.keys(purpose), (len(self.chips), *self.shape)).numpy()

    def _of_field(self, name: str) -> np.ndarray:
        """Return the standard normal draws of a field, correlated with other fields' as the device states."""
        parts = self.mixing.get(name)
        if parts is None:
            return self.xi(f"d2d {name}")
        mixed = np.zeros((len(self.chips), *self.shape), np.float32)
        for other, weight in parts:
            mixed += np.float32(weight) * self.xi(f"d2d {other}")
        return mixed

    def keys(self, purpose: str) -> torch.Tensor:
        """Return the key words (chips, 2) of a purpose, as int32 bit patterns."""
        return torch.from_numpy(make_keys(self.seed, self.chips, self.name, purpose).view(np.int32))

    def __call__(self, *spreads: Spread, correlation: float = 0.0) -> Any:
        """Draw one array for each spread; two spreads may be correlated."""
        out: list[np.ndarray] = []
        first: np.ndarray | None = None
        for s in spreads:
            if not s.varies:
                out.append(over_chips(s.mean, len(self.chips), s.name))
                continue
            xi = self._of_field(s.name)
            if first is None:
                first = xi
            elif correlation:
                xi *= np.float32((1 - correlation**2) ** 0.5)
                xi += np.float32(correlation) * first
            out.append(self._values(s, xi if len(spreads) == 1 else xi.copy()))
        return out[0] if len(out) == 1 else tuple(out)

    def folded(self, values: np.ndarray, name: str) -> np.ndarray:
        """Return absolute values and note the share that was negative."""
        negative = int(np.count_nonzero(np.signbit(values)))
        if negative:
            self.shares[name] = negative / values.size
            return np.abs(values, out=values if values.flags.writeable else None)
        return values

    def _values(self, s: Spread, xi: np.ndarray) -> np.ndarray:
        n = len(self.chips)
        mean, d2d, std = (over_chips(v, n, s.name) for v in (s.mean, s.d2d, s.std))
        if s.log_normal:
            np.multiply(xi, d2d, out=xi)
            np.exp(xi, out=xi)
            xi *= mean
            return xi
        xi *= np.abs(mean) * d2d + std
        xi += np.abs(mean)
        signed = (mean != 0).reshape(-1)  # a quantity around 0 has no side to be folded to
        if signed.all():
            xi = self.folded(xi, s.name)
            if not xi.all():  # one in a million draws is 0 to the last bit: laws divide by bounds
                np.maximum(xi, np.abs(mean) * np.float32(1e-6), out=xi)
        elif signed.any():
            xi[signed] = self.folded(xi[signed], s.name)
        if (mean < 0).any():
            xi *= np.where(mean < 0, np.float32(-1), np.float32(1))
        return xi
