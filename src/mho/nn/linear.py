"""A fully connected layer on analog tiles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from mho.config import AnalogConfig
from mho.errors import NotFiniteError, ShapeError
from mho.nn.layer import AnalogLayer
from mho.nn.parameter import accumulates


class AnalogLinear(AnalogLayer):
    """y = x W^T + b with W (and b, when the bias is in the array) on crossbar tiles; the analog of `torch.nn.Linear`.

    Input (chips * batch, ..., in), output (chips * batch, ..., out), chip-major. `config` is an `AnalogConfig`
    (`mho.preset("gokmen-2017")`); `name` keys the layer's draws together with `seed` and the chip, and must differ
    between layers (without a name one is drawn from torch's generator). Initial weights are torch's default. Raises
    ConfigError for impossible settings; when called, ShapeError for inputs that do not fit, ConfigError for one on
    another device, and on the CPU NotFiniteError for NaN or infinity (on a GPU the optimizer raises it).
    """

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, *, config: AnalogConfig, name: str | None = None,
        seed: int = 0, chips: int | Sequence[int] = 1,
    ) -> None:  # fmt: skip
        super().__init__((out_features, in_features), 1, bias, config, name=name, seed=seed, chips=chips)
        self.in_features, self.out_features = in_features, out_features
        self.reset_parameters()
        self.to(torch.get_default_device())

    def forward(self, x: Tensor) -> Tensor:
        """Return the noisy product; raise ShapeError or NotFiniteError for inputs that do not fit."""
        if x.dim() == 0 or x.shape[-1] != self.in_features:
            raise ShapeError(
                f"layer {self.name!r} takes inputs of {self.in_features} features, found shape {tuple(x.shape)}"
            )
        rows = x.shape[0] if x.dim() > 1 else 1
        self.chip_batch(rows)
        self.check_device(x)
        parts = _LinearProduct.apply(x.reshape(len(self.chips), -1, self.in_features), self.pulses, self)
        scale = self.grid_list[0].factor()
        if scale is None:
            out = parts[0]
        else:
            out = (parts * scale.transpose(0, 1).unsqueeze(2)).sum(0)
        if self.bias is not None:
            out = out + self.bias.unsqueeze(1)
        return out.reshape(*x.shape[:-1], self.out_features)

    def check(self, lr: object) -> list[Any]:
        """Return the checked update; raise NotFiniteError naming the layer."""
        self.check_inputs()
        prepared: list[Any] = []
        first = 0
        for x, d in self.pending:
            try:
                prepared.append(self.grid_list[0].prepare(x, d, lr, first))
            except NotFiniteError as error:
                raise self.refuse(error, "update") from None
            first += x.shape[1]
        return prepared

    def apply_(self, prepared: list[Any], lr: object) -> None:
        """Apply a checked update and end the optimizer step."""
        for step in prepared:
            self.grid_list[0].apply_(step)
        self.finish_()

    def extra_repr(self) -> str:
        """Return the sizes for printing."""
        return f"{self.in_features}, {self.out_features}, name={self.name!r}, chips={len(self.chips)}"


class _LinearProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, pulses: Tensor, layer: AnalogLinear) -> Tensor:
        x = x.detach().float().contiguous()
        ctx.layer, ctx.calls = layer, layer.grid_list[0].next_calls()
        ctx.save_for_backward(x)
        try:
            return layer.grid_list[0](x, first=layer.first(x.shape[1]), calls=ctx.calls)
        except NotFiniteError as error:
            raise layer.refuse(error, "forward") from None

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        layer: AnalogLinear = ctx.layer
        (x,) = ctx.saved_tensors
        d = grad.float().contiguous()
        back = None
        if ctx.needs_input_grad[0]:
            try:
                back = layer.grid_list[0].back(d, first=layer.first(d.shape[2]), calls=ctx.calls)
            except NotFiniteError as error:
                raise layer.refuse(error, "backward") from None
        if accumulates(ctx):
            layer.keep(x, d)
        return back, d.new_empty(0), None
