"""Pulses by count: every device gets as many pulses as it is told, up or down."""

from __future__ import annotations

from torch import Tensor

from mho.kernels.backend import burst_backend
from mho.random import check_counter
from mho.tiles.tile import Tile


def burst_(tile: Tile, pulses: Tensor, rows: Tensor | None = None, columns: Tensor | None = None) -> None:
    """Send pulses to the devices of a tile: (chips, devices, rows, columns) int32, in the direction of their signs.

    The sign is the direction of the device's own state; a side of a pair with a negative gain lowers the weight as it
    rises. rows, columns: int32 numbers of the lines that `pulses` is about, None for all of them. Counts them.
    """
    step = check_counter("the number of programming calls", tile.next_call("program"))
    burst_backend(tile.backend, tile.state).burst_(
        tile.cells(), pulses, tile.program_keys, step=step, rows=rows, columns=columns,
        tick=tile.tick_of("program"), fuse=tile.fuse,
    )  # fmt: skip
