"""The pulsed update on a GPU: Triton kernels from the same law, the same draws and the same primitives.

Each program holds a block of cells in registers and walks through the samples and slots of a step; trains are
64-bit words from a kernel of their own. Kernels are compiled without contraction of products and sums and
with correctly rounded quotients and roots: states equal the reference bit for bit where the CPU's do. Triton
is imported only when a kernel is asked for.
"""

from __future__ import annotations

from functools import cache
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from mho.devices.base import Device, law_arguments
from mho.errors import MhoError
from mho.kernels.arguments import template
from mho.kernels.build import compile_source, indented
from mho.kernels.burst import check_each_once, checked_lines
from mho.kernels.cells import Cells, Samples, Scheme
from mho.kernels.cpu import Rates
from mho.kernels.translate import law_source, law_tables
from mho.random import shared_source

BLOCK = 256
"""Cells of a program."""
OPTIONS = {"enable_fp_fusion": False}
"""How every kernel is compiled: a fused product and sum would round once where other backends round twice."""


def _prelude() -> str:
    shared = shared_source().replace("def ", "@compiled\ndef ")
    shared = shared.replace("in range(7)", "in tl.static_range(7)")
    return "\n\n\n".join([template("triton_prelude"), shared, template("primitives")])


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
    return "\n\n\n".join([_prelude(), law_source(device.pulse, "law_pulse"), body])


def _taken(name: str, table: bool) -> str:
    """Return where the kernel of a law finds one of its arguments."""
    return f"p_{name}_pointer, chip * n_{name}, n_{name} - 1" if table else f"p_{name}"


@cache
def law_kernel(kernel: str, device: type[Device], per_cell: tuple[bool, ...]) -> Any:
    """Return the "pulse" or "burst" kernel of a law. Raises MhoError where Triton is not installed."""
    _require()
    source = law_kernel_source(kernel, device, per_cell)
    return getattr(compile_source(source, f"triton_{kernel}_{device.__name__}"), kernel)


@cache
def train_kernels() -> ModuleType:
    """Return the module with the kernel of pulse trains. Raises MhoError where Triton is not installed."""
    _require()
    return compile_source(_prelude() + "\n\n\n" + template("triton_trains"), "triton_trains")


def _require() -> None:
    try:
        import triton  # noqa: F401
    except ImportError as error:
        raise MhoError(
            "the gpu backend was asked for, but Triton is not installed; CUDA builds of torch bring it, "
            'else install "triton" (Linux), or use backend="cpu"'
        ) from error


def assembly(device: type[Device], per_cell: tuple[bool, ...], capability: int = 80, *, kernel: str = "pulse") -> str:
    """Return the PTX of a law's kernel for an NVIDIA GPU of this compute capability; needs no GPU.

    kernel: "pulse" for pulse trains, "burst" for pulses by count.
    """
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    function = law_kernel(kernel, device, per_cell)  # type: ignore[arg-type]  # mypy: a class is hashable
    names = function.arg_names
    flags = {"ONE": 0, "SIDES": 2, "ONE_SIDED": 1, "FROZEN": 1, "COUNTS": 1, "NOISY": 1, "BLOCK": BLOCK}
    words = {"x_words": "*i64", "d_words": "*i64", "totals": "*i64", "x_signs": "*i8", "d_signs": "*i8"}
    words |= {"frozen": "*u8"} | dict.fromkeys(("lengths", "keys", "device_of", "counts"), "*i32")
    words |= dict.fromkeys(("pulses", "row_list", "column_list"), "*i32")
    words |= dict.fromkeys(("batch", "devices", "rows", "columns", "first", "step"), "i32")
    words |= dict.fromkeys(("listed_rows", "listed_columns", "vector"), "i32")
    words |= {f"n_{n}": "i32" for n in law_tables(device)} | dict.fromkeys(flags, "constexpr")
    signature = {name: words.get(name, "*fp32") for name in names}
    source = ASTSource(function, signature, {(names.index(k),): v for k, v in flags.items() if k in names})
    done = triton.compile(source, target=GPUTarget("cuda", capability, 32), options=OPTIONS)
    return str(done.asm["ptx"])


def rates(samples: Samples, scheme: Scheme) -> Rates:
    """Return train lengths and rates of every vector, by the formulas of `reference.rates`."""
    x, d, gain = samples.x.abs(), samples.d.abs(), samples.gain[:, None]
    x_max, d_max = x.amax(2), d.amax(2)
    if samples.bias:
        x_max = x_max.clamp(min=1.0)
    length = torch.full_like(x_max, scheme.bl)
    if scheme.managed:
        length = (gain * (x_max * d_max)).ceil().clamp(1, scheme.bl)
    k = gain / length
    x_rate = (k * (d_max / x_max)).sqrt() if scheme.balanced else k.sqrt()
    d_rate = (k * (x_max / d_max)).sqrt() if scheme.balanced else k.sqrt()
    length = torch.where((x_max == 0) | (d_max == 0), 0, length).to(torch.int32)
    x_rate, d_rate, length = (v.reshape(-1).contiguous() for v in (x_rate, d_rate, length))
    return Rates(x_rate, d_rate, length, bool(x.isfinite().all()), bool(d.isfinite().all()))


