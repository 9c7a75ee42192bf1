"""How weights become conductances: the devices of a weight, their window in siemens, and the levels of a weight."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mho.config.values import convert_fields
from mho.errors import SettingsError

if TYPE_CHECKING:  # settings are read without torch
    from torch import Tensor

Layout = Literal["pair", "offset", "single"]
Reach = Literal["tile", "output", "device"]


@dataclass(frozen=True)
class Conductances:
    """The devices of a weight w in [-1, 1], their conductances in siemens, and the levels that a weight can have.

    "pair":   g+ = g_min + max(w, 0) R,  g- = g_min + max(-w, 0) R,   w = (g+ - g-)/R,  R = g_max - g_min
    "offset": g = g_0 + w R/2, and every output has one further device at g_0 = (g_min + g_max)/2 that is subtracted
    "single": g = g_0 + w R/2, and g_0 itself is subtracted, as a current or in digits: it has no error and no drift

    levels: per weight, evenly spaced over [-1, 1], both ends included; "none" (None): any value. An even number of
        levels has none at 0.
    reach: which weight is w = 1: the largest (of either sign) of the tile ("tile") or of each output of it ("output"),
        each with a digital factor of its own, or what the mean device that it was trained on can show ("device").
    Raises ConfigError for a window that is not 0 <= g_min < g_max, and for fewer than 2 levels.
    """

    layout: Layout = "pair"
    g_min: float = 0.0
    g_max: float = 25e-6
    levels: int | None = None
    reach: Reach = "tile"

    def __post_init__(self) -> None:
        convert_fields(self)
        if wrong := list(self._problems()):
            raise SettingsError(wrong)

    def _problems(self) -> Iterator[tuple[str, str]]:
        low, high = self.g_min, self.g_max
        if low < 0 or high < 0:
            yield "g_min", f"and g_max are conductances in siemens, not negative, found {low:g} and {high:g}"
        elif low >= high:
            yield "g_min", f"is {low:g} S, but g_max is {high:g} S: the window is the wrong way round; exchange them"
        if self.levels is not None and self.levels < 2:
            yield "levels", f'is at least 2 (-1 and +1), found {self.levels}; "none" is continuous'

    @property
    def window(self) -> float:
        """g_max - g_min in siemens."""
        return self.g_max - self.g_min

    @property
    def devices(self) -> int:
        """How many devices a weight has; the reference device of an output is not counted."""
        return 2 if self.layout == "pair" else 1

    @property
    def per_weight(self) -> float:
        """The siemens of a weight of 1."""
        return self.window if self.layout == "pair" else self.window / 2

    def quantised(self, weights: Tensor) -> Tensor:
        """Return weights, clipped to [-1, 1], on the nearest level."""
        clipped = weights.clamp(-1.0, 1.0)
        if self.levels is None:
            return clipped
        steps = self.levels - 1
        return clipped.add_(1.0).mul_(steps / 2).round_().mul_(2 / steps).sub_(1.0)

    def to_siemens(self, weights: Tensor) -> Tensor:
        """Return the conductances (chips, devices, rows, columns) of weights in [-1, 1] (chips, rows, columns).

        With layout "offset" there is one column more, that of the reference devices.
        """
        import torch

        if self.layout == "pair":
            both = torch.stack((weights, -weights), dim=1)
            return both.clamp_min_(0.0).mul_(self.window).add_(self.g_min)
        chips, rows, columns = weights.shape
        out = torch.zeros(chips, 1, rows, columns + (self.layout == "offset"), device=weights.device)
        out[:, 0, :, :columns] = weights
        return out.mul_(self.per_weight).add_(0.5 * (self.g_min + self.g_max))

    def to_weights(self, siemens: Tensor) -> Tensor:
        """Return the weights (chips, rows, columns) that conductances (chips, devices, rows, columns) show."""
        if self.layout == "pair":
            return (siemens[:, 0] - siemens[:, 1]).div_(self.per_weight)
        if self.layout == "offset":
            return (siemens[:, 0, :, :-1] - siemens[:, 0, :, -1:]).div_(self.per_weight)
        return (siemens[:, 0] - 0.5 * (self.g_min + self.g_max)).div_(self.per_weight)
