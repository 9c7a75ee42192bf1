"""What stands between numbers and an array: converters, noise, noise management and bound management."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Literal

from mho.devices.spread import PerChip, numbers, per_chip
from mho.errors import ConfigError

Bits = int | None | tuple[int | None, ...]
"""Bits of a converter: a number, None for an exact one, or a list of one per chip."""

NoiseManagement = Literal["none", "max-abs", "constant", "running-max"]
BoundManagement = Literal["none", "iterative", "worst-case"]


@dataclass(frozen=True)
class Periphery:
    """One analog product, forward or backward; every number (but `momentum`) may be a list of one per chip.

    Per vector and tile: scale s (noise management); clip x/s to +-input_range; DAC; input noise; product with W;
    read noise of the weights and output noise; clip to +-output_bound; ADC; multiply by s. n bits make 2^n - 2 steps
    over the whole range, zero is a level; `None` bits convert exactly and a bound of `None` never clips.

    ideal: the exact product; everything else is ignored.
    noise_management: "none" (s = 1), "max-abs" (s = max abs(x)), "constant" (s = `scale`), "running-max" (s = running
        mean of max abs(x) over calls, kept per chip).
    bound_management: "none"; "iterative": a vector any of whose outputs reaches the bound is repeated with s doubled
        and fresh noise, at most 10 times; "worst-case": repeated once with the scale at which no output can saturate.
    Units: of x/s, input_range and input_noise; of W, weight_noise; of W x/s, output_noise and output_bound. Noises are
    standard deviations. Defaults are those of IBM aihwkit's `IOParameters`. Raises ConfigError, with everything that
    is wrong.
    """

    ideal: bool = False
    noise_management: NoiseManagement = "max-abs"
    scale: PerChip = 1.0
    momentum: float = 0.9
    bound_management: BoundManagement = "iterative"
    input_range: PerChip = 1.0
    dac_bits: Bits = 7
    dac_stochastic: bool = False
    input_noise: PerChip = 0.0
    weight_noise: PerChip = 0.0
    output_noise: PerChip = 0.06
    output_bound: PerChip | None = 12.0
    adc_bits: Bits = 9
    adc_stochastic: bool = False

    def __post_init__(self) -> None:
        for key in ("scale", "input_range", "input_noise", "weight_noise", "output_noise", "output_bound"):
            if getattr(self, key) is not None or key != "output_bound":
                object.__setattr__(self, key, per_chip(getattr(self, key)))
        for key in ("dac_bits", "adc_bits"):
            if isinstance(value := getattr(self, key), (list, tuple)):
                object.__setattr__(self, key, tuple(None if bits == "none" else bits for bits in value))
        problems = list(self._problems())
        if problems:
            raise ConfigError("; ".join(problems))

    def _problems(self) -> list[str]:
        found = []
        for key in ("scale", "input_range", "output_bound"):
            value = getattr(self, key)
            if value is not None and any(not 0 < v < math.inf for v in numbers(value)):
                found.append(f"{key} must be finite and above 0, found {value}")
        found += [
            f"{key} is a standard deviation and cannot be negative, found {getattr(self, key)}"
            for key in ("input_noise", "weight_noise", "output_noise")
            if any(not 0 <= v < math.inf for v in numbers(getattr(self, key)))
        ]
        for key in ("dac_bits", "adc_bits"):
            given = bits_of(getattr(self, key))
            if not given or any(b is not None and not (isinstance(b, int) and 2 <= b <= 20) for b in given):
                found.append(
                    f"{key} must be from 2 to 20, or none for an exact converter, or a list of one per chip, "
                    f"found {getattr(self, key)}"
                )
        if not 0 <= self.momentum < 1:
            found.append(f"momentum must be from 0 to below 1, found {self.momentum}")
        if set(bits_of(self.adc_bits)) != {None} and self.output_bound is None:
            found.append("adc_bits needs an output_bound, the range that its steps divide; give one or adc_bits = none")
        for key, choices in (("noise_management", NoiseManagement), ("bound_management", BoundManagement)):
            allowed = choices.__args__  # type: ignore[attr-defined]
            if getattr(self, key) not in allowed:
                found.append(f"{key} is one of {', '.join(allowed)}, found {getattr(self, key)!r}")
        return found

    def __repr__(self) -> str:
        changed = [f"{f.name}={getattr(self, f.name)!r}" for f in fields(self) if getattr(self, f.name) != f.default]
        return f"Periphery({', '.join(changed)})"


def bits_of(value: Bits) -> tuple[int | None, ...]:
    """Return the bits over chips as a tuple (of one, when all chips share them)."""
    return value if isinstance(value, tuple) else (value,)


MAX_REPEATS = 10
"""How often iterative bound management repeats a product at most."""
