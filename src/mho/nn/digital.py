"""Digital layers on many chips: a copy for each chip, and dropout from the run's own draws."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from mho.errors import ConfigError
from mho.nn.batchnorm import NormBatchNorm
from mho.nn.chips import per_chip
from mho.nn.drawn import Drawn
from mho.nn.ranks import Ranks
from mho.random import make_key

COPIED = (
    nn.Linear, nn.Bilinear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d,
    nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d,
    nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.Embedding, nn.EmbeddingBag, nn.PReLU, NormBatchNorm,
)  # fmt: skip
"""Digital layers that get a copy per chip: all take the batch first and hold nothing between batches but buffers."""


class PerChip(nn.Module):
    """A digital layer with its own copy per chip; each sees the chip's own part of the chip-major batch.

    Inputs and output (chips * batch, ...). `again(chip, copy)` gives every copy initial values of its own; without it
    all start as `layer`. When called, raises ShapeError for a batch that does not divide by the chips, ConfigError for
    one on another device.
    """

    def __init__(self, layer: nn.Module, chips: int, again: Callable[[int, nn.Module], None] | None = None) -> None:
        super().__init__()
        self.copies = nn.ModuleList(copy.deepcopy(layer) for _ in range(chips))
        for k, one in enumerate(self.copies):
            if again is not None:
                again(k, one)
        self.train(layer.training)
        self.register_load_state_dict_post_hook(_number)
        _number(self)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        _number(self)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return the copies' outputs, chip-major."""
        n = len(self.copies)
        parts = zip(*(per_chip(x, n) for x in inputs), strict=True)
        try:
            return torch.cat([one(*part) for one, part in zip(self.copies, parts, strict=True)])
        except RuntimeError as error:
            self._check_devices(inputs, error)
            raise

    def _check_devices(self, inputs: tuple[Tensor, ...], error: RuntimeError) -> None:
        """Raise ConfigError where inputs and copies are on different devices."""
        here = next((t.device for t in (*self.parameters(), *self.buffers())), None)
        for x in inputs:
            if here is not None and x.device != here:
                raise ConfigError(
                    f"a digital layer with {len(self.copies)} copies of {self.copies[0]} is on {here}, but its input "
                    f"is on {x.device}, and one product needs both in one place; call x.to('{here}'), or "
                    f"model.to('{x.device}')"
                ) from error

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        super()._apply(fn, recurse)
        _number(self)
        return self


def _number(layer: PerChip, _: object = None) -> None:
    """Note on every parameter whose chip it is: copying a parameter, or loading one in its place, drops such notes."""
    for k, one in enumerate(layer.copies):
        for p in one.parameters():
            p.chip_index = k  # type: ignore[attr-defined]


class ChipDropout(Drawn):
    """Dropout whose masks are drawn from (seed, chip, layer, call), so that runs repeat and chips do not interact.

    Input and output (chips * batch, ...). `p`: the share of values that become 0; the others are multiplied by
    1/(1 - p). `kind`: `torch.nn.Dropout`, or `torch.nn.Dropout1d`, `2d` or `3d`, which drop whole channels.
    ranks: the processes that share every batch; each takes the masks of its samples from those of all.
    """

    saved_shape = (1,)
    ranks: Ranks | None = None

    def __init__(self, p: float, kind: type[nn.Module], *, name: str, seed: int, chips: tuple[int, ...]) -> None:
        super().__init__([make_key(seed, chip, name, "dropout") for chip in chips], "dropout call")
        self.p, self.kind, self.channels = p, kind, kind is not nn.Dropout

    def forward(self, x: Tensor) -> Tensor:
        """Return x with a share p of its values 0 and the others scaled by 1/(1 - p); x itself when evaluating."""
        if not self.training or self.p == 0:
            return x
        if self.p == 1:
            return x * 0.0
        from scipy.special import ndtri

        n = self.keys.shape[0]
        shape = x.shape[:2] if self.channels else x.shape
        count = shape[0] // n
        first, whole = (0, count) if self.ranks is None else (self.ranks.first(count), self.ranks.whole(count))
        z = self.draw((n, whole, *shape[1:]), x.device)
        if whole > count:
            z = z[:, first : first + count]
        mask = (z < float(ndtri(1 - self.p))).reshape(*shape, *(1,) * (x.dim() - len(shape)))
        return x * mask / (1 - self.p)

    def extra_repr(self) -> str:
        """Return the share for printing."""
        return f"p={self.p}, channels={self.channels}"
