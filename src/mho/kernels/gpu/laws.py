"""The kernels that step devices, one per law: the law's source inlined into a template."""

from __future__ import annotations

import re
import textwrap
from functools import cache
from typing import Any

from torch import Tensor

from mho.devices.base import Device, law_arguments
from mho.errors import ShapeError
from mho.kernels.arguments import template
from mho.kernels.cells import Cells
from mho.kernels.gpu.compiling import assembly, compiled_module, typed
from mho.kernels.translate import law_source, law_tables
from mho.random import WORDS

HELPERS = {"pulse": ("triton_write",), "burst": ("triton_write",), "mean": ("triton_write", "ways")}
"""What stands above the template of a kernel."""
FULL = 4096
"""Programs of one warp that keep a large GPU busy."""
SPARE = 1 << 16
"""Numbers of devices that a program may go beyond the last one."""


def law_kernel_source(kernel: str, device: type[Device], per_cell: tuple[bool, ...]) -> str:
    """Return the source of a law's kernel; `per_cell` says which of its arrays differ by cell.

    kernel: "pulse", "burst" or "mean". Its template says where the law's numbers are made ready, and its arrays loaded
    (for the devices in `wanted`, at `own`) and stored (those in `touched`), and where the law is applied: to those in
    `hit & moves`, or in "mean" to those in `on`, a `share` of the way.
    """
    names, states, tables = law_arguments(device), tuple(device.state), law_tables(device)
    numbers = [f"p_{n}" for n, cell in zip(names, per_cell, strict=True) if not cell]
    arrays = [f"s_{n}" for n in states] + [f"p_{n}" for n in names if n not in tables and f"p_{n}" not in numbers]
    begin = [f"{n} = tl.load({n}_pointer + chip)" for n in numbers]
    begin += [f"{n} = tl.full([BLOCK], 1.0, tl.float32)" for n in arrays]
    load = [f"{n} = tl.load({n}_pointer + own, mask=wanted, other={n})" for n in arrays]
    results = ["w", *(f"s_{n}" for n in states)]
    call = ", ".join(["w", "up", "xi", *(f"s_{n}" for n in states), *(_taken(n, n in tables) for n in names)])
    apply = [f"{', '.join('new_' + r for r in results)} = law_pulse({call})"]
    if kernel == "mean":
        apply += [f"{r} = tl.where(on, part_way({r}, f32(new_{r}), share), {r})" for r in results]
    else:
        apply += [f"{r} = tl.where(hit & moves, f32(new_{r}), {r})" for r in results]
    store = [f"tl.store(s_{n}_pointer + own, s_{n}, mask=touched)" for n in states]
    pointers = [f"s_{n}_pointer" for n in states] + [f"p_{n}_pointer" for n in names] + [f"n_{n}" for n in tables]
    body = template(f"triton_{kernel}").replace("$pointers", "".join(f"{p}, " for p in pointers).rstrip())
    for place, lines in {"begin": begin, "load": load, "apply": apply, "store": store}.items():
        body = _filled(body, place, lines)
    return "\n\n\n".join([law_source(device.pulse, "law_pulse"), *map(template, HELPERS[kernel]), body])


def _taken(name: str, table: bool) -> str:
    """Return where the kernel of a law finds one of its arguments."""
    return f"p_{name}_pointer, chip * n_{name}, n_{name} - 1" if table else f"p_{name}"


def _filled(text: str, place: str, lines: list[str]) -> str:
    """Return a template with lines in a place of it, indented as the place is."""
    code = "\n".join(lines)
    return re.sub(rf"^( *)\${place}$", lambda match: textwrap.indent(code, match[1]), text, flags=re.MULTILINE)


@cache
def law_kernel(kernel: str, device: type[Device], per_cell: tuple[bool, ...]) -> Any:
    """Return the "pulse", "burst" or "mean" kernel of a law. Raises MhoError where Triton is not installed."""
    source = law_kernel_source(kernel, device, per_cell)
    return getattr(compiled_module(source, f"triton_{kernel}_{device.__name__}"), kernel)


FLAGS = {
    "DEVICES": 2, "ONE": 1, "SIDES": 2, "ONE_SIDED": 1, "FROZEN": 1, "COUNTS": 1, "NOISY": 1, "FUSES": 4, "MOST": 65536,
    "BY_ROW": 1, "BY_COLUMN": 1, "BLOCK": 64,
}  # fmt: skip
"""Constants of the kernels as `law_assembly` takes them: everything a tile may have."""
TYPES = typed(
    p_i64="x_tape d_tape totals tick", p_u8="frozen noisy",
    p_i32="chosen quads ends keys counts pulses row_list column_list flags device_of",
    i32="""size rows columns magic shift row_magic row_shift room first step programs parts listed_rows listed_columns
    vector inputs vectors""",
)  # fmt: skip
"""Types of their arguments."""


def law_assembly(
    device: type[Device], per_cell: tuple[bool, ...], capability: int = 80, *, kernel: str = "pulse"
) -> str:
    """Return the PTX of a law's kernel for an NVIDIA GPU of this compute capability; needs no GPU.

    kernel: "pulse" for pulse trains, "burst" for pulses by count, "mean" for steps without granularity.
    """
    function = law_kernel(kernel, device, per_cell)  # type: ignore[arg-type]  # mypy: a class is hashable
    flags = {name: value for name, value in FLAGS.items() if name in function.arg_names}
    types = TYPES | {f"n_{n}": "i32" for n in law_tables(device)}
    return assembly(function, flags, types, capability=capability, warps=1)


class Given:
    """What the kernels take of a tile: the law's arrays and the lengths of its tables, and how they are compiled.

    Raises ShapeError for a tile of almost 2^31 devices or more.
    """

    def __init__(self, cells: Cells) -> None:
        if cells.state.numel() // cells.state.shape[0] > WORDS // 2 - SPARE:
            raise ShapeError(
                f"a chip's tile of {' x '.join(map(str, cells.state.shape[1:]))} devices was asked for; the kernels of "
                "a GPU number a tile's devices by 31 bits: use smaller tiles (mapping.max_rows, mapping.max_columns)"
            )
        names = law_arguments(cells.device)
        tables = [cells.extra[n] for n in cells.device.state] + [cells.parameters[n] for n in names]
        self.arrays = [*tables, *(table.shape[1] for table in tables if table.dim() == 2)]
        self.flags = {"DEVICES": cells.state.shape[1], "FROZEN": int(cells.frozen is not None)}
        self.flags |= {"NOISY": int(noisy(cells)), "num_warps": 1}
        self.none = cells.state

    def __call__(self, tensor: Tensor | None) -> Tensor:
        """Return a tensor, or one that the kernel will not read in place of none."""
        return self.none if tensor is None else tensor


def noisy(cells: Cells) -> bool:
    """Return whether what is read of a tile is not its state."""
    return cells.apparent is not None and cells.write_noise is not None


def moved(cells: Cells) -> tuple[Tensor | None, ...]:
    """Return the tensors of a tile that its kernels write to."""
    return cells.state, cells.counts, cells.totals, cells.apparent, *cells.extra.values()


def block_of(cells: int) -> int:
    """Return how many of so many cells one warp takes at a time.

    Two per thread where there are plenty: their steps overlap. One where there are few: all processors have some. Four
    would take twice the registers, so that half as many warps would run at a time.
    """
    return 64 if cells >= 256 * FULL else 32
