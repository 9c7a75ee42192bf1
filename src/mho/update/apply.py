"""Move a tile by one step's samples: by pulses, or by the ideal change for comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mho.errors import NotFiniteError
from mho.kernels.backend import backend
from mho.kernels.cells import Samples, Scheme
from mho.random import check_counter, philox
from mho.tiles.tile import Tile
from mho.update.settings import Update


@dataclass
class Prepared:
    """A step of one tile, checked and ready to be applied: nothing has been moved yet."""

    tile: Tile
    samples: Samples
    scheme: Scheme
    rates: Any


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
    scheme = Scheme(update.bl, update.bl_management, update.update_management, update.trains == "deterministic", pulsed)
    step = check_counter("step", tile.steps)
    samples = Samples(x.contiguous(), d.contiguous(), gain, tile.update_keys, step, bias, first)
    if update.trains == "ideal":
        for name, values in (("input x", x), ("error d", d)):
            if not bool(torch.isfinite(values).all()):
                raise NotFiniteError(f"{name} holds NaN or infinity")
        return Prepared(tile, samples, scheme, None)
    rates = backend(tile.backend).rates(samples, scheme)
    for name, fine in (("input x", rates.x_finite), ("error d", rates.d_finite)):
        if not fine:
            raise NotFiniteError(f"{name} holds NaN or infinity")
    return Prepared(tile, samples, scheme, rates)


def apply_update_(step: Prepared) -> None:
    """Apply a prepared step in place."""
    if step.rates is None:
        _ideal_update_(step.tile, step.samples)
        return
    move = backend(step.tile.backend).pulse_update_
    move(step.tile.cells(), step.samples, step.scheme, step.rates, choose_devices(step))


def choose_devices(step: Prepared) -> Tensor | None:
    """Return which device of a weight each sample pulses, (chips, batch) int32, or None for all of them."""
    devices = step.tile.state.shape[1]
    if devices == 1 or step.scheme.one_device == "all":
        return None
    chips, batch = step.samples.x.shape[:2]
    vectors = np.arange(step.samples.first, step.samples.first + batch, dtype=np.uint32)
    if step.scheme.one_device == "turn":
        turn = (vectors.astype(np.int64) + step.tile.steps) % devices
        return torch.from_numpy(np.broadcast_to(turn.astype(np.int32), (chips, batch)).copy())
    chosen = np.empty((chips, batch), np.int32)
    zero = np.zeros(1, np.uint32)
    for c, key in enumerate(step.tile.device_keys):
        k0, k1 = (np.array([k], np.uint32) for k in key)
        words, *_ = philox(k0, k1, zero, vectors, zero, np.array([step.samples.step], np.uint32))
        chosen[c] = (words.astype(np.uint64) * np.uint64(devices) >> np.uint64(32)).astype(np.int32)
    return torch.from_numpy(chosen)


def _ideal_update_(tile: Tile, samples: Samples) -> None:
    x, d = samples.x, samples.d * samples.gain.view(-1, 1, 1)
    change = torch.bmm(d.transpose(1, 2), x)
    if samples.bias:
        change = torch.cat((change, d.sum(1).unsqueeze(2)), dim=2)
    moved = tile.state - change.unsqueeze(1)
    if (bounds := tile.bounds()) is not None:
        moved = torch.minimum(torch.maximum(moved, bounds[0]), bounds[1])
    if tile.frozen is not None:
        moved = torch.where(tile.frozen.bool(), tile.state, moved)
    tile.state.copy_(moved)
    tile.show_()
