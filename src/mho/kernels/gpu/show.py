"""The sum over the devices of every weight on a GPU."""

from __future__ import annotations

from mho.kernels.cells import Cells
from mho.kernels.gpu.compiling import changed, kernels, start
from mho.kernels.gpu.laws import noisy

BLOCK = 512
"""Weights of a program."""


def show_(cells: Cells) -> None:
    """Sum the devices of every weight into `visible`, in the order of the CPU's kernels, where there is one."""
    if cells.visible is None or not cells.visible.numel():
        return
    read = cells.apparent if noisy(cells) and cells.apparent is not None else cells.state
    _, devices, rows, columns = read.shape
    weights = cells.visible.numel()
    offset = cells.visible if cells.offset is None else cells.offset
    start(
        kernels("triton_show").show, (-(-weights // BLOCK),), cells.visible, read, cells.gains, offset, weights,
        rows * columns, devices, OFFSET=int(cells.offset is not None), BLOCK=BLOCK,
    )  # fmt: skip
    changed(cells.visible)
