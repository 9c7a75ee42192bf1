"""Finding the tiles of a checkpoint by the names of its arrays, and where each lies in its layer's matrix."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mho.config import AnalogConfig
from mho.errors import CheckpointError
from mho.mapping import Mapping
from mho.mapping.split import even_parts
from mho.report.rundir import Arrays

STATE = re.compile(
    r"^(?:(?P<layer>.+)\.)?grids\.(?P<grid>\d+)\.(?P<block>blocks\.(?P<number>\d+)\.)"
    r"arrays\.(?P<array>\w+)\.tiles\.(?P<tile>\d+)\.state$"
)
MAIN = ("weight", "msp")
"""Names of the array of a block that stands for it: a layer is its tiles, and what the block shows its weights."""


@dataclass(frozen=True)
class Part:
    """Which tile of every block of a layer: of the array of a name, the plus side or the minus side."""

    layer: str
    array: str
    tile: int

    @property
    def main(self) -> bool:
        """Whether it stands for the layer."""
        return self.array in MAIN and self.tile == 0

    def __str__(self) -> str:
        if self.main:
            return self.layer
        side = " minus" if self.tile else ""
        return f"{self.layer} ({self.array}{side})"


@dataclass(frozen=True)
class TileFile:
    """A tile in a checkpoint.

    prefix: start of the names of its arrays; shown: names under which the weights of its block may stand, in the order
    of preference. scale, learned: names of the digital scale and of the learned factors,
    which may not exist. shape: (chips, devices, rows, columns). part: its column part; row: its first row in its own
    grid; own: where its learned factors lie. rows, columns: its place in the layer's matrix, in which the outputs of
    one group follow those of another.
    """

    prefix: str
    shown: tuple[str, ...]
    scale: str
    learned: str
    shape: tuple[int, ...]
    part: int
    row: int
    own: slice
    rows: slice
    columns: slice


def find_tiles(arrays: Arrays, config: AnalogConfig, order: list[str]) -> dict[str, list[TileFile]]:
    """Return the tiles that stand for every analog layer, by its name; raise CheckpointError if there are none.

    Layers stand as in `order`, others after them by name.
    """
    return {part.layer: tiles for part, tiles in find_parts(arrays, config, order).items() if part.main}


def find_parts(arrays: Arrays, config: AnalogConfig, order: list[str]) -> dict[Part, list[TileFile]]:
    """Return the tiles of every analog layer, array by array, the one that stands for the layer first."""
    found: dict[Part, dict[int, dict[int, str]]] = {}
    for name in arrays.names:
        if match := STATE.match(name):
            part = Part(match["layer"] or "model", match["array"], int(match["tile"]))
            grids = found.setdefault(part, {})
            grids.setdefault(int(match["grid"]), {})[int(match["number"])] = name.removesuffix("state")
    if not found:
        raise CheckpointError(f"{arrays.path} holds no analog tiles; give a run directory that mho train wrote")
    places = {name: n for n, name in enumerate(order)}

    def order_of(part: Part) -> tuple[int, list[tuple[int, int, str]], bool, str, int]:
        return (places.get(part.layer, len(order)), _natural(part.layer), not part.main, part.array, part.tile)

    out = {}
    for part in sorted(found, key=order_of):
        mapping = config.for_layer(part.layer).mapping
        tiles: list[TileFile] = []
        for grid, blocks in sorted(found[part].items()):
            top = next(iter(blocks.values())).partition(f"grids.{grid}.")[0] + f"grids.{grid}."
            prefixes = [prefix for _, prefix in sorted(blocks.items())]
            tiles += _grid(arrays, top, prefixes, mapping, tiles[-1].rows.stop if tiles else 0)
        out[part] = tiles
    return out


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Return a key that sorts layer10 after layer9."""
    return [(0, int(p), "") if p.isdecimal() else (1, 0, p) for p in re.split(r"(\d+)", name) if p]


def _grid(arrays: Arrays, top: str, prefixes: list[str], mapping: Mapping, first_row: int) -> list[TileFile]:
    """Return the tiles of a grid: row parts one after another, each with all its column parts."""
    shapes = [_shape(arrays, prefix) for prefix in prefixes]
    scale, learned = f"{top}scale", f"{top}learned"  # (chips, column parts, rows) or, per tile, row parts
    scales = [name for name in (scale, learned) if name in arrays]
    parts = arrays.shape(scales[0])[1] if scales else _column_parts(shapes, mapping)
    per_tile = learned in scales and arrays.shape(learned)[2] * parts == len(prefixes)
    tiles, row = [], 0
    for k, (prefix, shape) in enumerate(zip(prefixes, shapes, strict=True)):
        column = sum(s[3] for s in shapes[k - k % parts : k])
        rows = slice(first_row + row, first_row + row + shape[2])
        columns = slice(column, column + shape[3])
        number = k // parts if per_tile else row
        own = slice(number, number + (1 if per_tile else shape[2]))
        tiles.append(TileFile(prefix, _shown(prefix), scale, learned, shape, k % parts, row, own, rows, columns))
        row += shape[2] if k % parts == parts - 1 else 0
    return tiles


def _shown(prefix: str) -> tuple[str, ...]:
    """Return the names under which the weights of a tile's block may stand: of the block, its array, the tile."""
    block, array = prefix.partition("arrays.")[0], prefix.partition("tiles.")[0]
    return (f"{block}shown", f"{array}shown", *(prefix + name for name in ("combined", "apparent", "state")))


def _shape(arrays: Arrays, prefix: str) -> tuple[int, ...]:
    shape = arrays.shape(prefix + "state")
    if len(shape) != 4 or 0 in shape:
        raise CheckpointError(
            f"{arrays.path}: {prefix}state has shape {shape}, expected (chips, devices, rows, columns); "
            "the file was not written by this version of mho: run again"
        )
    return shape


def _column_parts(shapes: list[tuple[int, ...]], mapping: Mapping) -> int:
    """Return over how many tiles the columns are split, from the sizes of the tiles and the largest array.

    Sizes alone may allow several answers (6 tiles of 86 x 33 are 3 x 2 or 6 x 1): the matrix nearest to a
    square is taken.
    """
    found = []
    for parts in range(1, len(shapes) + 1):
        heights, widths = [s[2] for s in shapes[::parts]], [s[3] for s in shapes[:parts]]
        rows, columns = sum(heights), sum(widths)
        fits = (
            [s[2:] for s in shapes] == [(h, w) for h in heights for w in widths]
            and heights == _sizes(rows, mapping.max_rows)
            and widths == _sizes(columns, mapping.max_columns)
        )
        if fits:
            found.append((max(rows, columns) / min(rows, columns), parts))
    return min(found, default=(0.0, len(shapes)))[1]


def _sizes(total: int, limit: int) -> list[int]:
    return [last - first for first, last in even_parts(total, limit)]
