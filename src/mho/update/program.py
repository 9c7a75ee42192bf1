"""Closed-loop programming of an array: read, compare with the target, pulse towards it, read again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from mho.devices.base import over_chips
from mho.devices.spread import PerChip, numbers
from mho.errors import NotFiniteError, ShapeError
from mho.kernels.product import normals
from mho.tiles.array import Array
from mho.update.program_plan import Movers, column
from mho.update.program_settings import Program

DEFAULT = Program()


@dataclass(frozen=True)
class Programmed:
    """How programming went; every array is over chips.

    mean, std, most: of target - weight (most: of its size) over the weights that were to be written and can move, in
    weight units, without the noise of readings. missed: share of these that no reading found within the tolerance.
    pulses, resets: sent to devices. iterations: how often any weight of the chip got pulses.
    read: (chips, rows, columns), the last reading of every weight.
    """

    read: Tensor
    mean: np.ndarray
    std: np.ndarray
    most: np.ndarray
    missed: np.ndarray
    pulses: np.ndarray
    resets: np.ndarray
    iterations: np.ndarray


def program_(
    array: Array, target: Tensor, settings: Program = DEFAULT, *, which: Tensor | None = None,
    movers: Movers | None = None,
) -> Programmed:  # fmt: skip
    """Write `target` (chips, rows, columns) into an array by program and verify, in place; say how it went.

    which: bool of the same shape, the weights that are written; None for all. movers: those of the array, where they
    are kept from call to call. Draws are keyed by (seed, chip, tile name) and the number of the reading, of which each
    call takes as many as its limits allow: a chip alone and among others gets the same. Raises ShapeError for another
    shape, NotFiniteError for NaN or infinity; nothing is moved.
    """
    if target.shape != array.visible.shape:
        raise ShapeError(f"array {array.place.name!r} shows {tuple(array.visible.shape)}, found {tuple(target.shape)}")
    if not bool(torch.isfinite(target.sum())) and not bool(torch.isfinite(target).all()):
        raise NotFiniteError(f"the target of array {array.place.name!r} holds NaN or infinity; no device was changed")
    target = target.clone() if target is array.visible else target
    chosen = torch.ones_like(target, dtype=torch.bool) if which is None else which
    pulses, resets = array.totals(), _resets(array)
    done = tune_(array, target, settings, which=which, movers=movers, look=True)
    mean, std, most, missed = _measure(array, target - array.visible, chosen, done.left)
    sent, emptied = (a - b for a, b in ((array.totals(), pulses), (_resets(array), resets)))
    found = [v.cpu().numpy() for v in (mean, std, most, missed, sent, emptied, done.iterations)]
    return Programmed(done.read, *found)


class Tuned(NamedTuple):
    """What is left of the weights to be written, bool; in how many iterations each chip had any; the last reading."""

    left: Tensor
    iterations: Tensor
    read: Tensor


def tune_(
    array: Array, target: Tensor, settings: Program = DEFAULT, *, which: Tensor | None = None,
    movers: Movers | None = None, look: bool = False,
) -> Tuned:  # fmt: skip
    """Do what `program_` does, for finite targets, without a report.

    On a GPU all iterations are run, of which those that have nothing left to write change nothing, and no number is
    copied to the host; with `look` one is at every iteration, so that the last is known.
    """
    loop = _Loop(array, target, settings, movers or Movers(array))
    loop.looks = look or not target.is_cuda
    chosen = torch.ones_like(target, dtype=torch.bool) if which is None else which
    if settings.strategy == "rewrite":
        reset_weights_(array, chosen)
    left, iterations = loop.run_(chosen.clone())
    return Tuned(left, iterations, loop.read)


class _Loop:
    """The readings and pulses of one call."""

    def __init__(self, array: Array, target: Tensor, settings: Program, movers: Movers) -> None:
        self.array, self.target, self.settings, self.movers = array, target, settings, movers
        own = over_chips(settings.step, len(array.place.chips), "step").reshape(-1)
        up, down = (np.where(own > 0, own, size) for size in (movers.up, movers.down))
        self.up, self.down = column(up, target.device), column(down, target.device)
        self.alike = bool((up == down).all())
        self.tolerance = column(over_chips(settings.tolerance, len(own), "tolerance"), target.device)
        self.limits = self._limits() if movers.one_sided and settings.strategy == "tune" else None
        self.sent = torch.zeros_like(target, dtype=torch.int32) if settings.total else None
        self.looks = True
        self.fresh: Tensor | None = None
        self.rose: Tensor | None = None
        self.share: Tensor | None = None
        self.found: Tensor | None = None

    @property
    def read(self) -> Tensor:
        """The last reading of every weight."""
        assert self.found is not None
        return self.found

    def run_(self, left: Tensor) -> tuple[Tensor, Tensor]:
        """Write the weights in `left`; return those still left, and in how many iterations each chip had any."""
        tile, limit = self.array.tile_list[0], self.settings.iterations
        reading, sending = tile.calls["transfer"], tile.calls["program"]
        iterations = torch.zeros(left.shape[0], dtype=torch.int64, device=left.device)
        self._read(left, reading)
        for i in range(limit):
            error, number = self._number(left)
            busy = left.flatten(1).any(1)
            if self.looks and not bool(busy.any()):
                break
            iterations += busy
            if self.limits is not None:
                number = self._make_room_(error, number)
            if self.sent is not None:
                number = self._within_total(number)
            self.movers.send_(number, turn=sending // limit + i)
            self._read(left, reading + 1 + i)
        else:
            self._number(left)
        for one in self.array.tile_list:
            one.calls["program"] = sending + limit
        tile.calls["transfer"] = reading + limit + 1
        return left, iterations

    def _read(self, left: Tensor, call: int) -> None:
        """Read the weights that are left; the others keep their last reading."""
        new = read(self.array, self.settings.read_noise, call)
        if self.found is not None and any(numbers(self.settings.read_noise)):
            new = torch.where(left, new, self.found)
        self.found = new

    def _number(self, left: Tensor) -> tuple[Tensor, Tensor]:
        """Return error and signed number of pulses of every weight, and take those that are done out of `left`."""
        error = self.target - self.read
        steps = error / (self.up if self.alike else torch.where(error > 0, self.up, self.down))
        size = steps.abs()
        left &= size > self.tolerance
        self._calm_(size, steps > 0)
        size.round_().clamp_(1.0, float(self.settings.pulses)).mul_(left)
        return error, torch.copysign(size, steps).to(torch.int32)

    def _calm_(self, size: Tensor, rises: Tensor) -> None:
        """Halve the share of a weight's error that is sent each time the error changes its sign."""
        if self.rose is not None:
            turned = rises != self.rose
            if self.share is None:
                self.share = torch.ones_like(size)
            self.share.mul_(torch.where(turned, 0.5, 1.0))
            size.mul_(self.share)
        self.rose = rises

    def _limits(self) -> tuple[Tensor, Tensor] | None:
        """Return how far the plus and the minus sides may be raised, in weight units; None without bounds."""
        full = column(over_chips(self.settings.full, len(self.target), "full"), self.target.device)
        tops = [tile.bounds() for tile in self.array.tile_list]
        if any(top is None for top in tops):
            return None
        plus, minus = _sides(self.array, [top[1] for top in tops if top is not None])
        return full * plus, full * minus

    def _make_room_(self, error: Tensor, number: Tensor) -> Tensor:
        """Reset pairs whose rising side would pass its limit, each once; return the pulses that then are needed."""
        assert self.limits is not None
        shown = [tile.state if tile.apparent is None else tile.apparent for tile in self.array.tile_list]
        plus, minus = _sides(self.array, shown)
        over = (number > 0) & (plus + error > self.limits[0]) & (minus > self.up)
        over |= (number < 0) & (minus - error > self.limits[1]) & (plus > self.down)
        if self.fresh is not None:
            over &= ~self.fresh
        if self.looks and not bool(over.any()):
            return number
        self.fresh = over if self.fresh is None else self.fresh | over
        reset_weights_(self.array, over)
        steps = self.target / torch.where(self.target > 0, self.up, self.down)
        anew = steps.round().clamp_(-self.settings.pulses, self.settings.pulses).to(torch.int32)
        return torch.where(over, anew, number)

    def _within_total(self, number: Tensor) -> Tensor:
        """Return the pulses that the limit of pulses in all still allows, and count them."""
        assert self.sent is not None
        room = self.settings.total - self.sent
        number = torch.minimum(torch.maximum(number, -room), room)
        self.sent += number.abs()
        return number


