"""Weights drawn by writing: a pair of devices whose cycle-to-cycle noise is the spread that a weight should have.

What is mapped to what: the mean of a weight is the difference of the mean conductances of a pair; its spread is that of
the difference, chosen by the level that both devices share: the higher a pair is written, the more a write scatters,
where the error of a write grows with conductance. Every sample of the weights is a fresh write of all pairs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from mho.errors import ConfigError, ShapeError
from mho.inference.conductances import Conductances
from mho.inference.errors import WriteError
from mho.tiles.draw import TileDraw

WRITES = 2**14
"""Writes of a test device at every level, from which its mean and spread are known to 0.8 and 0.6 % of the spread."""
LEVELS = 65
GROWTHS = 100
"""How often, at most, the scale of a layer grows by 5 % so that all spreads are within reach."""
STEPS = 129
"""Levels of a pair among which that with the nearest spread is looked for."""


@dataclass(frozen=True)
class Characteristic:
    """What a write of the mean device gives: target levels in [0, 1] of the window, means and spreads in windows."""

    target: np.ndarray
    mean: np.ndarray
    spread: np.ndarray

    @property
    def reach(self) -> float:
        """The largest difference of two means, in windows."""
        return float(self.mean[-1] - self.mean[0])


def measured(error: WriteError, layout: Conductances, *, seed: int = 0, writes: int = WRITES) -> Characteristic:
    """Return what a test device without device-to-device spread shows in many writes at every level.

    All levels see the same draws, so that curves are smooth. Raises ConfigError where no write scatters, where chips
    have errors of their own, or where the mean does not rise with the target.
    """
    if isinstance(error.c2c, tuple):
        raise ConfigError(
            f"error.c2c = {error.c2c} has one value per chip, but a weight's spread is mapped to one characteristic; "
            "sample chips with other noise one after another"
        )
    if error.model == "none" or error.c2c == 0:
        raise ConfigError(
            f"the error of a write was {error.model!r} with c2c = {error.c2c}, but weights are drawn by what differs "
            'from write to write; give WriteError("log-normal", c2c=0.2), for one'
        )
    draw, device = TileDraw(seed, (0,), "test device", (1, 1, writes)), replace(error, d2d=0.0)
    target = np.linspace(0.0, 1.0, LEVELS)
    found = np.empty((LEVELS, writes))
    for k, level in enumerate(target):
        siemens = torch.full((1, 1, 1, writes), layout.g_min + level * layout.window)
        found[k] = device.written(siemens, layout, draw)[0, 0, 0].double().numpy() / layout.window
    mean = found.mean(1)
    if not (np.diff(mean) > 0).all():
        raise ConfigError(
            f"the mean conductance of a write with {error} does not rise with its target everywhere in the window "
            f"{layout.g_min:g} to {layout.g_max:g} S; choose a window in which it does"
        )
    return Characteristic(target, mean, found.std(1))


class PairSampler:
    """Draws the weights of one layer on every chip by writing pairs of devices.

    mean, std: of the weights, of the layer's shape; samples are drawn where the means are. layout: the window, in
    siemens; pairs. Draws are keyed by (seed, chip, name) and the number of the sample. `scale`: the weight of a
    difference of a whole window, a digital factor; the smallest with which all means, and all spreads, are within
    reach. `spreads`: what writing the mean device gives; a spread that cannot be had, as it is less than what the mean
    scatters, is the nearest that can (`missed`: the share of weights whose spread is off by more than a tenth). The
    error's d2d, fixed for each device, shifts means. Raises ShapeError for mean and std of different shapes,
    ConfigError for errors that no spread can be drawn from.
    """

    def __init__(
        self, error: WriteError, mean: Tensor, std: Tensor, *, chips: tuple[int, ...], name: str, seed: int = 0,
        layout: Conductances | None = None,
    ) -> None:  # fmt: skip
        if mean.shape != std.shape or mean.dim() < 2:
            raise ShapeError(
                f"layer {name!r}: means {tuple(mean.shape)} and spreads {tuple(std.shape)} were given; they have the "
                "shape of the layer's weight, (outputs, inputs, ...)"
            )
        self.error, self.layout, self.shape = error, layout or Conductances(), mean.shape
        if self.layout.layout != "pair":
            raise ConfigError(f'a spread is mapped to the level of a pair, found layout = "{self.layout.layout}"')
        self.curve = measured(error, self.layout, seed=seed)
        m, s = (t.flatten(1).double().cpu().numpy() for t in (mean, std))
        self.scale = _scale(self.curve, np.abs(m), s)
        low, high, got = _levels(self.curve, np.abs(m) / self.scale, s / self.scale)
        plus, minus = np.where(m > 0, high, low), np.where(m > 0, low, high)
        targets = self.layout.g_min + np.stack((plus, minus)) * self.layout.window
        self.targets = torch.from_numpy(targets.astype(np.float32)).to(mean.device)
        self.spreads = torch.from_numpy(got * self.scale).view(self.shape).to(mean.device)
        self.missed = float((np.abs(got * self.scale - s) > 0.1 * s).mean())
        self.draw = TileDraw(seed, chips, name, self.targets.shape)  # type: ignore[arg-type]

    @property
    def devices(self) -> int:
        """How many devices a chip writes for a sample."""
        return self.targets.numel()

    def sample(self, number: int) -> Tensor:
        """Return the weights that a write gives, (chips, ...) of the layer's shape; others for every number."""
        chips = len(self.draw.chips)
        found = self.error.written(self.targets.expand(chips, *self.targets.shape), self.layout, self.draw, number)
        return self.layout.to_weights(found).mul_(self.scale).view(chips, *self.shape)


def _scale(curve: Characteristic, size: np.ndarray, std: np.ndarray) -> float:
    """Return the weight of a window with which pairs at its upper end have every mean and at least every spread."""
    scale = max(float(size.max()) / curve.reach, float(std.max()) / (2**0.5 * float(curve.spread.max())))
    for _ in range(GROWTHS):
        low = np.interp(curve.mean[-1] - size / scale, curve.mean, curve.spread)
        if (scale * np.hypot(low, curve.spread[-1]) >= std).all():
            break
        scale *= 1.05
    return scale


def _levels(curve: Characteristic, size: np.ndarray, std: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return target levels of the lower and the higher device of pairs, and the spreads that they get.

    size: abs(mean) in windows, std: the spread that is wanted.
    """
    room = curve.reach - size
    best, got = np.zeros_like(size), np.full_like(size, np.inf)
    for share in np.linspace(0.0, 1.0, STEPS):
        low = curve.mean[0] + share * room
        spread = np.hypot(*(np.interp(y, curve.mean, curve.spread) for y in (low, low + size)))
        nearer = np.abs(spread - std) < np.abs(got - std)
        best, got = np.where(nearer, low, best), np.where(nearer, spread, got)
    low, high = (np.interp(y, curve.mean, curve.target) for y in (best, best + size))
    return low, high, got
