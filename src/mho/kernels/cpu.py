"""The pulsed update on the CPU: trains and pulses by kernels generated from the device's law."""

from __future__ import annotations

import ctypes
import threading
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
from torch import Tensor

from mho.devices.base import law_arguments
from mho.kernels.arguments import Block, block
from mho.kernels.build import LANE_BYTES, plain_kernels, pulse_kernels
from mho.kernels.cells import Cells, Samples, Scheme
from mho.kernels.launch import launch, threads

ROOM = 512
"""Events that a thread collects before it draws their noise in one vector loop."""
BLOCK_BYTES = 1 << 21
"""Memory for the lists of one block of vectors: more blocks cost launches, larger lists leave the cache."""

MANY = 128
"""Samples of a block from which their d words are stored row by row."""

_local = threading.local()
_entries: dict[Any, Any] = {}


def workspace(name: str, size: int) -> Tensor:
    """Return a byte buffer of this thread of at least `size` bytes, kept between calls.

    64 bytes more may be read and written: kernels copy short lists by 16 words at once.
    """
    held: dict[str, Tensor] = _local.__dict__.setdefault("buffers", {})
    buffer = held.get(name)
    if buffer is None or buffer.numel() < size + 64:
        buffer = held[name] = torch.empty(max(size, 4096) + 64, dtype=torch.uint8)
    return buffer


def entry(module: Any, name: str) -> Any:
    """Return the ctypes function of a compiled kernel."""
    found = _entries.get((module.__name__, name))
    if found is None:
        address = getattr(module, name).address
        found = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(address)
        _entries[(module.__name__, name)] = found
    return found


@dataclass
class Rates:
    """Train length and rates of every vector of a step, and whether x and d were finite."""

    x_rate: Tensor
    d_rate: Tensor
    length: Tensor
    x_finite: bool
    d_finite: bool


