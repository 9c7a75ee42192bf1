"""Digital layers on many chips: a copy for each chip, and dropout from the run's own draws."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mho.kernels.product import normals
from mho.nn.batchnorm import NormBatchNorm
from mho.nn.chips import per_chip
from mho.nn.ranks import Ranks
from mho.random import check_counter, make_key

COPIED = (
    nn.Linear, nn.Bilinear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d,
    nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d,
    nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.Embedding, nn.EmbeddingBag, nn.PReLU, NormBatchNorm,
)  # fmt: skip
"""Digital layers that get a copy per chip: all take the batch first and hold nothing between batches but buffers."""


class PerChip(nn.Module):
    """A digital layer with its own copy per chip; each sees the chip's own part of the chip-major batch.

    Inputs and output (chips * batch, ...). `again(chip, copy)` gives every copy initial values of its own; without it
    all start as `layer`. Raises ShapeError, when called, for a batch that does not divide by the chips.
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
        return torch.cat([one(*part) for one, part in zip(self.copies, parts, strict=True)])


def _number(layer: PerChip, _: object = None) -> None:
    """Note on every parameter whose chip it is: copying a parameter, or loading one in its place, drops such notes."""
    for k, one in enumerate(layer.copies):
        for p in one.parameters():
            p.chip_index = k  # type: ignore[attr-defined]


class ChipDropout(nn.Module):
    """Dropout whose masks are drawn from (seed, chip, layer, call), so that runs repeat and chips do not interact.

    Input and output (chips * batch, ...). `p`: the share of values that become 0; the others are multiplied by
    1/(1 - p). `kind`: `torch.nn.Dropout`, or `torch.nn.Dropout1d`, `2d` or `3d`, which drop whole channels.
    ranks: the processes that share every batch; each takes the masks of its samples from those of all.
    """

    ranks: Ranks | None = None

    def __init__(self, p: float, kind: type[nn.Module], *, name: str, seed: int, chips: tuple[int, ...]) -> None:
        super().__init__()
        self.p, self.kind, self.channels, self.calls = p, kind, kind is not nn.Dropout, 0
        words = [make_key(seed, chip, name, "dropout") for chip in chips]
        self.keys = torch.from_numpy(np.array(words, np.uint32).view(np.int32))

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
        z = normals(self.keys, (n, whole, *shape[1:]), check_counter("dropout call", self.calls))
        if whole > count:
            z = z[:, first : first + count]
        self.calls += 1
        mask = (z < float(ndtri(1 - self.p))).reshape(*shape, *(1,) * (x.dim() - len(shape)))
        return x * mask / (1 - self.p)

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[prefix + "calls"] = torch.tensor([self.calls])

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        calls = state_dict.pop(prefix + "calls", None)
        if calls is None:
            rest[2].append(prefix + "calls")
        else:
            self.calls = int(calls[0])
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def extra_repr(self) -> str:
        """Return the share for printing."""
        return f"p={self.p}, channels={self.channels}"
