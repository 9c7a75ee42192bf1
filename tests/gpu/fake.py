"""A CUDA device that is not there: tensors without values, on which a model trains, and every look at a number fails.

torch's FakeTensorMode gives every operation the shape, type and device of its result, refuses operands on two devices,
and refuses what would need a number on the host: `bool(t)`, `.item()`, `.tolist()`, `t[mask]`, `nonzero`. Here fake
CUDA tensors also index and differentiate in a build of torch without CUDA, copies to the host fail, and in place of
launching Triton kernels `start` looks whether their tensors are on one device.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.overrides import TorchFunctionMode

from mho import optim
from mho.inference import hamming  # its tables are tensors, made when it is imported
from mho.kernels import backend, burst
from mho.kernels.gpu import compiling, zero
from mho.nn.parameter import AnalogParameter

CUDA = torch.device("cuda", 0)


class HostCopy(Exception):
    """A number of the device was wanted on the host."""


class MixedDevices(Exception):
    """Something on the host and something on the device were given to one kernel."""


class _NoWayBack(TorchFunctionMode):
    """Refuses copies from the device to the host, for which FakeTensorMode sees no reason."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        first = args[0] if args else None
        here = isinstance(first, Tensor) and first.is_cuda
        if here and func in (Tensor.cpu, Tensor.numpy, Tensor.tolist, Tensor.__array__):
            raise HostCopy(func.__name__)
        if func is Tensor.copy_ and not here and args[1].is_cuda:
            raise HostCopy("copy_ to the host")
        if func is Tensor.data_ptr and isinstance(first, FakeTensor):
            raise MixedDevices("a kernel of the CPU was given a tensor without values")
        result = func(*args, **kwargs)
        if here and func is Tensor.to and not result.is_cuda:
            raise HostCopy("to the host")
        return result


class _OnDevice(FakeTensorMode):
    """Makes on the device what C++ asks for on the meta device, where it believes fake CUDA tensors to be."""

    def dispatch(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if kwargs.get("device") is not None and torch.device(kwargs["device"]).type == "meta":
            kwargs["device"] = CUDA
        return super().dispatch(func, types, args, kwargs)


def _start(kernel: Any, grid: tuple[int, ...], *args: Any, **meta: Any) -> None:
    """Stand for a launch: the grid is of numbers, and all tensors are on the device."""
    assert all(isinstance(n, int) and n >= 0 for n in grid), grid
    assert all(not isinstance(value, Tensor) for value in meta.values()), meta
    tensors = [a for a in args if isinstance(a, Tensor)]
    places = {t.device for t in tensors}
    if places != {CUDA}:
        raise MixedDevices(f"a kernel was given tensors on {sorted(map(str, places))}")
    if missing := [t for t in tensors if not isinstance(t, FakeTensor)]:
        raise MixedDevices(f"a kernel was given tensors that are not fake: {missing}")
    names = [name for name in kernel.arg_names if name not in meta]
    assert len(names) == len(args), f"{kernel} takes {names}, and was given {len(args)} arguments"


@contextmanager
def fake_cuda(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let CUDA tensors be made that have no values; models are moved there by `to_fake`."""
    mode, make = _OnDevice(allow_non_fake_inputs=True), Tensor._make_subclass
    empty = torch.empty(0, device="meta")

    def made(cls: Any, elem: Any, *rest: Any, **named: Any) -> Any:
        if cls is FakeTensor and torch.device(named["device_for_backend_keys"]).type == "cuda":
            named["dispatch_device"] = False  # for C++ it stays on the meta device, which needs no library of CUDA's
        if cls is AnalogParameter and isinstance(elem, FakeTensor):  # no tensor has two classes
            elem = empty
        return make(cls, elem, *rest, **named)

    with monkeypatch.context() as patch:
        patch.setattr(Tensor, "_make_subclass", staticmethod(made))
        patch.setattr(FakeTensor, "is_cuda", property(lambda self: self.fake_device.type == "cuda"), raising=False)
        patch.setattr(FakeTensor, "is_cpu", property(lambda self: self.fake_device.type == "cpu"), raising=False)
        patch.setattr(AnalogParameter, "device", CUDA, raising=False)
        patch.setattr(backend, "_check", lambda device: None)
        patch.setattr(torch.cuda, "is_current_stream_capturing", lambda: False)
        for module in _starting():
            patch.setattr(module, "start", _start)
        _forget()
        before = torch.__future__.get_overwrite_module_params_on_conversion()
        torch.__future__.set_overwrite_module_params_on_conversion(True)
        try:
            with mode, _NoWayBack():
                yield
        finally:
            _forget()
            torch.__future__.set_overwrite_module_params_on_conversion(before)


def _forget() -> None:
    """Empty the caches of tensors: fake ones are of no use outside, nor real ones inside."""
    for cached in (zero.zero, burst.all_lines, optim.rates_on, hamming._table):
        cached.cache_clear()


def _starting() -> list[Any]:
    """Return the modules that launch kernels."""
    import pkgutil
    from importlib import import_module

    from mho.kernels import gpu

    modules = [import_module(f"{gpu.__name__}.{one.name}") for one in pkgutil.iter_modules(gpu.__path__)]
    return [module for module in modules if getattr(module, "start", None) is compiling.start]


def to_fake(model: nn.Module) -> nn.Module:
    """Move a model to the fake CUDA device, as `model.to("cuda")` moves one to a real one; return it."""
    return model._apply(lambda t: t if isinstance(t, FakeTensor) and t.is_cuda else torch.empty_like(t, device=CUDA))


def cuda(*shape: int, classes: int | None = None) -> Tensor:
    """Return a fake batch on the device: float32, or with `classes` whole numbers as labels."""
    return torch.empty(*shape, device=CUDA, dtype=torch.float32 if classes is None else torch.int64)
