"""The kernels that step devices, one per law: the law's source inlined into a template."""

from __future__ import annotations

from functools import cache
from typing import Any

from torch import Tensor

from mho.devices.base import Device, law_arguments
from mho.kernels.arguments import template
from mho.kernels.build import indented
from mho.kernels.cells import Cells
from mho.kernels.gpu.compiling import assembly, compiled_module
from mho.kernels.translate import law_source, law_tables

BLOCK = 256
"""Cells of a program."""


def law_kernel_source(kernel: str, device: type[Device], per_cell: tuple[bool, ...]) -> str:
    """Return the source of the "pulse" or "burst" kernel of a law; `per_cell` says which of its arrays differ by cell.

    The template says where the law's arrays are loaded and stored, and has `hit` and `moves` where it is applied.
    """
    names, states, tables = law_arguments(device), tuple(device.state), law_tables(device)
    load = [f"s_{n} = tl.load(s_{n}_pointer + at, mask=inside, other=0.0)" for n in states]
    for name, cell in zip(names, per_cell, strict=True):
        if name in tables:
            continue
        where = "at, mask=inside, other=1.0" if cell else "chip"
        load.append(f"p_{name} = tl.load(p_{name}_pointer + {where})")
    results = ["w", *(f"s_{n}" for n in states)]
    call = ", ".join(["w", "up", "xi", *(f"s_{n}" for n in states), *(_taken(n, n in tables) for n in names)])
    apply = [f"{', '.join('new_' + r for r in results)} = law_pulse({call})"]
    apply += [f"{r} = tl.where(hit & moves, f32(new_{r}), {r})" for r in results]
    pointers = [f"s_{n}_pointer" for n in states] + [f"p_{n}_pointer" for n in names] + [f"n_{n}" for n in tables]
    body = template(f"triton_{kernel}").replace("$pointers", "".join(f"{p}, " for p in pointers).rstrip())
    body = body.replace("$load", indented(load, 4)).replace(
        "$apply", indented(apply, {"pulse": 16, "burst": 8}[kernel])
    )
    store = [f"tl.store(s_{n}_pointer + at, s_{n}, mask=inside)" for n in states]
    body = body.replace("$store", indented(store, 4))
    return "\n\n\n".join([law_source(device.pulse, "law_pulse"), body])


def _taken(name: str, table: bool) -> str:
    """Return where the kernel of a law finds one of its arguments."""
    return f"p_{name}_pointer, chip * n_{name}, n_{name} - 1" if table else f"p_{name}"


@cache
def law_kernel(kernel: str, device: type[Device], per_cell: tuple[bool, ...]) -> Any:
    """Return the "pulse" or "burst" kernel of a law. Raises MhoError where Triton is not installed."""
    source = law_kernel_source(kernel, device, per_cell)
    return getattr(compiled_module(source, f"triton_{kernel}_{device.__name__}"), kernel)


def law_assembly(
    device: type[Device], per_cell: tuple[bool, ...], capability: int = 80, *, kernel: str = "pulse"
) -> str:
    """Return the PTX of a law's kernel for an NVIDIA GPU of this compute capability; needs no GPU.

    kernel: "pulse" for pulse trains, "burst" for pulses by count.
    """
    function = law_kernel(kernel, device, per_cell)  # type: ignore[arg-type]  # mypy: a class is hashable
    flags = {"ONE": 0, "SIDES": 2, "ONE_SIDED": 1, "FROZEN": 1, "COUNTS": 1, "NOISY": 1, "BLOCK": BLOCK}
    words = {"x_words": "*i64", "d_words": "*i64", "totals": "*i64", "x_signs": "*i8", "d_signs": "*i8"}
    words |= {"frozen": "*u8"} | dict.fromkeys(("lengths", "keys", "device_of", "counts"), "*i32")
    words |= dict.fromkeys(("pulses", "row_list", "column_list"), "*i32")
    words |= dict.fromkeys(("batch", "devices", "rows", "columns", "first", "step"), "i32")
    words |= dict.fromkeys(("listed_rows", "listed_columns", "vector"), "i32")
    words |= {f"n_{n}": "i32" for n in law_tables(device)}
    return assembly(function, {k: v for k, v in flags.items() if k in function.arg_names}, types=words,
                    capability=capability)


class Given:
    """What the kernels take of a tile: the law's arrays and the lengths of its tables, and how they are compiled."""

    def __init__(self, cells: Cells) -> None:
        names = law_arguments(cells.device)
        tables = [cells.extra[n] for n in cells.device.state] + [cells.parameters[n] for n in names]
        self.arrays = [*tables, *(table.shape[1] for table in tables if table.dim() == 2)]
        self.flags = {"FROZEN": int(cells.frozen is not None), "COUNTS": int(cells.counts is not None)}
        self.flags |= {"NOISY": int(noisy(cells)), "BLOCK": BLOCK}
        self.none = cells.state

    def __call__(self, tensor: Tensor | None) -> Tensor:
        """Return a tensor, or one that the kernel will not read in place of none."""
        return self.none if tensor is None else tensor


def noisy(cells: Cells) -> bool:
    """Return whether what is read of a tile is not its state."""
    return cells.apparent is not None and cells.write_noise is not None
