"""Arrays of soft-bounds devices, and what the law says of alternating pulses on them."""

from __future__ import annotations

import numpy as np

from mho.devices import SoftBounds, Spread
from mho.tiles.tile import Tile


def soft(ratio=2.0, d2d=0.2, *, dw=0.01, c2c=0.3, **fields):
    """Return a soft-bounds device of bounds +-0.6 whose spreads are all `d2d`, that of the ratio 0.02."""
    return SoftBounds(
        dw_min=Spread(dw, d2d=d2d), up_down=Spread(ratio, d2d=0.02 * bool(d2d)),
        w_max=Spread(0.6, d2d=d2d), w_min=Spread(-0.6, d2d=d2d), c2c=c2c, **fields,
    )  # fmt: skip


def array(device, size=(32, 40), *, chips=(0,), seed=0, **options):
    return Tile(device, size, name="array", seed=seed, chips=chips, **options)


class Rates:
    """The law of every device of an array: w <- w + p (T - w) up, w + q (B - w) down."""

    def __init__(self, tile):
        shape = tuple(tile.state.shape)
        self.p, self.q, self.top, self.bottom = (
            np.broadcast_to(v.reshape(-1, 1, 1, 1) if v.ndim == 1 else v, shape)
            for v in (getattr(tile, f"cell_{n}").double().numpy() for n in ("rate_up", "rate_down", "top", "bottom"))
        )
        self.point = (self.p * self.top + self.q * self.bottom) / (self.p + self.q)
        self.step = self.p * (self.top - self.point)
        self.loss = self.p + self.q - self.p * self.q  # per pair of pulses

    def after(self, pairs, c2c):
        """Return mean and standard deviation of every device over cycles, after pairs that started at w = 0."""
        left = (1 - self.loss) ** pairs
        end = self.point - self.q * self.step / self.loss
        kick = (c2c * self.step) ** 2 * (1 + (1 - self.q) ** 2)
        return end - left * end, np.sqrt(kick * (1 - left**2) / (1 - (1 - self.loss) ** 2))
