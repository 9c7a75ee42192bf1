"""Train lengths, rates and tapes on a GPU.

A tape is what a chip's lines do in the slots of all samples of a step in a row, 32 slots a word: the low half of a word
says in which the line fires, the high half in which its value is negative. Every four slots of a sample (a "quad", one
Philox block) begin at a multiple of four on the tape, so a word is eight quads, and `quads` says of which sample and
slots each is: 16 vector + slot / 4. Short trains thus share words: what the pulse kernel walks through is as long as
the trains are, not as many words as there are samples.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from mho.kernels.cells import Samples, Scheme
from mho.kernels.cpu import Rates
from mho.kernels.gpu.compiling import counter, kernels, power_of_two, start
from mho.kernels.gpu.fuse import fuses
from mho.kernels.gpu.zero import ticking

BLOCK = 128
"""Words that a program of four warps makes."""
SCAN = 1024
"""Train lengths that a program adds up at a time."""
WORKSPACE = 1 << 28
"""Bytes of the tapes of one run of vectors: 256 MiB."""


class Tape(NamedTuple):
    """The tapes of a run of vectors; `room` words are allocated for each line.

    x: (chips, words, columns), d: (chips, rows, words), chosen: (chips, words, devices or pairs) int32, as much of each
    in front as the chip's tape has words. quads: (chips, 8 room). ends: (chips,), quads on the tape.
    """

    x: Tensor
    d: Tensor
    chosen: Tensor
    quads: Tensor
    ends: Tensor
    room: int


def rates(samples: Samples, scheme: Scheme) -> Rates:
    """Return train lengths and rates of every vector, by the formulas of `reference.rates`.

    Whether x and d are finite is told to the fuse, not to the caller; a vector that is not has no slots.
    """
    chips, batch, columns = samples.x.shape
    rows, total, device = samples.d.shape[2], chips * batch, samples.x.device
    x_rate, d_rate = torch.empty(2, total, device=device)
    lengths = torch.empty(total, dtype=torch.int32, device=device)
    if total:
        block = power_of_two(max(columns, rows), 16, 1024)
        vectors = max(1, 1024 // block)
        fuse = samples.fuse
        start(
            kernels("triton_trains").rates, (-(-total // vectors),), samples.x.contiguous(), samples.d.contiguous(),
            samples.gain.contiguous(), x_rate, d_rate, lengths, lengths if fuse is None else fuse.flags,
            0 if fuse is None else fuse.place, total, batch, columns, rows, scheme.bl, BIAS=int(samples.bias),
            MANAGED=int(scheme.managed), BALANCED=int(scheme.balanced), FUSED=int(fuse is not None), VECTORS=vectors,
            BLOCK=block,
        )  # fmt: skip
    return Rates(x_rate, d_rate, lengths, True, True)


def vectors_at_a_time(samples: Samples, scheme: Scheme, groups: int) -> int:
    """Return how many vectors of a step have room in the workspace, by the longest trains that there may be."""
    chips, batch, columns = samples.x.shape
    lines = columns + samples.bias + samples.d.shape[2] + groups
    return max(1, min(batch, WORKSPACE // max(1, chips * lines * -(-scheme.bl // 4))))


def tapes(
    samples: Samples, scheme: Scheme, rates_: Rates, device_of: Tensor | None, *, groups: int, run: range
) -> Tape:
    """Return the tapes of a run of vectors.

    device_of: (chips, batch) int32, which of the `groups` devices or pairs of a cell a sample pulses; None for all.
    """
    chips, batch, inputs = samples.x.shape
    columns, rows, device = inputs + samples.bias, samples.d.shape[2], samples.x.device
    room = -(-len(run) * -(-scheme.bl // 4) // 8)
    own = torch.empty(chips * room * (columns + rows), dtype=torch.int64, device=device)
    x_tape, d_tape = own.split((chips * room * columns, chips * room * rows))
    listed = 0 if device_of is None else groups
    sizes = (chips * room * 8, chips * room * listed, chips)
    quads, chosen, ends = torch.empty(sum(sizes), dtype=torch.int32, device=device).split(sizes)
    vectors = power_of_two(len(run), 16, 64)
    parts = -(-len(run) // vectors)
    module = kernels("triton_trains")
    flags = ends if samples.fuse is None else samples.fuse.flags
    start(
        module.schedule, (chips * parts,), rates_.length, quads, ends, flags, batch, run.start, len(run), parts,
        room * 8, FUSES=fuses(samples.fuse), VECTORS=vectors, SCAN=SCAN,
    )  # fmt: skip
    of_x, of_d, of_choice = (-(-room * n // BLOCK) for n in (columns, rows, listed))
    programs = of_x + of_d + of_choice
    start(
        module.tape, (chips * programs,), x_tape, d_tape, chosen, samples.x.contiguous(), samples.d.contiguous(),
        quads if device_of is None else device_of.contiguous(), rates_.x_rate, rates_.d_rate, rates_.length,
        samples.keys.contiguous(), quads, ends, ticking(samples.tick, device), batch, inputs,
        columns, rows, groups, samples.first, counter(samples.step), room, of_x, of_d, programs,
        EVEN=int(scheme.deterministic), ONE=int(device_of is not None), BLOCK=BLOCK,
    )  # fmt: skip
    return Tape(x_tape, d_tape, chosen, quads, ends, room)
