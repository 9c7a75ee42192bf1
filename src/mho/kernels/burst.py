"""Pulses by count on the CPU: every device as many as it is told, many devices at once, pulse after pulse."""

from __future__ import annotations

from functools import lru_cache
from types import ModuleType

import torch
from torch import Tensor

from mho.devices.base import Device
from mho.errors import ShapeError
from mho.kernels.arguments import block, numbered, template
from mho.kernels.build import LANES, compile_source, indented, law_bindings, law_prelude
from mho.kernels.cells import Cells, Fuse
from mho.kernels.cpu import address, entry, law_words, workspace
from mho.kernels.launch import launch, threads
from mho.kernels.translate import law_source

FIRST = 4
"""The first lane of the law's own arrays; those before hold state, direction, draw and number of pulses."""
CHUNK = 128
"""Devices that are looked at together for pulses: a list takes chunks until the next might not fit."""
SORTED = 64
"""Numbers of pulses by which a list is sorted: those of more pulses are stepped together."""
BYTES = 28 * LANES + 16 * (SORTED + 1) + 4 * LANES * (FIRST + 24)
"""Scratch of a thread: lists, places of the sort, and lanes."""
BUSY = 16_384
"""Numbers of pulses from which all threads are used."""


def burst_source(device: type[Device], per_cell: tuple[bool, ...]) -> str:
    """Return the source of the kernel of a law; `per_cell` says which of its arrays differ by cell."""
    bind, sources = law_bindings(device, per_cell)
    states = tuple(device.state)
    own = [f"s_{n}[i]" for n in states] + [s for s in sources.values() if s.endswith("[i]")]
    lane = {s: f"lane[u64({FIRST + k} * LANES + j)]" for k, s in enumerate(own)}
    kept = {"state[i]": "lane[u64(j)]"} | {f"s_{n}[i]": lane[f"s_{n}[i]"] for n in states}
    given = [lane[f"s_{n}[i]"] for n in states] + [lane.get(s, s) for s in sources.values()]
    names = [f"new_{k}" for k in range(len(kept))]
    step = [f"{', '.join(names)} = law_pulse({', '.join(['w', 'up', 'xi', *given])})"]
    step += [f"{place} = select(more, f32({n}), {place})" for place, n in zip(kept.values(), names, strict=True)]
    body = template("burst").replace("$bind", indented(bind, 4)).replace("$step", indented(step, 24))
    body = body.replace("$gather", indented([f"{place} = {source}" for source, place in lane.items()], 20))
    body = body.replace("$scatter", indented([f"s_{n}[i] = {kept[f's_{n}[i]']}" for n in states], 20))
    sizes = "\n".join(f"{n} = {v}" for n, v in [("LANES", LANES), ("CHUNK", CHUNK), ("SORTED", SORTED)])
    sizes += f"\nBURST_BYTES = {BYTES}\n"
    law = law_source(device.pulse, "law_pulse")
    return "\n\n".join([law_prelude(law), template("listing"), sizes, numbered(body)])


@lru_cache(maxsize=256)
def burst_kernels(device: type[Device], per_cell: tuple[bool, ...]) -> ModuleType:
    """Return the module with the kernel of a law."""
    return compile_source(burst_source(device, per_cell), f"burst_{device.__name__}")


@lru_cache(maxsize=64)
def all_lines(n: int) -> Tensor:
    """Return the numbers of all lines."""
    return torch.arange(n, dtype=torch.int32)


def check_pulses(cells: Cells, pulses: Tensor, rows: Tensor | None, columns: Tensor | None) -> None:
    """Raise ShapeError unless pulses are int32 and of the lines that are listed, all where there is no list."""
    chips, devices, height, width = cells.state.shape
    shape = (chips, devices, height if rows is None else len(rows), width if columns is None else len(columns))
    if pulses.shape != shape or pulses.dtype != torch.int32 or not pulses.is_contiguous():
        raise ShapeError(
            f"pulses for {shape[2]} rows and {shape[3]} columns of this tile are int32 {shape}, contiguous, found "
            f"{str(pulses.dtype).removeprefix('torch.')} {tuple(pulses.shape)}; call pulses.int().contiguous()"
        )
    found = [lines.dtype for lines in (rows, columns) if lines is not None and lines.dtype != torch.int32]
    if found:
        raise ShapeError(f"rows and columns are int32 numbers, found {found[0]}; call .int()")


def checked_lines(cells: Cells, pulses: Tensor, rows: Tensor | None, columns: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return the numbers of the rows and columns that pulses are for; raise as `check_pulses`."""
    check_pulses(cells, pulses, rows, columns)
    _, _, height, width = cells.state.shape
    rows = all_lines(height) if rows is None else rows
    columns = all_lines(width) if columns is None else columns
    return rows.contiguous(), columns.contiguous()


def check_each_once(cells: Cells, *lists: Tensor | None) -> None:
    """Raise ShapeError for rows, then columns, that do not exist or are named twice; None for all of them."""
    for lines, size in zip(lists, cells.state.shape[2:], strict=True):
        named = [] if lines is None else lines.tolist()
        if len(set(named)) < len(named) or not set(named) <= set(range(size)):
            raise wrong_lines(cells)


def wrong_lines(cells: Cells) -> ShapeError:
    """Return the error for rows or columns that do not exist or are named twice; nothing was moved."""
    _, _, rows, columns = cells.state.shape
    return ShapeError(
        f"rows and columns name different lines from 0 to {rows - 1} and 0 to {columns - 1}; some are outside or named "
        "twice: add their pulses up, or call once for each"
    )


def burst_(
    cells: Cells, pulses: Tensor, keys: Tensor, *, step: int, vector: int = 0, rows: Tensor | None = None,
    columns: Tensor | None = None, tick: Tensor | None = None, fuse: Fuse | None = None,
) -> None:  # fmt: skip
    """Pulse the devices of a tile by numbers of pulses, in place; see `reference.burst_`."""
    row_list, column_list = checked_lines(cells, pulses, rows, columns)
    size = pulses.numel()
    if size == 0:
        return
    chips, devices, height, width = cells.state.shape
    lines, across = pulses.shape[2:]
    workers = threads() if size >= BUSY else 1
    grain = max(-(-1024 // (across * devices)), -(-lines // (8 * workers)), 1)
    room = (max(height, width) + 63) & -64
    a = block("burst", "burst")
    noisy = cells.apparent is not None and cells.write_noise is not None
    a.set(
        chips=chips, devices=devices, rows=height, columns=width, state=cells.state.data_ptr(), grain=min(grain, lines),
        pulses=pulses.data_ptr(), row_list=row_list.data_ptr(), column_list=column_list.data_ptr(), listed_rows=lines,
        listed_columns=across, checked=rows is not None or columns is not None, bad=0, keys=keys.data_ptr(), step=step,
        vector=vector, scratch=workspace("burst", (BYTES + room) * workers).data_ptr(), room=room,
        counts=address(cells.counts), totals=cells.totals.data_ptr(), frozen=address(cells.frozen),
        apparent=address(cells.apparent) if noisy else 0, write_noise=address(cells.write_noise) if noisy else 0,
        visible=address(cells.visible), gains=cells.gains.data_ptr(), offset=address(cells.offset),
    )  # fmt: skip
    for i, word in enumerate(law_words(cells)):
        a.words[a.places["table_0"] + i] = word
    launch(entry(burst_kernels(cells.device, cells.per_cell), "burst"), a, workers)  # type: ignore[arg-type]
    if a.get("bad"):
        raise wrong_lines(cells)