def read(array: Array, noise: PerChip, call: int) -> Tensor:
    """Return what reading an array finds: its weights plus noise of a standard deviation in weight units.

    Without noise it is `visible` itself, which follows the array. `call`: the number of the reading.
    """
    if not any(numbers(noise)):
        return array.visible
    sigma = column(over_chips(noise, len(array.place.chips), "read_noise"), array.visible.device)
    drawn = normals(array.tile_list[0].role_keys["transfer"], tuple(array.visible.shape), call)
    return drawn.mul_(sigma).add_(array.visible)


def reset_weights_(array: Array, which: Tensor) -> None:
    """Reset all devices of the chosen weights, bool (chips, rows, columns)."""
    array.reset_([which.unsqueeze(1).expand_as(tile.state) for tile in array.tile_list])


def movable(array: Array) -> Tensor | None:
    """Return which weights have a device that is not frozen, (chips, rows, columns); None where all of them have."""
    if all(tile.frozen is None for tile in array.tile_list):
        return None
    free = [torch.ones_like(t.state, dtype=torch.bool) if t.frozen is None else t.frozen == 0 for t in array.tile_list]
    return torch.cat(free, dim=1).any(1)


def spread_of(values: Tensor, counted: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Return mean, standard deviation and largest size over the counted weights of every chip, float64; 0 for none."""
    if counted is not None:
        values = values * counted
    flat = values.flatten(1)
    sizes = flat.new_full((len(flat),), float(flat.shape[1])) if counted is None else counted.flatten(1).sum(1)
    count = sizes.double().clamp_min(1.0)
    mean = flat.sum(1, dtype=torch.float64) / count
    square = flat.square().sum(1, dtype=torch.float64) / count
    return mean, (square - mean.square()).clamp_min(0.0).sqrt(), flat.abs().amax(1).double()


def _measure(array: Array, residual: Tensor, chosen: Tensor, left: Tensor) -> tuple[Tensor, ...]:
    free = movable(array)
    counted = chosen if free is None else chosen & free
    missed = (left & counted).flatten(1).sum(1).double() / counted.flatten(1).sum(1).clamp_min(1)
    return *spread_of(residual, counted), missed


def _sides(array: Array, values: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Return the sums over the devices of plus and minus sides of gain times value, in weight units."""
    sums: list[list[Tensor]] = [[], []]
    for tile, value in zip(array.tile_list, values, strict=True):
        of_device = value if value.shape[1] > 1 else value.expand(-1, len(tile.gains), -1, -1)
        for k, gain in enumerate(tile.gain_list):
            part = of_device[:, k]
            sums[gain < 0].append(part if abs(gain) == 1.0 else abs(gain) * part)
    plus, minus = (sum(parts[1:], parts[0]) for parts in sums)
    return plus, minus


def _resets(array: Array) -> Tensor:
    return torch.stack([tile.resets for tile in array.tile_list]).sum(0)
