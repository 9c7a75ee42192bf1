"""The pulsed update on a GPU."""

from __future__ import annotations

import torch
from torch import Tensor

from mho.kernels.cells import Cells, Samples, Scheme
from mho.kernels.cpu import Rates
from mho.kernels.gpu.compiling import start
from mho.kernels.gpu.laws import BLOCK, Given, law_kernel
from mho.kernels.gpu.show import show
from mho.kernels.gpu.trains import trains


def pulse_update_(cells: Cells, samples: Samples, scheme: Scheme, rates_: Rates, device_of: Tensor | None) -> None:
    """Move the devices of a tile by the pulses of one step's samples, in place; all tensors on one device."""
    chips, devices, rows, columns = cells.state.shape
    x_words, d_words = trains(samples, scheme, rates_)
    x_signs = torch.zeros(x_words.shape, dtype=torch.int8, device=x_words.device)
    x_signs[..., : samples.x.shape[2]] = samples.x.signbit()
    given = Given(cells)
    kernel = law_kernel("pulse", cells.device, cells.per_cell)  # type: ignore[arg-type]  # mypy: a class is hashable
    start(
        kernel, (-(-devices * rows * columns // BLOCK), chips),
        cells.state, x_words, d_words, x_signs, samples.d.signbit().to(torch.int8), rates_.length,
        samples.keys.contiguous(), given(device_of), given(cells.frozen), given(cells.counts),
        given(cells.apparent), given(cells.write_noise), cells.totals, cells.gains, samples.x.shape[1], devices, rows,
        columns, samples.first, samples.step, *given.arrays,
        ONE=int(device_of is not None), SIDES=1 + cells.paired, ONE_SIDED=int(cells.one_sided), **given.flags,
    )  # fmt: skip
    show(cells)
