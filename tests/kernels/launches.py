"""What the host side of the GPU's kernels launches, seen without a GPU: tensors are fake, kernels noted and not run.

Fake tensors have shapes and a device and no numbers: whatever would copy one to the host fails.
"""

from __future__ import annotations

from contextlib import contextmanager

import torch

from gpu.fake import fake_cuda
from mho.kernels.gpu.compiling import assembly

TYPES = {torch.float32: "*fp32", torch.bfloat16: "*bf16", torch.int32: "*i32", torch.int64: "*i64"}


class Launches(list):
    """Kernels that were launched: (kernel, constants, types of the arguments, warps)."""

    def start(self, kernel, grid, *given, num_warps=4, **constants):
        names = [n for n in kernel.arg_names if n not in constants]
        assert len(names) == len(given), f"{kernel.__name__} takes {names}"
        assert set(constants) < set(kernel.arg_names)
        assert all(1 <= size < 2**31 for size in grid[:1])
        assert all(1 <= size < 2**16 for size in grid[1:])
        types = {}
        for name, value in zip(names, given, strict=True):
            if isinstance(value, torch.Tensor):
                assert value.device == torch.device("cuda:0"), name
                types[name] = TYPES[value.dtype]
            else:
                assert -(2**31) <= value < 2**31, name
                types[name] = "i32"
        self.append((kernel, constants, types, num_warps))

    def different(self):
        """Return each launch once that is another kernel for the compiler."""
        return list({(k.__name__, *c.items(), *t.items(), w): (k, c, t, w) for k, c, t, w in self}.values())

    def assemblies(self, capability):
        """Return the name, constants and PTX of every kernel that was launched."""
        for kernel, constants, types, warps in self.different():
            yield kernel.__name__, constants, assembly(kernel, constants, types, capability=capability, warps=warps)


@contextmanager
def launches(monkeypatch, *modules):
    """Note what modules launch; tensors made within are fake, and may be on "cuda"."""
    noted = Launches()
    with fake_cuda(monkeypatch), monkeypatch.context() as patch:
        for module in modules:
            patch.setattr(module, "start", noted.start)
        yield noted
