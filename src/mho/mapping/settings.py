"""How a weight matrix is laid on tiles: array limits, bias, digital scale."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from mho.devices.spread import PerChip, numbers, per_chip
from mho.errors import ConfigError

Scaling = Literal["none", "fixed", "tile", "output"]


@dataclass(frozen=True)
class Mapping:
    """The layout of a layer's weights on arrays.

    max_rows, max_columns: largest array (outputs, inputs); larger layers are split evenly, each part with its own
        converters, and partial sums are added digitally.
    bias: "array" (a column whose input is 1), "digital", or "none" to drop it.
    scaling: weight = scale x conductance. "none" (1); "fixed" (`scale`); "tile" or "output": max abs(W) of the tile
        or of each output is mapped to `fill` of the device's bound, as for a converted trained model.
    learn_scale: conductances are also multiplied by a factor that starts at 1 and is trained by the digital part of the
        optimizer: one for each output where scaling is "output", else one for each tile. The conductances move by
        their own gradient then, which has the factor in it.
    count_pulses: keep a pulse counter for every device (totals per tile are always kept).
    Raises ConfigError, with everything that is wrong.
    """

    max_rows: int = 512
    max_columns: int = 512
    bias: Literal["array", "digital", "none"] = "array"
    scaling: Scaling = "none"
    scale: PerChip = 1.0
    fill: float = 1.0
    learn_scale: bool = False
    count_pulses: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", per_chip(self.scale))
        problems = [
            f"{key} must be a whole number of at least 1, found {getattr(self, key)}"
            for key in ("max_rows", "max_columns")
            if not (isinstance(getattr(self, key), int) and getattr(self, key) >= 1)
        ]
        choices = {
            "bias": ("array", "digital", "none"), "scaling": ("none", "fixed", "tile", "output"),
        }  # fmt: skip
        for key, allowed in choices.items():
            if getattr(self, key) not in allowed:
                problems.append(f"{key} is one of {', '.join(allowed)}, found {getattr(self, key)!r}")
        if any(not (math.isfinite(v) and v > 0) for v in numbers(self.scale)):
            problems.append(f"scale must be finite and above 0, found {self.scale}")
        if not 0 < self.fill <= 1:
            problems.append(f"fill is a share of the bound, above 0 and at most 1, found {self.fill}")
        if problems:
            raise ConfigError("; ".join(problems))