def trains(samples: Samples, scheme: Scheme, rates_: Rates) -> tuple[Tensor, Tensor]:
    """Return the train words of x (chips, batch, columns with the bias) and d (chips, batch, rows), int64."""
    chips, batch = samples.x.shape[:2]
    out = []
    for number, values, rate in ((0, samples.x, rates_.x_rate), (1, samples.d, rates_.d_rate)):
        lines = values.shape[2]
        n = lines + (samples.bias and number == 0)
        words = torch.zeros(chips, batch, n, dtype=torch.int64, device=values.device)
        keys = samples.keys[:, number].contiguous()
        train_kernels().trains[(-(-n // BLOCK), chips * batch)](
            values.contiguous(), rate, rates_.length, keys, words, batch, lines, n, samples.first,
            samples.step, int(scheme.deterministic), number, BLOCK=BLOCK, **OPTIONS,
        )  # fmt: skip
        out.append(words)
    return out[0], out[1]


def pulse_update_(cells: Cells, samples: Samples, scheme: Scheme, rates_: Rates, device_of: Tensor | None) -> None:
    """Move the devices of a tile by the pulses of one step's samples, in place; all tensors on one device."""
    chips, devices, rows, columns = cells.state.shape
    x_words, d_words = trains(samples, scheme, rates_)
    x_signs = torch.zeros(x_words.shape, dtype=torch.int8, device=x_words.device)
    x_signs[..., : samples.x.shape[2]] = samples.x.signbit()
    given = _Given(cells)
    kernel = law_kernel("pulse", cells.device, cells.per_cell)  # type: ignore[arg-type]  # mypy: a class is hashable
    kernel[(-(-devices * rows * columns // BLOCK), chips)](
        cells.state, x_words, d_words, x_signs, samples.d.signbit().to(torch.int8), rates_.length,
        samples.keys.contiguous(), given(device_of), given(cells.frozen), given(cells.counts),
        given(cells.apparent), given(cells.write_noise), cells.totals, cells.gains, samples.x.shape[1], devices, rows,
        columns, samples.first, samples.step, *given.arrays,
        ONE=int(device_of is not None), SIDES=1 + cells.paired, ONE_SIDED=int(cells.one_sided), **given.flags,
    )  # fmt: skip
    _show(cells)


def burst_(
    cells: Cells, pulses: Tensor, keys: Tensor, *, step: int, vector: int = 0, rows: Tensor | None = None,
    columns: Tensor | None = None,
) -> None:  # fmt: skip
    """Pulse the devices of a tile by numbers of pulses, in place; see `reference.burst_`. All tensors on one device."""
    row_list, column_list = checked_lines(cells, pulses, rows, columns)
    check_each_once(cells, row_list, column_list)
    chips, devices, height, width = cells.state.shape
    if pulses.numel() == 0:
        return
    given = _Given(cells)
    kernel = law_kernel("burst", cells.device, cells.per_cell)  # type: ignore[arg-type]  # mypy: a class is hashable
    kernel[(-(-pulses[0].numel() // BLOCK), chips)](
        cells.state, pulses, row_list.to(pulses.device), column_list.to(pulses.device), keys.contiguous(),
        given(cells.frozen), given(cells.counts), given(cells.apparent), given(cells.write_noise), cells.totals,
        devices, height, width, len(row_list), len(column_list), vector, step, *given.arrays, **given.flags,
    )  # fmt: skip
    _show(cells)


class _Given:
    """What both kernels take of a tile: the law's arrays and the lengths of its tables, and how they are compiled."""

    def __init__(self, cells: Cells) -> None:
        names = law_arguments(cells.device)
        tables = [cells.extra[n] for n in cells.device.state] + [cells.parameters[n] for n in names]
        self.arrays = [*tables, *(table.shape[1] for table in tables if table.dim() == 2)]
        self.flags = {"FROZEN": int(cells.frozen is not None), "COUNTS": int(cells.counts is not None)}
        self.flags |= {"NOISY": int(_noisy(cells)), "BLOCK": BLOCK, **OPTIONS}
        self.none = cells.state

    def __call__(self, tensor: Tensor | None) -> Tensor:
        """Return a tensor, or one that the kernel will not read in place of none."""
        return self.none if tensor is None else tensor


def _noisy(cells: Cells) -> bool:
    return cells.apparent is not None and cells.write_noise is not None


def _show(cells: Cells) -> None:
    """Sum the devices of every weight."""
    if cells.visible is None:
        return
    read = cells.apparent if _noisy(cells) and cells.apparent is not None else cells.state
    total = torch.zeros_like(cells.visible)
    for k in range(read.shape[1]):
        total = total + cells.gains[k] * read[:, k]
    if cells.offset is not None:
        total = total - cells.offset
    cells.visible.copy_(total)
