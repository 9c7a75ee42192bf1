"""Counters that Python reads at every step: numbers of the host, saved as tensors among a module's buffers."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn


class Counters(nn.Module):
    """A module some of whose attributes, named in `counters`, are numbers or arrays of them, saved as tensors.

    They stay on the host wherever the module is: a buffer would move to a GPU, and each look at it wait for the device.
    """

    counters: ClassVar[tuple[str, ...]] = ()

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        for name in self.counters:
            destination[prefix + name] = torch.from_numpy(np.array(getattr(self, name)))

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        _, strict, missing, _, errors = rest
        for name in self.counters:
            given, own = state_dict.pop(prefix + name, None), np.asarray(getattr(self, name))
            if given is None:
                missing.extend([prefix + name] if strict else [])
            elif tuple(given.shape) != own.shape:
                errors.append(f"{prefix}{name} has shape {tuple(given.shape)}, but counts {own.shape} here")
            else:
                values = given.cpu().numpy().astype(own.dtype)
                setattr(self, name, values if own.ndim else values.item())
        super()._load_from_state_dict(state_dict, prefix, *rest)
