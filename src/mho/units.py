"""Physical units at the boundary: siemens to normalised weights and back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from mho.errors import ConfigError


@dataclass(frozen=True)
class Window:
    """The conductances, in siemens, that a device has at the normalised weights -1 and +1, or at 0 and +1.

    G(w) = (low + high)/2 + w (high - low)/2,   with `from_zero`: G(w) = low + w (high - low)

    `from_zero` is for unipolar devices, whose states begin at 0, their reset; such a device sets it itself. The
    simulation itself knows weights only; a window keeps what they mean, from a measurement to plots and reports.
    Raises ConfigError unless both are finite and not negative and low < high.
    """

    low: float
    high: float
    from_zero: bool = False

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            value = getattr(self, name)
            try:
                object.__setattr__(self, name, float(value))
            except (TypeError, ValueError):
                raise ConfigError(f"window.{name} is a conductance in siemens, found {value!r}") from None
        if not (math.isfinite(self.low) and math.isfinite(self.high) and 0 <= self.low < self.high):
            raise ConfigError(
                f"a window goes from the conductance at w = {self.first} up to that at w = +1, in siemens, found low = "
                f"{self.low:g} and high = {self.high:g}; give 0 <= low < high"
            )

    @property
    def first(self) -> int:
        """Return the weight at which the conductance is `low`."""
        return 0 if self.from_zero else -1

    @property
    def per_weight(self) -> float:
        """Return the change of conductance, in siemens, of a change of the weight by 1."""
        return (self.high - self.low) / (1 - self.first)

    @property
    def zero(self) -> float:
        """Return the conductance in siemens at the weight 0."""
        return self.low if self.from_zero else 0.5 * (self.low + self.high)

    def to_weight(self, siemens: Any) -> Any:
        """Return the normalised weight of a conductance (number or array) in siemens."""
        return (siemens - self.zero) / self.per_weight

    def to_siemens(self, weight: Any) -> Any:
        """Return the conductance in siemens of a normalised weight (number or array)."""
        return self.zero + weight * self.per_weight
