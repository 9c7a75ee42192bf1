"""Convolutions on analog tiles: flattened kernels in rows, an update for every output position."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mho.config import AnalogConfig
from mho.errors import ConfigError, NotFiniteError, ShapeError
from mho.mapping.patches import Patches, Window, locate
from mho.nn.layer import AnalogLayer
from mho.nn.parameter import accumulates
from mho.periphery.product import PATCH_ELEMENTS
from mho.update.apply import check_finite

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")

Size = int | Sequence[int]


class AnalogConv(AnalogLayer):
    """A convolution in any number of dimensions as a product with unfolded patches; see the 1d, 2d, 3d subclasses.

    Every output position is one vector of the product and of the update, as in Gokmen, Onen & Haensch 2017. The layer
    keeps its input, not the patches. Input (chips * batch, in channels, *spatial), output (chips * batch, out channels,
    *positions), chip-major. `padding` is a size, a size per dimension, "same" or "valid"; the other sizes are a number
    or one per dimension; `config`, `name`, `seed` and `chips` are as in `AnalogLinear`. Raises ConfigError for
    impossible settings; when called, ShapeError for inputs that do not fit, ConfigError for one on another device, and
    on the CPU NotFiniteError for NaN or infinity (on a GPU the optimizer raises it).
    """

    dimensions = 0

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Size, *, config: AnalogConfig, stride: Size = 1,
        padding: Size | str = 0, dilation: Size = 1, groups: int = 1, bias: bool = True, padding_mode: str = "zeros",
        name: str | None = None, seed: int = 0, chips: int | Sequence[int] = 1,
    ) -> None:  # fmt: skip
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ConfigError(
                f"groups = {groups} must divide in_channels = {in_channels} and out_channels = {out_channels}"
            )
        kernel, dilation = self._each(kernel_size, "kernel_size"), self._each(dilation, "dilation")
        fan_in = in_channels // groups * int(np.prod(kernel))
        super().__init__((out_channels, fan_in), groups, bias, config, name=name, seed=seed, chips=chips)
        self.in_channels, self.out_channels, self.kernel_size = in_channels, out_channels, kernel
        self.window = Window(kernel, self._each(stride, "stride"), dilation)
        if padding_mode not in PADDING_MODES:
            raise ConfigError(f"padding_mode is one of {', '.join(PADDING_MODES)}, found {padding_mode!r}")
        if padding == "same" and max(self.window.stride) > 1:
            raise ConfigError(
                f"padding = 'same' and stride = {stride}: an output as large as the input has stride 1; give the "
                "padding as a number"
            )
        self.padding_mode = padding_mode
        self.asked_padding = padding
        self.padding = self._padding(padding)
        self._located: dict[Any, list[Patches]] = {}
        self.reset_parameters()
        self.to(torch.get_default_device())

    def _each(self, value: Size, name: str) -> tuple[int, ...]:
        each = (value,) * self.dimensions if isinstance(value, int) else tuple(value)
        if len(each) != self.dimensions or min(each) < 1:
            raise ConfigError(
                f"{name} is a number from 1, or one for each of {self.dimensions} dimensions, found {value}"
            )
        return each

    def _padding(self, padding: Size | str) -> tuple[int, ...]:
        """Return what `torch.nn.functional.pad` takes: before and after, last dimension first."""
        if isinstance(padding, str):
            if padding not in ("same", "valid"):
                raise ConfigError(f"padding is a size, 'same' or 'valid', found {padding!r}")
            spans = zip(self.window.kernel, self.window.dilation, strict=True)
            total = [d * (k - 1) if padding == "same" else 0 for k, d in spans]
            sides = [(t // 2, t - t // 2) for t in total]
        else:
            each = (padding,) * self.dimensions if isinstance(padding, int) else tuple(padding)
            if len(each) != self.dimensions or min(each) < 0:
                raise ConfigError(f"padding is a size from 0, or one per dimension, found {padding}")
            sides = [(p, p) for p in each]
        return tuple(p for side in reversed(sides) for p in side)

    def forward(self, x: Tensor) -> Tensor:
        """Return the noisy convolution (chips * batch, out channels, *positions) of x (chips * batch, in, *spatial).

        Raises ShapeError or NotFiniteError for inputs that do not fit.
        """
        if x.dim() != self.dimensions + 2 or x.shape[1] != self.in_channels:
            spatial = ", ".join("*" * self.dimensions)
            raise ShapeError(
                f"layer {self.name!r} takes inputs of shape (batch, {self.in_channels}, {spatial}), "
                f"found {tuple(x.shape)}"
            )
        self.chip_batch(x.shape[0])
        self.check_device(x)
        if any(self.padding):
            mode = "constant" if self.padding_mode == "zeros" else self.padding_mode
            x = F.pad(x, self.padding, mode=mode)
        factors = [factor for grid in self.grid_list if (factor := grid.factor()) is not None]
        out = _ConvProduct.apply(x, self.pulses, self)
        if not factors:
            out = out[0]
        else:
            scales = torch.cat(factors, dim=2).transpose(0, 1)
            out = out.unflatten(1, (len(self.chips), -1)) * scales[:, :, None, None]
            out = (out[0] if len(out) == 1 else out.sum(0)).flatten(0, 1)
        if self.bias is not None:
            out = (out.unflatten(0, (len(self.chips), -1)) + self.bias[:, None, None]).flatten(0, 1)
        shape = self.window.positions(tuple(x.shape[2:]))
        return out.transpose(1, 2).unflatten(2, shape)

    def patches(self, x: Tensor, last: bool) -> list[Patches]:
        """Return where the patches of every group lie in a padded input like x."""
        key = (tuple(x.shape[1:]), last, x.device)
        if key not in self._located:
            per = self.in_channels // self.groups
            self._located[key] = [
                locate(self.window, (g * per, (g + 1) * per), key[0], last).to(x.device) for g in range(self.groups)
            ]
        return self._located[key]

    def blocks(self, batch: int, per_image: int) -> Iterator[tuple[int, int]]:
        """Return ranges of images whose patches are held at a time."""
        many = max(1, PATCH_ELEMENTS // max(1, per_image * len(self.chips)))
        for first in range(0, max(1, batch), many):  # an empty batch is one empty block
            yield first, min(first + many, batch)

    def product(self, x: Tensor, last: bool, calls: list[list[int]]) -> Tensor:
        """Return outputs (parts, chips * batch, positions, channels) of a flat padded input (chips, batch, size)."""
        outputs = []
        for grid, patches, own in zip(self.grid_list, self.patches_of(last), calls, strict=True):
            out = grid(patches.of(x), first=self.first(x.shape[1]) * patches.start.numel(), calls=own)
            outputs.append(out.view(out.shape[0], -1, patches.start.numel(), out.shape[3]))
        return outputs[0] if len(outputs) == 1 else torch.cat(outputs, dim=3)

    def patches_of(self, last: bool) -> list[Patches]:
        """Return the patches of the input shape that was located last."""
        return self._located[(self._shape, last, self.device)]

    def locate_input(self, x: Tensor) -> tuple[Tensor, bool]:
        """Return a padded input as (chips, batch, size) in memory order, and whether channels come last there."""
        last = x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
        flat = x.permute(0, 2, 3, 1) if last else x.contiguous()
        self.patches(x, last)
        self._shape = tuple(x.shape[1:])
        return flat.reshape(len(self.chips), -1, int(np.prod(x.shape[1:]))), last

    def errors(self, d: Tensor, located: list[Patches], calls: list[list[int]], size: int) -> Tensor:
        """Return the errors at the flat padded input (chips * batch, size).

        d: (parts, chips * batch, positions, out channels). Raises NotFiniteError for NaN or infinity in d.
        """
        chips, count = len(self.chips), located[0].start.numel()
        batch = d.shape[1] // chips
        total, begin = torch.zeros(chips, batch, size, device=d.device), self.first(batch)
        for g, (grid, patches) in enumerate(zip(self.grid_list, located, strict=True)):
            mine = self._group(d, g).view(d.shape[0], chips, batch, count, self.out_size // self.groups)
            for b0, b1 in self.blocks(batch, count * patches.offset.numel()):
                part = mine[:, :, b0:b1].reshape(d.shape[0], chips, (b1 - b0) * count, mine.shape[-1])
                back = grid.back(part, first=(begin + b0) * count, calls=calls[g])
                total[:, b0:b1] += patches.put(back.view(chips * (b1 - b0), count, back.shape[-1])).view(
                    chips, b1 - b0, size
                )
        return total.view(chips * batch, size)

    def _group(self, d: Tensor, g: int) -> Tensor:
        rows = self.out_size // self.groups
        return d if self.groups == 1 else d[..., g * rows : (g + 1) * rows].contiguous()

    def _by_sample(self, d: Tensor) -> Tensor:
        return d.unflatten(1, (len(self.chips), -1))

    def check(self, lr: object) -> list[Any]:
        """Refuse NaN or infinity; patches are unfolded when the update is applied."""
        self.check_inputs()
        for x, d, _, _ in self.pending:
            try:
                check_finite(x, d, self.tile_list[0].fuse)
            except NotFiniteError as error:
                raise self.refuse(error, "update") from None
        return []

    def apply_(self, prepared: list[Any], lr: object) -> None:
        """Update position by position, image by image, and let one update pass."""
        chips = len(self.chips)
        passed = 0
        for x, d, located, _ in self.pending:
            count = located[0].start.numel()
            batch = x.shape[1]
            for g, (grid, patches) in enumerate(zip(self.grid_list, located, strict=True)):
                mine = self._group(d, g).view(d.shape[0], chips, batch, count, self.out_size // self.groups)
                for b0, b1 in self.blocks(batch, count * patches.offset.numel()):
                    vectors = patches.take(x[:, b0:b1].reshape(-1, x.shape[2])).view(
                        chips, (b1 - b0) * count, patches.offset.numel()
                    )
                    part = mine[:, :, b0:b1].reshape(d.shape[0], chips, (b1 - b0) * count, mine.shape[-1])
                    grid.apply_(grid.prepare(vectors, part, lr, passed + b0 * count, count))
            passed += batch * count
        self.finish_()

    def set_weights(self, weight: Tensor, bias: Tensor | None = None, *, calibrate: bool = True) -> None:
        """Write weights of a convolution, (out, in / groups, *kernel) or with a leading chip axis; see AnalogLayer."""
        super().set_weights(weight, bias, calibrate=calibrate)

    def extra_repr(self) -> str:
        """Return the sizes for printing."""
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.window.stride}, "
            f"groups={self.groups}, name={self.name!r}, chips={len(self.chips)}"
        )


class AnalogConv1d(AnalogConv):
    """A convolution of (chips * batch, channels, length) on crossbar tiles; the analog of `torch.nn.Conv1d`.

    Every output position is one vector of the product and of the update. Arguments are torch's, and `config`, `name`,
    `seed` and `chips` as in `AnalogLinear`. Raises ConfigError for impossible settings; when called, ShapeError for
    inputs that do not fit and NotFiniteError for NaN or infinity.
    """

    dimensions = 1


class AnalogConv2d(AnalogConv):
    """A convolution of (chips * batch, channels, height, width) on crossbar tiles; the analog of `torch.nn.Conv2d`.

    Every output position is one vector of the product and of the update. Arguments are torch's, and `config`, `name`,
    `seed` and `chips` as in `AnalogLinear`. Raises ConfigError for impossible settings; when called, ShapeError for
    inputs that do not fit and NotFiniteError for NaN or infinity.
    """

    dimensions = 2


class AnalogConv3d(AnalogConv):
    """A convolution of (chips * batch, channels, depth, height, width) on tiles; the analog of `torch.nn.Conv3d`.

    Every output position is one vector of the product and of the update. Arguments are torch's, and `config`, `name`,
    `seed` and `chips` as in `AnalogLinear`. Raises ConfigError for impossible settings; when called, ShapeError for
    inputs that do not fit and NotFiniteError for NaN or infinity.
    """

    dimensions = 3


class _ConvProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, pulses: Tensor, layer: AnalogConv) -> Tensor:
        flat, last = layer.locate_input(x.detach().float())
        ctx.layer, ctx.last, ctx.shape = layer, last, x.shape
        ctx.located = layer.patches_of(last)
        ctx.calls = [grid.next_calls() for grid in layer.grid_list]
        ctx.save_for_backward(flat)
        try:
            return layer.product(flat, last, ctx.calls)
        except NotFiniteError as error:
            raise layer.refuse(error, "forward") from None

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        layer: AnalogConv = ctx.layer
        (flat,) = ctx.saved_tensors
        d = grad.float().contiguous()
        back = None
        if ctx.needs_input_grad[0]:
            try:
                back = layer.errors(d, ctx.located, ctx.calls, flat.shape[2])
            except NotFiniteError as error:
                raise layer.refuse(error, "backward") from None
            shape = ctx.shape
            if ctx.last:
                back = back.view(shape[0], *shape[2:], shape[1]).permute(0, 3, 1, 2)
            else:
                back = back.view(shape)
        if accumulates(ctx):
            layer.keep(flat, d, ctx.located, ctx.last)
        return back, d.new_empty(0), None
