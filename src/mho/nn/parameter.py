"""The handle by which an optimizer finds an analog layer: a parameter without values, whose gradient is x and d."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class AnalogParameter(torch.nn.Parameter):
    """Stands for the conductances of one analog layer in `model.parameters()`.

    It holds no values (they move by pulses, not by a gradient) and its `layer` keeps the x and d of every backward
    pass since gradients were last zeroed. Setting `grad` to None, as `zero_grad` does, forgets them.
    """

    layer: Any

    def __new__(cls, layer: Any, device: torch.device | None = None) -> AnalogParameter:
        """Return a parameter of no elements that belongs to `layer`, on a device."""
        made = torch.Tensor._make_subclass(cls, torch.empty(0, device=device), True)
        made.layer = layer
        return made

    @property
    def grad(self) -> Tensor | None:
        """An empty tensor after a backward pass, else None."""
        return torch.Tensor.grad.__get__(self)  # type: ignore[union-attr]  # torch types the descriptor as its value

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        torch.Tensor.grad.__set__(self, value)  # type: ignore[union-attr]  # as above
        if value is None:
            self.layer.forget()

    def __deepcopy__(self, memo: dict[int, Any]) -> AnalogParameter:
        made = _unlinked(self.requires_grad, self.grad is not None)
        made.layer = memo.get(id(self.layer))
        memo[id(self)] = made
        return made

    def __reduce_ex__(self, protocol: Any) -> Any:
        return (_unlinked, (self.requires_grad, self.grad is not None))

    def __repr__(self) -> str:  # type: ignore[override]  # as torch's own Parameter
        return f"AnalogParameter of {getattr(self.layer, 'name', 'no layer yet')}"


def accumulates(ctx: Any) -> bool:
    """Return whether a backward pass accumulates gradients of a product's pulses, its second input.

    `torch.autograd.grad(loss, x)` and `backward(inputs=[x])` do not: they only look, and must move no device later.
    """
    if not ctx.needs_input_grad[1]:
        return False
    try:
        return torch._C._will_engine_execute_node(ctx.next_functions[1][0])  # as torch.autograd.graph asks
    except RuntimeError:  # autograd.grad of the pulses themselves
        return False


def _unlinked(requires_grad: bool, has_grad: bool) -> AnalogParameter:
    """Return a parameter whose layer is set later, by the layer's `__setstate__`."""
    made = AnalogParameter(None)
    made.requires_grad_(requires_grad)
    if has_grad:  # so that zero_grad forgets what the copied layer holds
        made.grad = torch.empty(0)
    return made
