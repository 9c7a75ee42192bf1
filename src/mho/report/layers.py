"""The numbers of every analog layer in a checkpoint: histograms, shares at the bounds, pulses per device."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mho.config import AnalogConfig
from mho.report.histogram import blocks, count, ends, even_edges, log_edges
from mho.report.rundir import Arrays
from mho.report.tilefiles import Part, TileFile, find_parts

NEAR = 0.01
"""A device is at a bound when it is closer to it than this share of its own range."""
FAR = 20
"""Bounds are left out of a histogram of states when they make it this many times wider."""
MAP = (48, 98)
"""Blocks (rows, columns) of a map of pulses."""


@dataclass(frozen=True)
class Histogram:
    """Bins with their edges (bins + 1,) and counts (bins,); mean and standard deviation of all values."""

    edges: np.ndarray
    counts: np.ndarray
    mean: float
    std: float


@dataclass(frozen=True)
class Bounds:
    """The lowest and highest state of the devices, in the bins of the histogram of states.

    at_low, at_high: (chips,) shares of devices within 1 % of their range of a bound.
    """

    low: Histogram
    high: Histogram
    at_low: np.ndarray
    at_high: np.ndarray


@dataclass(frozen=True)
class Pulses:
    """Pulses per device: histogram, highest, and share of the devices that were never pulsed.

    The bins hold those pulsed at least once; the mean is over all devices.

    map: means over chips, devices of a weight and neighbours, (rows, columns).
    """

    histogram: Histogram
    highest: int
    never: float
    map: np.ndarray


@dataclass(frozen=True)
class Layer:
    """One analog layer, all chips together, or a further array of it; None where the checkpoint does not say.

    weights: of a layer, not of its further arrays. shape: (outputs, inputs), with the bias column where it is in the
    array. totals: pulses of each chip.
    """

    name: str
    shape: tuple[int, int]
    chips: int
    devices: int
    tiles: int
    weights: Histogram | None
    states: Histogram
    bounds: Bounds | None
    pulses: Pulses | None
    totals: list[int]
    frozen: float


def read_layers(arrays: Arrays, config: AnalogConfig, order: list[str]) -> list[Layer]:
    """Return the analog layers of a checkpoint, those in `order` first; raises CheckpointError."""
    return [_layer(arrays, part, tiles) for part, tiles in find_parts(arrays, config, order).items()]


def _layer(arrays: Arrays, part: Part, tiles: list[TileFile]) -> Layer:
    def there(key: str) -> bool:
        return all(t.prefix + key in arrays for t in tiles)

    shape = max(t.rows.stop for t in tiles), max(t.columns.stop for t in tiles)
    state = [arrays.read(t.prefix + "state", 4) for t in tiles]
    edges = even_edges(*ends(state))
    bounds = None
    if there("cell_top") and there("cell_bottom"):
        lowest, highest = ([_full(arrays, t, key) for t in tiles] for key in ("cell_bottom", "cell_top"))
        edges = _edges(state, [*lowest, *highest])
        bounds = _bounds(state, lowest, highest, edges)
    totals = [arrays.read(t.prefix + "totals", 1) for t in tiles] if there("totals") else []
    frozen = [arrays.read(t.prefix + "frozen", 4).mean() for t in tiles] if there("frozen") else [0.0]
    weights = [tile_weights(arrays, t) for t in tiles] if part.main else []
    return Layer(
        str(part), shape, tiles[0].shape[0], tiles[0].shape[1], len(tiles),
        weights=_histogram(weights, even_edges(*ends(weights))) if weights else None,
        states=_histogram(state, edges),
        bounds=bounds,
        pulses=_pulses(arrays, tiles, shape) if there("counts") else None,
        totals=np.sum(totals, axis=0).tolist() if totals else [],
        frozen=float(np.mean(frozen)),
    )  # fmt: skip


def _edges(state: list[np.ndarray], bounds: list[np.ndarray]) -> np.ndarray:
    """Return edges for states and bounds together, or for the states alone where the bounds are far away."""
    inner, outer = ends(state), ends(bounds)
    low, high = min(inner[0], outer[0]), max(inner[1], outer[1])
    far = high - low > FAR * (inner[1] - inner[0])
    return even_edges(*inner) if far else even_edges(low, high)


def _histogram(values: list[np.ndarray], edges: np.ndarray) -> Histogram:
    """Return the counts in the bins; mean and standard deviation are of all values, in a bin or not."""
    size = sum(v.size for v in values)
    mean = sum(float(v.sum(dtype=np.float64)) for v in values) / size
    square = sum(float(v.var(dtype=np.float64) + (v.mean(dtype=np.float64) - mean) ** 2) * v.size for v in values)
    return Histogram(edges, np.sum([count(v, edges) for v in values], axis=0), mean, (square / size) ** 0.5)


def tile_weights(arrays: Arrays, tile: TileFile) -> np.ndarray:
    """Return the weights (chips, rows, columns) of a tile's block: what a product reads, times the digital scales."""
    shown = arrays.read(next(name for name in tile.shown if name in arrays))
    shown = shown[:, 0] if shown.ndim == 4 else shown
    rows = slice(tile.row, tile.row + tile.shape[2])
    if tile.scale in arrays:
        shown = shown * arrays.read(tile.scale, 3)[:, tile.part, rows, None]
    if tile.learned in arrays:
        shown = shown * arrays.read(tile.learned, 3)[:, tile.part, tile.own, None]
    return np.asarray(shown)


def _full(arrays: Arrays, tile: TileFile, key: str) -> np.ndarray:
    """Return an argument of the law for all devices of a tile: it may be stored once per chip."""
    array = arrays.read(tile.prefix + key)
    return np.broadcast_to(array.reshape(-1, 1, 1, 1) if array.ndim == 1 else array, tile.shape)


def _bounds(state: list[np.ndarray], low: list[np.ndarray], high: list[np.ndarray], edges: np.ndarray) -> Bounds:
    """Return the devices' own bounds, and the share of each chip's devices that are at one."""
    at_low, at_high = (np.zeros(len(state[0])) for _ in range(2))
    for w, bottom, top in zip(state, low, high, strict=True):
        near = np.float32(NEAR) * (top - bottom)
        at_low += np.count_nonzero(w <= bottom + near, axis=(1, 2, 3))
        at_high += np.count_nonzero(w >= top - near, axis=(1, 2, 3))
    size = sum(w[0].size for w in state)
    return Bounds(_histogram(low, edges), _histogram(high, edges), at_low / size, at_high / size)


def _pulses(arrays: Arrays, tiles: list[TileFile], shape: tuple[int, int]) -> Pulses:
    """Return how often the devices were pulsed."""
    counts = [arrays.read(t.prefix + "counts", 4) for t in tiles]
    highest, size = max(int(c.max()) for c in counts), sum(c.size for c in counts)
    full = np.zeros(shape, np.float32)
    for tile, found in zip(tiles, counts, strict=True):
        full[tile.rows, tile.columns] = found.mean(axis=(0, 1), dtype=np.float64)
    never = 1 - sum(int(np.count_nonzero(c)) for c in counts) / size
    return Pulses(_histogram(counts, log_edges(highest)), highest, never, blocks(full, *MAP))
