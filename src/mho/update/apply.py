"""Move a tile by one step's samples: by pulses, without their granularity, or by the ideal change."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mho.errors import NotFiniteError
from mho.kernels.backend import backend, mean_backend
from mho.kernels.cells import PURPOSES, Fuse, Samples, Scheme
from mho.random import check_counter, philox
from mho.tiles.tile import Tile
from mho.update.fuse import unless_blown
from mho.update.settings import Update


@dataclass
class Move:
    """What a run of chips with the same kind of update does; rates are those of its pulse trains."""

    trains: str
    chips: slice
    samples: Samples
    rates: Any = None


@dataclass
class Prepared:
    """A step of one tile, checked and ready to be applied: nothing has been moved yet.

    chosen: which device of a weight every vector pulses, (chips, vectors) int32; None: as the cell says.
    """

    tile: Tile
    scheme: Scheme
    moves: list[Move]
    chosen: Tensor | None = None


def prepare_update(
    tile: Tile, x: Tensor, d: Tensor, gain: Tensor, *, update: Update, pulsed: str = "all", bias: bool = False,
    first: int = 0,
) -> Prepared:  # fmt: skip
    """Return the step W -= lr sum of d x^T of a tile, ready to apply.

    x: (chips, batch, columns without the bias), d: (chips, batch, rows), gain: (chips,) float32, the pulses per unit
    of x d (lr / granularity of the weight), or for an ideal update the change of conductance per unit.
    Raises NotFiniteError for NaN or infinity; nothing is moved.
    """
    check_counter("the number of vectors in a step", (first + x.shape[1]) << 6)
    step = check_counter("step", tile.steps)
    scheme = Scheme(update.bl, update.bl_management, update.update_management, one_device=pulsed)
    unseen = tile.fuse is None and tile.on_gpu  # rates tell the fuse alone there
    moves = []
    for trains, chips in update.runs(x.shape[0]):
        given = (x, d, gain, tile.update_keys)
        own_x, own_d, own_gain, keys = given if chips.stop == len(x) + chips.start else (v[chips] for v in given)
        samples = Samples(
            own_x.contiguous(), own_d.contiguous(), own_gain, keys, step, bias, first, tile.tick_of("step"), tile.fuse
        )
        move = Move(trains, chips, samples)
        if trains in ("stochastic", "deterministic"):
            move.rates = backend(tile.backend, tile.state).rates(samples, scheme)
            _refuse(move.rates.x_finite, move.rates.d_finite)
        if move.rates is None or unseen:
            check_finite(samples.x, samples.d, tile.fuse)
        moves.append(move)
    return Prepared(tile, scheme, moves)


def check_finite(x: Tensor, d: Tensor, fuse: Fuse | None = None) -> None:
    """Raise NotFiniteError for NaN or infinity in the inputs or errors of a step.

    With a fuse, on a GPU, nothing is raised: the fuse blows, and no number is copied to the host.
    """
    if fuse is not None:
        from mho.kernels.gpu.fuse import check

        check(fuse, x, d)
        return
    _refuse(*(bool(torch.isfinite(v.sum())) or bool(torch.isfinite(v).all()) for v in (x, d)))


def _refuse(x_finite: bool, d_finite: bool) -> None:
    for name, finite in (("input x", x_finite), ("error d", d_finite)):
        if not finite:
            raise NotFiniteError(f"{name} holds NaN or infinity")


def apply_update_(step: Prepared) -> None:
    """Apply a prepared step in place."""
    tile = step.tile
    for move in step.moves:
        if move.trains == "ideal":
            _ideal_update_(tile, move.samples)
            continue
        cells = tile.cells(move.chips)
        chosen = choose_devices(tile, move.samples, step.scheme) if step.chosen is None else step.chosen[move.chips]
        if move.trains == "mean":
            code = mean_backend(tile.backend, tile.state)
            code.mean_update_(cells, move.samples, tile.noisy_chips[move.chips], chosen)
        else:
            scheme = replace(step.scheme, deterministic=True) if move.trains == "deterministic" else step.scheme
            backend(tile.backend, tile.state).pulse_update_(cells, move.samples, scheme, move.rates, chosen)


def apply_array_(steps: list[Prepared]) -> None:
    """Apply the prepared steps of the tiles of an array in place."""
    for step in steps:
        apply_update_(step)


def choose_devices(tile: Tile, samples: Samples, scheme: Scheme) -> Tensor | None:
    """Return which device (or pair) of a weight each sample pulses, (chips, batch) int32, or None for all."""
    devices = tile.state.shape[1] // (2 if tile.paired else 1)
    if devices == 1 or scheme.one_device == "all":
        return None
    chips, batch = samples.x.shape[:2]
    if tile.on_gpu:
        from mho.kernels.gpu.choose import choose

        return choose(samples, devices, turn=scheme.one_device == "turn")
    vectors = np.arange(samples.first, samples.first + batch, dtype=np.uint32)
    if scheme.one_device == "turn":
        turn = (vectors.astype(np.int64) + tile.steps) % devices
        return torch.from_numpy(np.broadcast_to(turn.astype(np.int32), (chips, batch)).copy())
    chosen = np.empty((chips, batch), np.int32)
    zero = np.zeros(1, np.uint32)
    for c, key in enumerate(samples.keys[:, PURPOSES.index("device")].numpy().view(np.uint32)):
        k0, k1 = (np.array([k], np.uint32) for k in key)
        words, *_ = philox(k0, k1, zero, vectors, zero, np.array([samples.step], np.uint32))
        chosen[c] = (words.astype(np.uint64) * np.uint64(devices) >> np.uint64(32)).astype(np.int32)
    return torch.from_numpy(chosen)


def _ideal_update_(tile: Tile, samples: Samples) -> None:
    x, d = samples.x, samples.d * samples.gain.view(-1, 1, 1)
    change = torch.bmm(d.transpose(1, 2), x)
    if samples.bias:
        change = torch.cat((change, d.sum(1).unsqueeze(2)), dim=2)
    moved = tile.state - _of_devices(tile, change)
    if (bounds := tile.bounds()) is not None:
        moved = torch.minimum(torch.maximum(moved, bounds[0]), bounds[1])
    if tile.frozen is not None:
        moved = torch.where(tile.frozen.bool(), tile.state, moved)
    tile.state.copy_(unless_blown(tile.intact(), moved, tile.state))
    tile.show_()


def _of_devices(tile: Tile, change: Tensor) -> Tensor:
    """Return what is subtracted from every device, (chips, devices or 1, rows, columns), to change the weights."""
    if not (tile.one_sided or any(gain < 0 for gain in tile.gain_list)):
        return change.unsqueeze(1)
    own = change.unsqueeze(1) * torch.sign(tile.gains).view(1, -1, 1, 1)
    return own.clamp_max(0.0) if tile.one_sided else own
