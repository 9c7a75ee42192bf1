"""Pulses by count on a GPU: a warp pulses a block of the listed devices, four draws of a device a Philox block."""

from __future__ import annotations

from torch import Tensor

from mho.kernels.burst import check_each_once, checked_lines
from mho.kernels.cells import Cells, Fuse
from mho.kernels.gpu.compiling import changed, counter, start
from mho.kernels.gpu.fuse import fuses
from mho.kernels.gpu.laws import Given, block_of, law_kernel, moved
from mho.kernels.gpu.show import show_
from mho.kernels.gpu.zero import zero


def burst_(
    cells: Cells, pulses: Tensor, keys: Tensor, *, step: int, vector: int = 0, rows: Tensor | None = None,
    columns: Tensor | None = None, tick: Tensor | None = None, fuse: Fuse | None = None,
) -> None:  # fmt: skip
    """Pulse the devices of a tile by numbers of pulses, in place; see `reference.burst_`. All tensors on one device.

    Lists of rows or columns that lie on the GPU are not looked at: a line outside, or named twice, is undefined.
    """
    row_list, column_list = checked_lines(cells, pulses, rows, columns)
    if not (row_list.is_cuda or column_list.is_cuda):
        check_each_once(cells, row_list, column_list)
    if pulses.numel() == 0:
        return
    chips, devices, height, width = cells.state.shape
    given, device = Given(cells), cells.state.device
    block = block_of(pulses.numel())
    programs = -(-pulses[0].numel() // block)
    kernel = law_kernel("burst", cells.device, cells.per_cell)  # type: ignore[arg-type]  # mypy: a class is hashable
    start(
        kernel, (chips * programs,), cells.state, pulses, pulses if rows is None else row_list.to(device),
        pulses if columns is None else column_list.to(device), keys.contiguous(), given(cells.frozen),
        given(cells.counts), given(cells.apparent), given(cells.write_noise), cells.totals,
        pulses if fuse is None else fuse.flags, zero(device) if tick is None else tick, devices * height * width,
        height, width, len(row_list), len(column_list), counter(vector), counter(step), programs, *given.arrays,
        BY_ROW=int(rows is not None), BY_COLUMN=int(columns is not None), COUNTS=int(cells.counts is not None),
        FUSES=fuses(fuse), BLOCK=block, **given.flags,
    )  # fmt: skip
    changed(*moved(cells))
    show_(cells)
