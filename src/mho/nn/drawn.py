"""Layers that draw at every call of training: their keys, on every device, and how often they have drawn."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from mho.kernels.product import normals
from mho.random import check_counter


class Drawn(nn.Module):
    """A layer with keys, (chips, 2) words, under which it draws other numbers at every call.

    calls: draws so far; saved with the buffers, so a resumed training repeats. It stays on the host wherever the layer
    is. ticks: int64 on the device, what is added to `calls` while a CUDA graph owns the layer; None else.
    saved_shape: of the tensor in which `calls` is saved.
    """

    saved_shape: ClassVar[tuple[int, ...]] = ()
    ticks: Tensor | None = None

    def __init__(self, keys: list[tuple[int, int]], what: str) -> None:
        super().__init__()
        self.keys = torch.from_numpy(np.array(keys, np.uint32).view(np.int32))
        self.what, self.calls = what, 0
        self._there: dict[torch.device, Tensor] = {}

    def draw(self, shape: tuple[int, ...], device: torch.device) -> Tensor:
        """Return standard normal numbers (chips, ...) on a device, others at every call: the same on every device."""
        keys = self.keys
        if device != keys.device:
            if device not in self._there:
                self._there[device] = keys.to(device)
            keys = self._there[device]
        drawn = normals(keys, shape, check_counter(self.what, self.calls), tick=self.ticks)
        self.calls += 1
        return drawn

    def counted(self) -> list[int]:
        """Return the number of calls so far, as a list of one."""
        return [self.calls]

    def count_(self, numbers: list[int]) -> None:
        """Set the number that `counted` returns."""
        (self.calls,) = numbers

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in super().__getstate__().items() if k != "ticks"} | {"_there": {}}

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[prefix + "calls"] = torch.tensor(self.calls).reshape(self.saved_shape)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        calls = state_dict.pop(prefix + "calls", None)
        if calls is None:
            rest[2].append(prefix + "calls")
        else:
            self.calls = int(calls)
        super()._load_from_state_dict(state_dict, prefix, *rest)