def rates(samples: Samples, scheme: Scheme) -> Rates:
    """Return train lengths and rates; nothing is moved."""
    x, d = samples.x, samples.d
    chips, batch, columns = x.shape
    rows = d.shape[2]
    total = chips * batch
    out = torch.empty(3, total, dtype=torch.float32)
    size, start = total * 4, out.data_ptr()
    workers = threads() if total * (columns + rows) > 40_000 else 1
    a = block("trains", "rates")
    a.set(
        vectors=batch, columns=columns, rows=rows, bias=samples.bias, managed=scheme.managed,
        balanced=scheme.balanced, bl_max=scheme.bl, x=x.data_ptr(), d=d.data_ptr(), gain=samples.gain.data_ptr(),
        x_rate=start, d_rate=start + size, length=start + 2 * size, total=total,
        grain=max(1, total // (4 * workers)) if workers > 1 else total, x_bad=0, d_bad=0,
    )  # fmt: skip
    launch(entry(plain_kernels("trains"), "rates"), a, workers)
    return Rates(out[0], out[1], out[2].view(torch.int32), not a.get("x_bad"), not a.get("d_bad"))


def pulse_update_(cells: Cells, samples: Samples, scheme: Scheme, rates_: Rates, device_of: Tensor | None) -> None:
    """Move the devices of a tile by the pulses of one step's samples, in place.

    `device_of`: (chips, batch) int32, which device of a cell (or pair, if `paired`) each sample pulses; None for all.
    """
    chips, _, rows, columns = cells.state.shape
    batch = samples.x.shape[1]
    longest = int(rates_.length.max()) if rates_.length.numel() else 0
    if longest == 0:
        return
    capacity = columns * longest + 1
    slots = longest + 1 + (longest if cells.one_sided else 0)
    some, size = _block(chips, batch, rows, 4 * capacity)
    many = size >= MANY
    # Many vectors: a row's words lie side by side, and a thread writes whole cache lines of them; rows do not follow
    # each other at a multiple of 4 KiB, which one cache set would hold. Few: each vector's words lie side by side.
    grain = 8 * max(1, min(8, 256 // max(columns, rows))) if many else 1
    stride = (size + 7) // 8 * 8 + 8
    trains, pulses = block("trains", "trains"), block("pulse", "pulse")
    _set_trains(trains, samples, scheme, rates_, grain)
    _set_pulses(pulses, cells, samples)
    shared = {
        "entries": workspace("entries", some * size * capacity * 4).data_ptr(),
        "offsets": workspace("offsets", some * size * slots * 4).data_ptr(),
        "d_words": workspace("d words", some * rows * stride * 8).data_ptr(),
        "capacity": capacity, "slots": slots, "d_chip": rows * stride, "split": longest + 1 if cells.one_sided else 0,
        "d_row": stride if many else 1, "d_vector": 1 if many else rows,
    }  # fmt: skip
    trains.set(**shared)
    pulses.set(**shared)
    make = entry(plain_kernels("trains"), "trains")
    # mypy looks for __hash__ on instances where a class is the argument.
    move = entry(pulse_kernels(cells.device, cells.per_cell), "pulse")  # type: ignore[arg-type]
    most = threads()
    for chip, first in product(range(0, chips, some), range(0, batch, size)):
        own, now = min(some, chips - chip), min(size, batch - first)
        work = now * own * (columns + rows) * longest
        trains.set(chip=chip, chips=own, first=first, block=now)
        launch(make, trains, most if work > 20_000 else 1)
        chosen = None
        if device_of is not None:
            chosen = device_of[chip : chip + own, first : first + now].contiguous()
        workers = most if work > 10_000 else 1
        pulses.set(
            chip=chip, chips=own, block=now, first=samples.first + first, d_first=first, device_of=address(chosen),
            grain=_rows_at_a_time(own * rows, columns, workers),
        )  # fmt: skip
        launch(move, pulses, workers)


def _block(chips: int, batch: int, rows: int, size: int) -> tuple[int, int]:
    """Return of how many chips how many vectors are done at a time, a vector's lists being of so many bytes.

    All vectors of some chips, where they fit: then what a chip's devices are is read from memory once in a step. But of
    as many chips as give every thread some rows.
    """
    least = min(chips, -(-4 * threads() // rows))
    some = min(chips, max(least, BLOCK_BYTES // (size * max(1, batch))))
    return some, min(batch, max(1, BLOCK_BYTES // (size * some)))


def _rows_at_a_time(rows: int, columns: int, workers: int) -> int:
    """Return how many rows a thread takes: few, to share the load; more where neighbours share cache lines."""
    few = max(1, min(16, rows // (4 * workers)))
    return min(-(-rows // workers), max(few, 1024 // columns))


def address(tensor: Tensor | None) -> int:
    """Return where a tensor's values are, or 0 for none."""
    return tensor.data_ptr() if tensor is not None else 0


def _set_trains(a: Block, samples: Samples, scheme: Scheme, rates_: Rates, grain: int) -> None:
    batch, columns = samples.x.shape[1:]
    rows = samples.d.shape[2]
    room = (max(columns + 1, rows) + 1) * grain
    a.set(
        vectors=batch, columns=columns, rows=rows, bias=samples.bias, deterministic=scheme.deterministic,
        x=samples.x.data_ptr(), d=samples.d.data_ptr(), x_rate=rates_.x_rate.data_ptr(),
        d_rate=rates_.d_rate.data_ptr(), length=rates_.length.data_ptr(), keys=samples.keys.data_ptr(),
        step=samples.step, scratch=workspace("lines", 24 * room * threads()).data_ptr(), grain=grain, room=room,
        first_of_step=samples.first,
    )  # fmt: skip


def _set_pulses(a: Block, cells: Cells, samples: Samples) -> None:
    _, devices, rows, columns = cells.state.shape
    room = ROOM + columns
    noisy = cells.apparent is not None and cells.write_noise is not None
    a.set(
        devices=devices, rows=rows, columns=columns, state=cells.state.data_ptr(),
        keys=samples.keys.data_ptr(), d=samples.d.data_ptr(), vectors=samples.d.shape[1], step=samples.step, room=room,
        scratch=workspace("events", (16 * (room + 32) + columns + 64 + LANE_BYTES) * threads()).data_ptr(),
        counts=address(cells.counts), totals=cells.totals.data_ptr(), frozen=address(cells.frozen),
        apparent=address(cells.apparent) if noisy else 0, write_noise=address(cells.write_noise) if noisy else 0,
        visible=address(cells.visible), gains=cells.gains.data_ptr(), offset=address(cells.offset),
        paired=cells.paired,
    )  # fmt: skip
    for i, word in enumerate(law_words(cells)):
        a.words[a.places["table_0"] + i] = word


def law_words(cells: Cells) -> list[int]:
    """Return where a law's arrays and states are, then the lengths of its tables, in the order of their bindings."""
    arrays = [cells.parameters[n] for n in law_arguments(cells.device)]
    arrays += [cells.extra[n] for n in cells.device.state]
    return [array.data_ptr() for array in arrays] + [array.shape[1] for array in arrays if array.dim() == 2]
