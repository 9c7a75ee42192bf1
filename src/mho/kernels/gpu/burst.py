"""Pulses by count on a GPU."""

from __future__ import annotations

from torch import Tensor

from mho.kernels.burst import check_each_once, checked_lines
from mho.kernels.cells import Cells, Fuse
from mho.kernels.gpu.compiling import start
from mho.kernels.gpu.laws import BLOCK, Given, law_kernel
from mho.kernels.gpu.show import show


def burst_(
    cells: Cells, pulses: Tensor, keys: Tensor, *, step: int, vector: int = 0, rows: Tensor | None = None,
    columns: Tensor | None = None, tick: Tensor | None = None, fuse: Fuse | None = None,
) -> None:  # fmt: skip
    """Pulse the devices of a tile by numbers of pulses, in place; see `reference.burst_`. All tensors on one device."""
    row_list, column_list = checked_lines(cells, pulses, rows, columns)
    check_each_once(cells, row_list, column_list)
    chips, devices, height, width = cells.state.shape
    if pulses.numel() == 0:
        return
    given = Given(cells)
    kernel = law_kernel("burst", cells.device, cells.per_cell)  # type: ignore[arg-type]  # mypy: a class is hashable
    start(
        kernel, (-(-pulses[0].numel() // BLOCK), chips),
        cells.state, pulses, row_list.to(pulses.device), column_list.to(pulses.device), keys.contiguous(),
        given(cells.frozen), given(cells.counts), given(cells.apparent), given(cells.write_noise), cells.totals,
        devices, height, width, len(row_list), len(column_list), vector, step, *given.arrays, **given.flags,
    )  # fmt: skip
    show(cells)
