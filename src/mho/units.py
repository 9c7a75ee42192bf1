"""Physical units at the boundary: siemens to normalised weights and back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from mho.errors import ConfigError


@dataclass(frozen=True)
class Window:
    """The conductances, in siemens, that a device has at the normalised weights -1 and +1.

    G(w) = (low + high)/2 + w (high - low)/2

    The simulation itself knows weights only; a window keeps what they mean, from a measurement to plots and reports.
    Raises ConfigError unless both are finite and not negative and low < high.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            value = getattr(self, name)
            try:
                object.__setattr__(self, name, float(value))
            except (TypeError, ValueError):
                raise ConfigError(f"window.{name} is a conductance in siemens, found {value!r}") from None
        if not (math.isfinite(self.low) and math.isfinite(self.high) and 0 <= self.low < self.high):
            raise ConfigError(
                f"a window goes from the conductance at w = -1 up to that at w = +1, in siemens, found low = "
                f"{self.low:g} and high = {self.high:g}; give 0 <= low < high"
            )

    def to_weight(self, siemens: Any) -> Any:
        """Return the normalised weight of a conductance (number or array) in siemens."""
        return (siemens - 0.5 * (self.low + self.high)) / (0.5 * (self.high - self.low))

    def to_siemens(self, weight: Any) -> Any:
        """Return the conductance in siemens of a normalised weight (number or array)."""
        return 0.5 * (self.low + self.high) + weight * (0.5 * (self.high - self.low))
