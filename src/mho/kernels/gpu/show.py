"""The sum over the devices of every weight on a GPU."""

from __future__ import annotations

import torch

from mho.kernels.cells import Cells
from mho.kernels.gpu.laws import noisy


def show(cells: Cells) -> None:
    """Sum the devices of every weight."""
    if cells.visible is None:
        return
    read = cells.apparent if noisy(cells) and cells.apparent is not None else cells.state
    total = torch.zeros_like(cells.visible)
    for k in range(read.shape[1]):
        total = total + cells.gains[k] * read[:, k]
    if cells.offset is not None:
        total = total - cells.offset
    cells.visible.copy_(total)
