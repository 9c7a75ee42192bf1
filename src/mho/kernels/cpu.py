"""The pulsed update on the CPU: trains and pulses by kernels generated from the device's law."""

from __future__ import annotations

import ctypes
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mho.devices.base import law_arguments
from mho.kernels.build import plain_kernels, pulse_kernels
from mho.kernels.cells import Cells, Samples, Scheme
from mho.kernels.launch import arguments, launch, threads

ROOM = 512
"""Events that a thread collects before it draws their noise in one vector loop."""
BLOCK_BYTES = 1 << 21
"""Memory for the lists of one block of vectors: more blocks cost launches, larger lists leave the cache."""

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
    a, address = arguments("rates")
    a[2:9] = (batch, columns, rows, samples.bias, scheme.managed, scheme.balanced, scheme.bl)
    size = total * 4
    start = out.data_ptr()
    a[9:15] = (x.data_ptr(), d.data_ptr(), samples.gain.data_ptr(), start, start + size, start + 2 * size)
    work = total * (columns + rows)
    workers = threads() if work > 40_000 else 1
    a[15] = total
    a[16] = max(1, total // (4 * workers)) if workers > 1 else total
    a[17] = address
    launch(entry(plain_kernels("trains"), "rates"), address, workers)
    return Rates(out[0], out[1], out[2].view(torch.int32), a[18] == 0, a[19] == 0)


def pulse_update_(cells: Cells, samples: Samples, scheme: Scheme, rates_: Rates, device_of: Tensor | None) -> None:
    """Move the devices of a tile by the pulses of one step's samples, in place.

    `device_of`: (chips, batch) int32, which device of a cell each sample pulses; None for all of them.
    """
    chips, devices, rows, columns = cells.state.shape
    batch = samples.x.shape[1]
    longest = int(rates_.length.max()) if rates_.length.numel() else 0
    if longest == 0:
        return
    capacity = columns * longest + 1
    block = min(batch, max(1, BLOCK_BYTES // (4 * capacity * chips)))
    grain = 1 if block < 128 else max(1, min(64, 2048 // max(columns, rows)))
    layout = (rows * block, 1, rows) if grain == 1 else (rows * block, block, 1)
    trains, trains_at = _train_arguments(samples, scheme, rates_, grain)
    pulses, pulses_at = _pulse_arguments(cells, samples)
    lists = workspace("entries", chips * block * capacity * 4)
    offsets = workspace("offsets", chips * block * (longest + 1) * 4)
    d_words = workspace("d words", chips * rows * block * 9)
    signs = d_words.data_ptr() + chips * rows * block * 8
    make = entry(plain_kernels("trains"), "trains")
    per_cell = tuple(cells.parameters[n].dim() > 1 for n in law_arguments(cells.device))
    move = entry(pulse_kernels(cells.device, per_cell), "pulse")
    trains[16:20] = pulses[10:14] = (lists.data_ptr(), offsets.data_ptr(), d_words.data_ptr(), signs)
    trains[25], trains[28:31] = longest + 1, layout
    pulses[29], pulses[70:73] = longest + 1, layout
    most = threads()
    for first in range(0, batch, block):
        now = min(block, batch - first)
        work = now * chips * (columns + rows) * longest
        trains[7:10], pulses[6:9] = (first, now, capacity), (now, samples.first + first, capacity)
        trains[:2] = pulses[:2] = 0
        launch(make, trains_at, most if work > 20_000 else 1)
        if device_of is not None:
            chosen = device_of[:, first : first + now].contiguous()
            pulses[22] = chosen.data_ptr()
        workers = most if work > 10_000 else 1
        pulses[28] = max(1, min(16, (chips * rows) // (4 * workers)))
        launch(move, pulses_at, workers)


def _train_arguments(samples: Samples, scheme: Scheme, rates_: Rates, grain: int) -> tuple[np.ndarray, int]:
    chips, batch, columns = samples.x.shape
    rows = samples.d.shape[2]
    room = (max(columns + 1, rows) + 1) * grain
    a, address = arguments("trains")
    a[2:7] = (batch, columns, rows, samples.bias, scheme.deterministic)
    a[10:16] = (
        samples.x.data_ptr(), samples.d.data_ptr(), rates_.x_rate.data_ptr(), rates_.d_rate.data_ptr(),
        rates_.length.data_ptr(), samples.keys.data_ptr(),
    )  # fmt: skip
    a[20:23] = (chips, samples.step, workspace("lines", 24 * room * threads()).data_ptr())
    a[23:28] = (address, address + 8, 0, grain, room)
    a[31] = samples.first
    return a, address


def _pulse_arguments(cells: Cells, samples: Samples) -> tuple[np.ndarray, int]:
    chips, devices, rows, columns = cells.state.shape
    a, address = arguments("pulse")
    a[2:6] = (chips, devices, rows, columns)
    a[9] = cells.state.data_ptr()
    room = ROOM + columns
    a[14:17] = (samples.keys.data_ptr(), samples.step, room)
    a[17] = workspace("events", (12 * (room + 32) + columns + 64) * threads()).data_ptr()
    a[18] = cells.counts.data_ptr() if cells.counts is not None else 0
    a[19:22] = (cells.totals.data_ptr(), address, address + 8)
    a[23] = cells.frozen.data_ptr() if cells.frozen is not None else 0
    if cells.apparent is not None and cells.write_noise is not None:
        a[24:26] = (cells.apparent.data_ptr(), cells.write_noise.data_ptr())
    a[26] = cells.visible.data_ptr() if cells.visible is not None else 0
    a[27] = cells.gains.data_ptr()
    names = law_arguments(cells.device)
    tables = [cells.parameters[n] for n in names] + [cells.extra[n] for n in cells.device.state]
    a[30 : 30 + len(tables)] = [t.data_ptr() for t in tables]
    return a, address
