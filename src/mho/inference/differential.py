"""Bits in resistive memory: read from one device against a threshold, or from two against each other (2T2R).

A bit's device is in the low-resistance state (LRS) for 1 and in the high-resistance state (HRS) for 0; the second
device of a differential cell holds the opposite. A precharge sense amplifier discharges two branches and latches which
one was faster: the sign of the difference of two ln R, plus its offset. With Gaussian ln R, both error rates are Phi's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from mho.errors import ConfigError, ShapeError
from mho.kernels.product import normals
from mho.tiles.draw import TileDraw


@dataclass(frozen=True)
class TwoStates:
    r"""Log-normal resistances of the two states of a device, and what else a reading depends on.

    ln R ~ N(ln low, low_sigma^2) in the LRS, N(ln high, high_sigma^2) in the HRS.

    low, high: medians, in ohm. low_sigma, high_sigma: standard deviations of ln R, drawn anew at every write. offset:
    standard deviation of the sense amplifiers' offsets, in ln R, drawn once for each column. chip_sigma: standard
    deviation over chips of a shift of ln R that all devices of a chip share, in both states, as a temperature or a
    wafer's mean gives it: a threshold that is the same for all chips does not follow it. Raises ConfigError.
    """

    low: float = 5e3
    high: float = 1e5
    low_sigma: float = 0.35
    high_sigma: float = 0.7
    offset: float = 0.05
    chip_sigma: float = 0.0

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            if not (isinstance(value, (int, float)) and math.isfinite(value) and value >= 0):
                raise ConfigError(f"{f.name} is a finite number, not negative, found {value!r}")
        if not 0 < self.low < self.high:
            raise ConfigError(
                f"the medians low = {self.low:g} and high = {self.high:g} ohm were given, but the low-resistance state "
                "is the one of less resistance; give 0 < low < high"
            )

    @property
    def window(self) -> float:
        """The distance of the states' medians in ln R."""
        return math.log(self.high / self.low)

    def _widths(self) -> tuple[float, float]:
        """Return the standard deviations of ln R + offset + shift in both states, as a fixed threshold sees them."""
        common = self.offset**2 + self.chip_sigma**2
        return math.sqrt(self.low_sigma**2 + common), math.sqrt(self.high_sigma**2 + common)

    def single_errors(self, threshold: float | None = None) -> tuple[float, float]:
        """Return the error rates of a 1 and of a 0 that are read from one device against a threshold in ohm.

        Phi((ln low - ln T) / s_low) and Phi((ln T - ln high) / s_high), s^2 = sigma^2 + offset^2 + chip_sigma^2, in the
        mean over chips; `threshold`: T, or None for `best_threshold`.
        """
        t = math.log(self.best_threshold() if threshold is None else threshold)
        low, high = self._widths()
        return _phi(math.log(self.low) - t, low), _phi(t - math.log(self.high), high)

    def single_error(self, threshold: float | None = None) -> float:
        """Return the bit error rate of reading single devices, ones and zeros being as frequent."""
        return sum(self.single_errors(threshold)) / 2

    def differential_error(self) -> float:
        """Return the bit error rate of comparing two devices: Phi(-ln(high / low) / s), s^2 of both states and offset.

        The shift of a chip falls out.
        """
        return _phi(-self.window, math.sqrt(self.low_sigma**2 + self.high_sigma**2 + self.offset**2))

    def best_threshold(self) -> float:
        """Return the threshold in ohm, between the medians, at which the error rate of single devices is least."""
        from scipy.optimize import minimize_scalar

        bounds = math.log(self.low), math.log(self.high)
        low, high = self._widths()
        found = minimize_scalar(
            lambda t: math.log(_phi(bounds[0] - t, low) + _phi(t - bounds[1], high) + 1e-300),
            bounds=bounds, method="bounded", options={"xatol": 1e-10},
        )  # fmt: skip
        return math.exp(found.x)

    def balanced_threshold(self) -> float:
        """Return the threshold in ohm at which ones and zeros err equally often: as many widths from both medians.

        Where the states' spreads differ it makes more errors than the best one, but they do not tilt sums of bits.
        """
        low, high = self._widths()
        share = 0.5 if low + high == 0 else low / (low + high)
        return math.exp(math.log(self.low) + share * self.window)


def _phi(distance: float, width: float) -> float:
    from scipy.special import ndtr

    if width == 0:
        return 0.5 * (1 + float(np.sign(distance)))
    return float(ndtr(distance / width))


@dataclass(frozen=True)
class Memory:
    """Where bits are kept: an array of devices with a name of its own on each chip of a run.

    Draws are keyed by (seed, chip, name), so chip k alone reads what it reads among others. write: the number of the
    write: each draws resistances anew; the sense amplifiers' offsets and the shifts of chips stay.
    """

    states: TwoStates
    seed: int
    chips: tuple[int, ...]
    name: str
    write: int = 0

    def log_resistances(self, bits: Tensor, purpose: str = "device") -> Tensor:
        """Return ln R of devices that were written with bits (rows, columns): (chips, rows, columns), R in ohm."""
        s, draw = self.states, self._draw(bits)
        keys = draw.keys(f"write {purpose}").to(bits.device)
        z = normals(keys, (len(self.chips), *bits.shape), self.write)
        median = torch.where(bits, math.log(s.low), math.log(s.high))
        shift = s.chip_sigma * self._shared("shift", 1, bits.device)
        return z * torch.where(bits, s.low_sigma, s.high_sigma) + median + shift

    def single(self, bits: Tensor, threshold: float | None = None) -> Tensor:
        """Return the bits, bool (chips, rows, columns), read from one device each against a threshold in ohm."""
        limit = math.log(self.states.best_threshold() if threshold is None else threshold)
        return self.log_resistances(bits) + self._offsets(bits) < limit

    def differential(self, bits: Tensor) -> Tensor:
        """Return the bits, bool (chips, rows, columns), read from two devices that hold the bit and its opposite."""
        second = self.log_resistances(~bits, "complement")
        return self.log_resistances(bits) + self._offsets(bits) < second

    def _offsets(self, bits: Tensor) -> Tensor:
        return self.states.offset * self._shared("sense amplifiers", bits.shape[1], bits.device)

    def _shared(self, purpose: str, size: int, device: torch.device) -> Tensor:
        """Return standard normal draws (chips, 1, size) that every write shares."""
        draw = TileDraw(self.seed, self.chips, self.name, (1, 1, size))
        return normals(draw.keys(purpose).to(device), (len(self.chips), 1, size))

    def _draw(self, bits: Tensor) -> TileDraw:
        if bits.dtype != torch.bool or bits.dim() != 2:
            raise ShapeError(
                f"memory {self.name!r} takes bits as a bool tensor (rows, columns), found {bits.dtype} "
                f"{tuple(bits.shape)}; call (signs > 0).flatten(1)"
            )
        return TileDraw(self.seed, self.chips, self.name, (1, *bits.shape))
