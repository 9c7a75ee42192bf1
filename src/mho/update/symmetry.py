"""The symmetry point of every device of a tile, computed from its law: where an up and a down pulse cancel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from mho.devices.base import law_arguments
from mho.tiles.tile import Tile

BALANCED = 1e-6
"""Steps are equal where they differ by less than this share of their size."""
ROUNDS = 80
SETTLED, LONGEST = 0.05, 20_000
"""A device without stated bounds is at its end when a pulse moves it by less than this share of its granularity."""

Step = Callable[[np.ndarray, bool], np.ndarray]


class Symmetry(NamedTuple):
    """Symmetry points (chips, devices, rows, columns) in units of state, and which devices have none (bool).

    A device without one keeps the end of its range towards which alternating pulses drive it; one whose steps are equal
    everywhere has the point nearest to 0.
    """

    points: Tensor
    missing: Tensor


def symmetry_points(tile: Tile) -> Symmetry:
    """Return where the mean steps of each device balance: up(w) - w = w - down(w), inside its own range.

    Solved on the law without cycle-to-cycle noise, to about 1e-6 of the range; a further state of the law keeps its
    present value. A balance that only the end of the range makes is none: there a pulse ends at the bound. Computed on
    the host, in double precision.
    """
    points, missing = torch.empty(tile.state.shape), torch.empty(tile.state.shape, dtype=torch.bool)
    ends = tile.bounds()
    for c in range(len(tile.chips)):
        step = _law(tile, c)
        if ends is None:
            low, high = _reach(step, tile, c)
        else:
            shape = tile.state.shape
            low, high = (np.broadcast_to(_of_chip(e.expand(shape), c), shape[1:]) for e in ends)
        found, none = balance(step, low, high)
        points[c], missing[c] = torch.from_numpy(found.astype(np.float32)), torch.from_numpy(none)
    return Symmetry(points.to(tile.state.device), missing.to(tile.state.device))


def balance(step: Step, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return symmetry points between `low` and `high`, and where there are none; `step(w, up)` is one noiseless pulse.

    False position with halved weights (Illinois), and every third round a bisection.
    """

    def net(w: np.ndarray) -> np.ndarray:
        return (step(w, True) - w) + (step(w, False) - w)

    a, b = np.array(low), np.array(high)
    f_a, f_b = net(a), net(b)
    middle = a + 0.5 * (b - a)
    drift, size = net(middle), np.abs(step(middle, True) - middle) + np.abs(step(middle, False) - middle)
    nearest = np.clip(0.0, low, high)
    inside = [low + share * (high - low) for share in (0.25, 0.75)]
    even = (np.abs([drift, *map(net, inside)]) <= BALANCED * size).all(axis=0)
    w, near, rises = middle, BALANCED * 0.01, np.full(low.shape, -1)  # -1: neither side was kept before
    for n in range(ROUNDS):
        with np.errstate(all="ignore"):
            secant = b - f_b * (b - a) / (f_b - f_a)
        half = 0.5 * (a + b)
        w = half if n % 3 == 2 else np.where((secant > a) & (secant < b), secant, half)
        f = net(w)
        last, rises = rises, f > 0
        fade = np.where(rises == last, 0.5, 1.0)
        f_a, f_b = np.where(rises, f, fade * f_a), np.where(rises, fade * f_b, f)
        a, b = np.where(rises, w, a), np.where(rises, b, w)
        if ((np.abs(f) <= near * size) | (b - a <= near * (high - low)) | even).all():
            break
    walled = (step(w, True) >= high) | (step(w, False) <= low)
    missing = walled & ~even
    w = np.where(missing, np.where(drift > 0, high, low), w)
    return np.where(even, nearest, w), missing


def _law(tile: Tile, chip: int) -> Step:
    """Return the law of one chip's devices, without noise, in double precision."""
    kind = type(tile.device)
    shape = tuple(tile.state.shape[1:])
    extra = [_of_chip(getattr(tile, f"extra_{name}"), chip) for name in tile.device.state]
    cells = [_of_chip(getattr(tile, f"cell_{name}"), chip) for name in law_arguments(kind)]
    none = np.zeros(shape)

    def step(w: np.ndarray, up: bool) -> np.ndarray:
        new = kind.pulse(w, np.full(shape, up), none, *extra, *cells)
        return np.broadcast_to(new[0] if extra else new, shape)

    return step


def _of_chip(values: Tensor, chip: int) -> Any:
    return values[chip].cpu().numpy().astype(np.float64)


def _reach(step: Step, tile: Tile, chip: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and highest states that noiseless pulses reach."""
    least = SETTLED * float(tile.device.granularity(len(tile.chips))[chip])
    ends = []
    for up in (False, True):
        w = _of_chip(tile.state, chip)
        for _ in range(LONGEST):
            w, before = step(w, up), w
            if np.abs(w - before).max(initial=0.0) < least:
                break
        ends.append(w)
    return ends[0], ends[1]
