"""The update without granularity on a GPU: a warp moves a block of cells by all samples, one after another."""

from __future__ import annotations

from torch import Tensor

from mho.kernels.cells import MOST, Cells, Samples
from mho.kernels.gpu.compiling import changed, counter, start
from mho.kernels.gpu.fuse import fuses
from mho.kernels.gpu.laws import Given, block_of, law_kernel, moved
from mho.kernels.gpu.show import show_
from mho.kernels.gpu.zero import ticking


def mean_update_(cells: Cells, samples: Samples, noisy: Tensor, device_of: Tensor | None) -> None:
    """Move the devices of a tile by one step's samples, in place, without pulses; see `reference.mean_update_`.

    noisy: (chips,) uint8, whether the cycle-to-cycle noise of a chip's devices is on. All tensors on one device.
    Whether x and d are finite was looked at when the step was prepared.
    """
    chips, devices, rows, columns = cells.state.shape
    batch, inputs = samples.x.shape[1:]
    if not batch or not cells.state.numel():
        return
    given, size, fuse = Given(cells), devices * rows * columns, samples.fuse
    block = block_of(chips * size)
    programs = -(-size // block)
    tick = ticking(samples.tick, cells.state.device)
    kernel = law_kernel("mean", cells.device, cells.per_cell)  # type: ignore[arg-type]  # mypy: a class is hashable
    start(
        kernel, (chips * programs,), cells.state, samples.x.contiguous(), samples.d.contiguous(),
        samples.gain.contiguous(), noisy.contiguous(), given(device_of), samples.keys.contiguous(), given(cells.frozen),
        given(cells.apparent), given(cells.write_noise), cells.gains, given(None) if fuse is None else fuse.flags, tick,
        size, rows, columns, inputs, batch, samples.first, counter(samples.step), programs, *given.arrays,
        ONE=int(device_of is not None), SIDES=1 + cells.paired, ONE_SIDED=int(cells.one_sided), FUSES=fuses(fuse),
        MOST=MOST, BLOCK=block, **given.flags,
    )  # fmt: skip
    changed(*moved(cells))
    show_(cells)
