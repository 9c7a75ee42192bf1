"""One array of weights: a tile of devices, or two where the sides of a pair are made of different ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mho.devices.base import Device
from mho.devices.spread import numbers
from mho.errors import ShapeError
from mho.kernels.cells import PURPOSES
from mho.tiles.cell import ArraySettings, Cell
from mho.tiles.draw import TileDraw
from mho.tiles.place import Place
from mho.tiles.tile import Tile


class Array(nn.Module):
    """The devices of `shape` (rows, columns) weights on every chip, as a `Cell` makes weights of them.

    visible: (chips, rows, columns), the weights that a product sees. step_size: (chips,) float64, by how much a
    coincidence moves a weight at 0 in the mean; reach: (chips,), the largest weight of either sign of the mean cell.
    ratios: for each tile the mean step over its own, (chips,): sides of different steps get pulses in this proportion.
    Raises ConfigError where device and cell do not go together.
    """

    shown: Tensor | None

    def __init__(self, settings: ArraySettings, place: Place) -> None:
        super().__init__()
        self.settings, self.place, cell = settings, place, settings.cell
        n, gain = cell.devices, cell.gain
        plus, minus = (gain,) * n, (-gain,) * n
        if cell.pair == "none":
            made = [self._tile(settings.device, plus, "")]
        elif cell.minus is None:
            made = [self._tile(settings.device, (gain, -gain) * n, "", paired=True)]
        else:
            made = [self._tile(settings.device, plus, ""), self._tile(cell.minus, minus, "/minus")]
            made[1].update_keys[:, PURPOSES.index("device")] = made[0].update_keys[:, PURPOSES.index("device")]
        self.tile_list = tuple(made)
        self.tiles = nn.ModuleList(made)
        for tile in made:
            self._refer(tile)
        each = [tile.device.granularity(len(place.chips)) for tile in made]
        steps = np.mean(each, axis=0)
        self._ratios = [torch.from_numpy((steps / own).astype(np.float32)) for own in each]
        self._placed = (self._ratios[0].device, self._ratios)
        moved = 1.0 if cell.pulsed == "all" else 1.0 / n
        self.unit = n * gain * (2.0 if cell.pair == "differential" else 1.0)
        self.step_size = steps * self.unit * moved
        size = (len(place.chips), *place.shape)
        self.register_buffer("shown", torch.zeros(size) if len(made) > 1 else None)
        self.show_()

    def _tile(self, device: Device, gains: tuple[float, ...], suffix: str, *, paired: bool = False) -> Tile:
        at = self.place
        return Tile(
            device, at.shape, name=at.name + suffix, seed=at.seed, chips=at.chips, gains=gains, paired=paired,
            one_sided=self.settings.cell.pair == "one-sided", count_pulses=at.count_pulses,
        )  # fmt: skip

    def _refer(self, tile: Tile) -> None:
        """Give a tile the references that its cell states."""
        cell = self.settings.cell
        value = cell.reference_value
        if cell.reference == "none" or not any((*numbers(value.mean), *numbers(value.std))):
            return
        devices, rows, columns = tile.state.shape[1:]
        shape = (devices, rows, columns if cell.reference == "device" else 1)
        values = TileDraw(tile.seed, tile.chips, tile.name, shape)(cell.reference_value)
        tile.set_reference_(torch.from_numpy(np.broadcast_to(values, tuple(tile.state.shape)).copy()))

    @property
    def ratios(self) -> list[Tensor]:
        """For each tile the mean step over its own, (chips,), where the tile is."""
        home = self.tile_list[0].home
        if self._placed[0] != home:
            self._placed = (home, [ratio.to(home) for ratio in self._ratios])
        return self._placed[1]

    @property
    def visible(self) -> Tensor:
        """The weights that a product sees, (chips, rows, columns)."""
        return self.tile_list[0].visible if self.shown is None else self.shown

    @property
    def cell(self) -> Cell:
        """What makes a weight."""
        return self.settings.cell

    @property
    def reach(self) -> Tensor:
        """Per chip the largest weight of either sign that the mean cell can show, or 1 without bounds."""
        return torch.stack([_reach(tile, self.cell) for tile in self.tile_list]).sum(0)

    def write_(self, weights: Tensor, *, finite: bool = False) -> Tensor:
        """Set every device so that the array shows `weights` (chips, rows, columns); return the clipped share per chip.

        Raises ShapeError for another shape, NotFiniteError for NaN or infinity; `finite`: there is known to be none.
        """
        if self.shown is None:
            return self.tile_list[0].write_(weights, finite=finite)
        if weights.shape != self.shown.shape:
            raise ShapeError(f"array {self.place.name!r} shows {tuple(self.shown.shape)}, found {tuple(weights.shape)}")
        sides = (0.5 * weights, 0.5 * weights)
        if self.cell.pair == "one-sided":
            sides = (weights.clamp_min(0.0), weights.clamp_max(0.0))
        shares = [tile.write_(part, finite=finite) for tile, part in zip(self.tile_list, sides, strict=True)]
        self.show_()
        return torch.stack(shares).mean(0)

    def reset_(self, which: Sequence[Tensor | None] | None = None) -> None:
        """Put devices to 0: all, or for each tile those of a mask (chips, devices, rows, columns)."""
        for tile, mask in zip(self.tile_list, which or (None,) * len(self.tile_list), strict=True):
            tile.reset_(mask)
        self.show_()

    def rest_(self) -> None:
        """Let one update pass on every tile: leak, diffusion, the clock."""
        for tile in self.tile_list:
            tile.rest_()
        if self.shown is not None:
            self.show_()

    def show_(self) -> None:
        """Recompute what a product sees after tiles were moved."""
        if self.shown is not None:
            torch.add(self.tile_list[0].visible, self.tile_list[1].visible, out=self.shown)

    def totals(self) -> Tensor:
        """Return the pulses of all devices so far, (chips,) int64."""
        return torch.stack([tile.totals for tile in self.tile_list]).sum(0)

    def tally(self) -> dict[str, Any]:
        """Return what happened to the devices so far, a list over chips each: pulses (all, mean, most), resets."""
        found: dict[str, Any] = {
            "pulses": self.totals().tolist(),
            "resets": torch.stack([tile.resets for tile in self.tile_list]).sum(0).tolist(),
        }
        counts = [tile.counts.flatten(1) for tile in self.tile_list if tile.counts is not None]
        if counts:
            each = torch.cat(counts, dim=1)
            found["mean_per_device"] = each.double().mean(1).tolist()
            found["most_per_device"] = each.amax(1).tolist()
        return found


def _reach(tile: Tile, cell: Cell) -> Tensor:
    """Return per chip what a tile adds to the largest weight of either sign of the mean cell."""
    bounds = tile.bounds()
    whole = tile.gain_sums[2]
    if bounds is None:
        return torch.full((len(tile.chips),), 1.0 if cell.minus is None else 0.5, device=tile.home)
    low, high = (b.float().mean(dim=(1, 2, 3)) for b in bounds)
    if cell.pair == "one-sided":
        return high * whole / 2.0
    if tile.reference is not None:
        zero = tile.reference.mean(dim=(1, 2, 3))
        low, high = low - zero, high - zero
    return torch.minimum(-low, high) * whole
