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
    tensor = next(a for a in args if isinstance(a, torch.Tensor))
    if not tensor.is_cuda:  # Triton's interpreter
        kernel[grid](*args, **meta, **OPTIONS)
        return
    with torch.cuda.device_of(tensor):
        kernel[grid](*args, **meta, **OPTIONS)


def assembly(
    kernel: Any, constants: Mapping[str, Any], *, types: Mapping[str, str], capability: int = 80, warps: int = 4
) -> str:
    """Return the PTX of a kernel for an NVIDIA GPU of this compute capability; needs no GPU.

    constants: the kernel's constexpr arguments by name; those that it does not have are left out. types: Triton's
    types of the others by name ("*i64", "i32"); "*fp32" where a name is not in it.
    """
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    names = kernel.arg_names
    signature = {n: "constexpr" if n in constants else types.get(n, "*fp32") for n in names}
    fixed = {(names.index(n),): value for n, value in constants.items() if n in names}
    source = ASTSource(kernel, signature, fixed)
    done = triton.compile(source, target=GPUTarget("cuda", capability, 32), options=OPTIONS | {"num_warps": warps})
    return str(done.asm["ptx"])


def _require() -> None:
    try:
        import triton  # noqa: F401
    except ImportError as error:
        raise MhoError(
            "the gpu backend was asked for, but Triton is not installed; CUDA builds of torch bring it, "
            'else install "triton" (Linux), or use backend="cpu"'
        ) from error
