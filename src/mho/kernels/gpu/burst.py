"""Pulses by count on a GPU: a warp pulses a block of the listed devices, four draws of a device a Philox block."""

from __future__ import annotations

from torch import Tensor

from mho.kernels.burst import check_each_once, check_pulses
from mho.kernels.cells import Cells, Fuse
from mho.kernels.gpu.compiling import changed, counter, start
from mho.kernels.gpu.fuse import fuses
from mho.kernels.gpu.laws import Given, block_of, law_kernel, moved
from mho.kernels.gpu.show import show_
from mho.kernels.gpu.zero import ticking


def burst_(
    cells: Cells, pulses: Tensor, keys: Tensor, *, step: int, vector: int = 0, rows: Tensor | None = None,
    columns: Tensor | None = None, tick: Tensor | None = None, fuse: Fuse | None = None,
) -> None:  # fmt: skip
    """Pulse the devices of a tile by numbers of pulses, in place; see `reference.burst_`. All tensors on one device.

    Lists of rows or columns that lie on the GPU are not looked at: a line outside, or named twice, is undefined.
    """
    check_pulses(cells, pulses, rows, columns)
    check_each_once(cells, *(lines if lines is not None and lines.is_cpu else None for lines in (rows, columns)))
    if pulses.numel() == 0:
        return
    chips, devices, height, width = cells.state.shape
    given, device = Given(cells), cells.state.device
    block = block_of(pulses.numel())
    programs = -(-(pulses.numel() // chips) // block)
    kernel = law_kernel("burst", cells.device, cells.per_cell)  # type: ignore[arg-type]  # mypy: a class is hashable
    start(
        kernel, (chips * programs,), cells.state, pulses, _listed(rows, pulses), _listed(columns, pulses),
        keys.contiguous(), given(cells.frozen), given(cells.counts), given(cells.apparent), given(cells.write_noise),
        cells.totals, pulses if fuse is None else fuse.flags, ticking(tick, device),
        devices * height * width, height, width, *pulses.shape[2:], counter(vector), counter(step), programs,
        *given.arrays, BY_ROW=int(rows is not None), BY_COLUMN=int(columns is not None),
        COUNTS=int(cells.counts is not None), FUSES=fuses(fuse), BLOCK=block, **given.flags,
    )  # fmt: skip
    changed(*moved(cells))
    show_(cells)


def _listed(lines: Tensor | None, pulses: Tensor) -> Tensor:
    """Return a list of lines on the device of the pulses, or what the kernel will not read in place of none."""
    return pulses if lines is None else lines.to(pulses.device).contiguous()
