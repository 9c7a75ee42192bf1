"""The pulsed update on a GPU.

A program is one warp; each of its lanes takes some cells, one after another. A lane walks the coincidences of its cell
along the chip's tape: it takes the lowest set bit of its current word, asks for its next word, computes the draw and
the law, and goes on; after the last pulse of a cell it stores the cell and takes the next one that has any. So the
lanes of a warp are at different samples and cells, and a warp is done after as many rounds as its busiest lane has
pulses, not after as many as there are slots in which any of them fires; a lane of several cells is nearer to the mean
than a cell is. Which words hold pulses of which cell is found first, 32 words of a lane at a time, by loads that lie
side by side. A cell that nothing coincides on is neither read nor written.

A round of one warp with one cell in each lane is some 250 instructions (soft bounds, as compiled for sm_90): 155 for
one Philox block, the normal draw and the law, 60 for walking, 35 for another cell. Within a warp the test for the end
is one reduction and no barrier. Numbers of cells, programs and words are no constants of a kernel: a law is compiled
once for all layers of a kind. Results depend on no size of block.
"""

from __future__ import annotations

from functools import cache

from torch import Tensor

from mho.kernels.cells import Cells, Samples, Scheme
from mho.kernels.cpu import Rates
from mho.kernels.gpu.compiling import changed, counter, start
from mho.kernels.gpu.laws import FULL, Given, block_of, law_kernel, moved
from mho.kernels.gpu.show import show_
from mho.kernels.gpu.trains import tapes, vectors_at_a_time
from mho.kernels.gpu.zero import ticking


def pulse_update_(cells: Cells, samples: Samples, scheme: Scheme, rates_: Rates, device_of: Tensor | None) -> None:
    """Move the devices of a tile by the pulses of one step's samples, in place; all tensors on one device.

    `device_of`: (chips, batch) int32, which device of a cell (or pair, if `paired`) each sample pulses; None for all.
    """
    batch = samples.x.shape[1]
    if not batch or not cells.state.numel():
        return
    groups = cells.state.shape[1] // (1 + cells.paired)
    at_a_time = vectors_at_a_time(samples, scheme, groups)
    for first in range(0, batch, at_a_time):
        run = range(first, min(first + at_a_time, batch))
        _pulse_run(cells, samples, scheme, rates_, device_of, run=run)
    changed(*moved(cells))
    show_(cells)


def _pulse_run(
    cells: Cells, samples: Samples, scheme: Scheme, rates_: Rates, device_of: Tensor | None, *, run: range
) -> None:
    """Move the devices by the pulses of a run of vectors."""
    chips, devices, rows, columns = cells.state.shape
    sides = 1 + cells.paired
    tape = tapes(samples, scheme, rates_, device_of, groups=devices // sides, run=run)
    given = Given(cells)
    size = devices * rows * columns
    block = block_of(chips * size)
    parts = parts_of(chips * size, block)
    programs = -(-size // (block * parts))
    tick = ticking(samples.tick, cells.state.device)
    kernel = law_kernel("pulse", cells.device, cells.per_cell)  # type: ignore[arg-type]  # mypy: a class is hashable
    start(
        kernel, (chips * programs,), cells.state, tape.x, tape.d, tape.chosen, tape.quads, tape.ends,
        samples.keys.contiguous(), given(cells.frozen), given(cells.counts), given(cells.apparent),
        given(cells.write_noise), cells.totals, cells.gains, tick, size, rows, columns, *divisor(columns),
        *divisor(rows), tape.room, samples.first, counter(samples.step), programs, parts, *given.arrays,
        ONE=int(device_of is not None), SIDES=sides, ONE_SIDED=int(cells.one_sided),
        COUNTS=int(cells.counts is not None), BLOCK=block, **given.flags,
    )  # fmt: skip


def parts_of(cells: int, block: int) -> int:
    """Return how many cells a lane takes one after another: as many as leave enough programs to keep a GPU busy."""
    return next((parts for parts in (16, 8, 4, 2) if cells >= FULL * block * parts), 1)


@cache
def divisor(number: int) -> tuple[int, int]:
    """Return m and s with n // number = (2 n m >> 32) >> s for all n from 0 to 2^31 - 1; m as a signed 32-bit word."""
    shift = (number - 1).bit_length()
    return counter((1 << 31 + shift) // number + 1), shift
