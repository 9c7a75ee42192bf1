"""Zero-shifting of one tile: drive its devices to their symmetry points, copy those to references, write back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mho.kernels.backend import backend
from mho.kernels.cells import PURPOSES, Samples, Scheme
from mho.kernels.product import normals
from mho.random import make_key
from mho.tiles.tile import Tile
from mho.update.shift_settings import ChipShift, ZeroShift
from mho.update.symmetry import Symmetry, symmetry_points

ONE_PULSE = Scheme(bl=1, managed=False, balanced=False)
FIRE = 1e9
"""A gain at which every line that is not 0 fires."""
NUMBERS = 1 << 22
"""Numbers in the vectors that are sent at once."""
MOST_WRITES = 5000
"""Pulses per device after which writing by pulses gives up: a device may not reach its target at all."""


@dataclass(frozen=True)
class TileShift:
    """What became of the devices of one tile; every array is (chips,) float64.

    pulses: sent to a device, mean. residual, square: sums over devices that can move and have a symmetry point of
    reference - symmetry point, and of its square; counted: how many these are. missing, clipped, unreached: numbers of
    devices without a symmetry point inside their range, whose weight was clipped, and that writing by pulses did not
    bring to their target. low, high: sums over devices of what is left of the range below and above the reference (NaN
    for a law without bounds).
    """

    devices: int
    pulses: np.ndarray
    residual: np.ndarray
    square: np.ndarray
    counted: np.ndarray
    missing: np.ndarray
    clipped: np.ndarray
    unreached: np.ndarray
    low: np.ndarray
    high: np.ndarray


def shift_tile_(tile: Tile, settings: ZeroShift) -> TileShift:
    """Zero-shift a tile in place, chip by chip as the settings say, and write its weights back; say how it went.

    A chip with method "none" keeps every device and reference as they are. Draws are keyed by (seed, chip, tile name)
    and the pulses that the chip's tile has got before: a chip alone and among others gets the same.
    """
    chips, device = settings.on_chips(len(tile.chips)), tile.state.device
    shifted = torch.tensor([c.method != "none" for c in chips], device=device)
    others = torch.tensor([k for k, c in enumerate(chips) if c.method == "none"], dtype=torch.int64, device=device)
    weights, start = tile.visible.clone(), tile.totals.clone()
    untouched = {name: getattr(tile, name)[others] for name in _moved(tile)}
    exact = symmetry_points(tile)
    drive_(tile, [c.pulses if c.method == "pulses" else 0 for c in chips])
    tile.set_reference_(find_references(tile, chips, exact))
    if settings.write == "pulses":
        clipped, unreached = write_by_pulses_(tile, weights, shifted)
    else:
        clipped = (tile.write_(weights) * tile.state[0].numel()).double() * shifted
        unreached = torch.zeros_like(clipped)
    for name, values in untouched.items():
        getattr(tile, name)[others] = values
    return _measured(tile, exact, shifted, (tile.totals - start, clipped, unreached))


def _moved(tile: Tile) -> list[str]:
    """Return the names of the buffers that writing changes."""
    return [name for name in ("state", "apparent", "combined") if getattr(tile, name) is not None]


def drive_(tile: Tile, pulses: Sequence[int]) -> None:
    """Pulse every device of chip c alternately up and down, `pulses[c]` times (even, so that the last one is down)."""
    (chips, _, rows, columns), device = tile.state.shape, tile.state.device
    keys, limits = _keys(tile, "drive"), torch.tensor(pulses, device=device)
    size = max(2, min(1024, NUMBERS // (chips * (rows + columns))) // 2 * 2)
    direction = torch.ones(size, device=device)
    direction[::2] = -1.0  # W -= d x: a negative d raises
    d = direction.view(1, size, 1).expand(chips, size, rows).contiguous()
    for first in range(0, max(pulses), size):
        now = min(size, max(pulses) - first)
        on = (torch.arange(first, first + now, device=device) < limits.view(-1, 1)).float()
        x = on.unsqueeze(2).expand(chips, now, columns).contiguous()
        _send_(tile, x, d[:, :now].contiguous(), keys, first)


def find_references(tile: Tile, chips: Sequence[ChipShift], exact: Symmetry) -> Tensor:
    """Return the reference devices of a tile whose devices were driven, (chips, devices, rows, columns)."""
    reference = torch.zeros_like(tile.state) if tile.reference is None else tile.reference.clone()
    shown = tile.state if tile.apparent is None else tile.apparent
    read, copied = (normals(_keys(tile, what)[:, 0].contiguous(), tuple(tile.state.shape)) for what in ("read", "copy"))
    for c, chip in enumerate(chips):
        if chip.method == "none":
            continue
        if chip.method == "pulses":
            value = shown[c] + chip.read_noise * read[c]
        elif chip.method == "exact":
            value = exact.points[c] if tile.frozen is None else tile.state[c].where(tile.frozen[c] > 0, exact.points[c])
        else:
            value = torch.full_like(shown[c], float(exact.points[c].double().mean()))
        reference[c] = value + chip.copy_error * copied[c]
    return reference


def write_by_pulses_(tile: Tile, weights: Tensor, chips: Tensor) -> tuple[Tensor, Tensor]:
    """Pulse the devices of the chosen chips until the tile shows `weights` (chips, rows, columns).

    Row by row, each device gets pulses towards its target and is read, without noise, after each: it is left when it is
    within half a mean step, or has crossed the target. Returns, per chip, how many targets had to be clipped to their
    device's bounds, and how many devices were not there after MOST_WRITES pulses.
    """
    assert tile.reference is not None
    count, devices, rows, _ = tile.state.shape
    wanted = tile.reference + (weights / tile.gain_sums[0]).unsqueeze(1)
    target = wanted
    if (bounds := tile.bounds()) is not None:
        target = torch.minimum(torch.maximum(wanted, bounds[0]), bounds[1])
    chosen = chips.view(-1, 1, 1, 1)
    clipped = ((target != wanted) & chosen).double().sum(dim=(1, 2, 3))
    near = 0.5 * torch.from_numpy(tile.device.granularity(count).astype(np.float32)).view(-1, 1, 1, 1)
    near = near.to(target.device)
    side = torch.sign(tile.state - target)
    left = chosen & ((tile.state - target).abs() > near)
    if tile.frozen is not None:
        left &= tile.frozen == 0
    keys, vector = _keys(tile, "write"), 0
    lines = torch.eye(rows, device=target.device).expand(count, rows, rows).contiguous()
    for _ in range(MOST_WRITES):
        if not bool(left.any()):
            break
        for k in range(devices):
            device = None if devices == 1 else keys.new_full((count, rows), k)
            _send_(tile, (side * left)[:, k].contiguous(), lines, keys, vector, device)
            vector += rows
        error = tile.state - target
        left &= (torch.sign(error) == side) & (error.abs() > near)
    return clipped, left.double().sum(dim=(1, 2, 3))


def _send_(tile: Tile, x: Tensor, d: Tensor, keys: Tensor, first: int, device: Tensor | None = None) -> None:
    """Send vectors of one slot each: where x and d are not 0, a device gets a pulse, up where their signs differ."""
    samples = Samples(x, d, x.new_full((len(tile.chips),), FIRE), keys, 0, first=first)
    code = backend(tile.backend, tile.state)
    code.pulse_update_(tile.cells(), samples, ONE_PULSE, code.rates(samples, ONE_PULSE), device)


def _keys(tile: Tile, what: str) -> Tensor:
    """Return keys (chips, purposes, 2) that no training step uses, others after more pulses."""
    words = [
        [make_key(tile.seed, chip, tile.name, f"zero-shift {what} {purpose} after {total}") for purpose in PURPOSES]
        for chip, total in zip(tile.chips, tile.totals.tolist(), strict=True)
    ]
    return torch.from_numpy(np.array(words, np.uint32).view(np.int32)).to(tile.state.device)


def _measured(tile: Tile, exact: Symmetry, shifted: Tensor, found: tuple[Tensor, Tensor, Tensor]) -> TileShift:
    assert tile.reference is not None
    totals, clipped, unreached = (values.double().cpu().numpy() for values in found)
    devices = tile.state[0].numel()
    counted = ~exact.missing if tile.frozen is None else ~exact.missing & (tile.frozen == 0)
    residual = torch.where(counted, tile.reference - exact.points, 0.0).double()
    low = high = np.full(len(tile.chips), np.nan)
    if (bounds := tile.bounds()) is not None:
        low, high = (_sums(b - tile.reference) for b in bounds)
    where = shifted.double().cpu().numpy()
    return TileShift(
        devices, totals / devices, _sums(residual) * where, _sums(residual.square()) * where, _sums(counted),
        _sums(exact.missing), clipped, unreached, low, high,
    )  # fmt: skip


def _sums(values: Tensor) -> np.ndarray:
    """Return the sums over the devices of every chip, float64."""
    found: np.ndarray = values.double().sum(dim=(1, 2, 3)).cpu().numpy()
    return found
