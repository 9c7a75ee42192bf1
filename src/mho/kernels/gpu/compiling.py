"""Compile Triton kernels from templates and laws, and start them: the only place that does either.

Kernels are compiled without contraction of products and sums and with correctly rounded quotients and roots: results
equal the reference bit for bit where the CPU's do. Triton is imported only when a kernel is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from mho.errors import MhoError
from mho.kernels.arguments import template
from mho.kernels.build import compile_source
from mho.random import shared_source

OPTIONS = {"enable_fp_fusion": False}
"""How every kernel is compiled: a fused product and sum would round once where other backends round twice."""


def prelude() -> str:
    """Return what stands above every kernel: types, primitives, and the draws that all backends share."""
    shared = shared_source().replace("def ", "@compiled\ndef ")
    shared = shared.replace("in range(7)", "in tl.static_range(7)")
    return "\n\n\n".join([template("triton_prelude"), shared, template("primitives")])


def compiled_module(source: str, label: str) -> ModuleType:
    """Return the module of a kernel's source below the prelude. Raises MhoError where Triton is not installed."""
    _require()
    return compile_source(prelude() + "\n\n\n" + source, label)


@cache
def kernels(*templates: str) -> ModuleType:
    """Return the module of templates that need no law, one after another; raise as `compiled_module`."""
    return compiled_module("\n\n\n".join(map(template, templates)), templates[-1])


def start(kernel: Any, grid: tuple[int, ...], *args: Any, **meta: Any) -> None:
    """Launch a kernel on the device of its first tensor: grid of programs, its arguments, its constants by name."""
    tensor = next(a for a in args if isinstance(a, Tensor))
    if not tensor.is_cuda:  # Triton's interpreter
        kernel[grid](*args, **meta, **OPTIONS)
        return
    with torch.cuda.device_of(tensor):
        kernel[grid](*args, **meta, **OPTIONS)


def counter(value: int) -> int:
    """Return a 32-bit counter as the signed number of the same bits: its size never makes another kernel."""
    return value - (1 << 32) if value >= 1 << 31 else value


def changed(*tensors: Tensor | None) -> None:
    """Tell autograd, and caches that look at versions, that kernels wrote to tensors in place."""
    torch.autograd.graph.increment_version([t for t in tensors if t is not None])


def power_of_two(number: int, least: int = 1, most: int = 1024) -> int:
    """Return the smallest power of two that is not below a number, between two others."""
    return max(least, min(most, 1 << max(0, number - 1).bit_length()))


def assembly(
    kernel: Any, constants: Mapping[str, Any], types: Mapping[str, str], *, capability: int = 80, warps: int = 4
) -> str:
    """Return the PTX of a kernel for an NVIDIA GPU of this compute capability; needs no GPU.

    constants: the kernel's constants by name; those that it does not have are left out. types: Triton's types of the
    other arguments by name ("*i64", "i32"); "*fp32" where a name is not in it.
    """
    return str(compiled(kernel, constants, types, capability=capability, warps=warps).asm["ptx"])


def compiled(
    kernel: Any, constants: Mapping[str, Any], types: Mapping[str, str], *, capability: int = 80, warps: int = 4
) -> Any:
    """Return what Triton makes of a kernel (`asm`: "ttir" to "cubin") for a GPU that need not be there."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    names = kernel.arg_names
    signature = {n: "constexpr" if n in constants else types.get(n, "*fp32") for n in names}
    fixed = {(names.index(n),): value for n, value in constants.items() if n in names}
    source = ASTSource(kernel, signature, fixed)
    target = GPUTarget("cuda", capability, 32)
    return triton.compile(source, target=target, options=OPTIONS | {"num_warps": warps})


def typed(**names: str) -> dict[str, str]:
    """Return types by name from names by type: typed(i32="rows columns") for `assembly`; "p_i64" is a pointer's."""
    return {name: kind.replace("p_", "*") for kind, listed in names.items() for name in listed.split()}


def _require() -> None:
    try:
        import triton  # noqa: F401
    except ImportError as error:
        raise MhoError(
            "the gpu backend was asked for, but Triton is not installed; CUDA builds of torch bring it, "
            'else install "triton" (Linux), or use backend="cpu"'
        ) from error
