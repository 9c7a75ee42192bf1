"""MSP/LSP: a weight of two significances, the small one trained by every sample, the large one written now and then."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mho.devices.base import Device
from mho.devices.capacitor import Capacitor
from mho.devices.spread import PerChip, Spread, numbers, per_chip
from mho.errors import ConfigError, SettingsError, nearest
from mho.tiles.cell import ArraySettings, Cell, mean_reach
from mho.update.program_settings import Program
from mho.update.rule import Making, Rule
from mho.update.settings import Update

if TYPE_CHECKING:
    from mho.update.learner import Learner

Unit = Literal["sample", "batch"]
Select = Literal["all", "saturated", "threshold", "half-rows", "half-columns"]
CHOICES: dict[str, tuple[str, ...]] = {
    "unit": ("sample", "batch"),
    "select": ("all", "saturated", "threshold", "half-rows", "half-columns"),
    "residual": ("drop", "lsp"),
}


def capacitor_cell() -> ArraySettings:
    """Return the default LSP: a capacitor, read against one shared reference per row."""
    return ArraySettings(Capacitor(), Cell(reference="column"))


@dataclass(frozen=True)
class MspLsp(Rule):
    """Multiple conductances of varying significance: W = F (G+ - G-) + s (g+ - g-), s = +-1.

    The LSP (g) gets the pulses of every sample, with errors times s. At a transfer both arrays are read, W as read; the
    MSP (G, the layer's own device and cell) is tuned by program and verify until F (G+ - G-) = W; the LSP is reset.

    gain: F. every, unit: from transfer to transfer, in samples (images, in a convolution too) or batches, which are
        optimizer steps. A transfer takes place at the end of the optimizer step in which it falls due, once at most.
    select: which weights a transfer writes (the others keep both parts): "all"; "saturated", where the LSP as read is
        above the share `above` of its reach; "threshold", where it is above `above` in weight units; "half-rows",
        "half-columns": the first and the second half in turn.
    polarity_inversion: s changes its sign at a transfer, so that what LSP devices always do wrong averages out. With
        halves each half has its own s.
    residual: "drop" leaves W - F (G+ - G-) of the tuning behind; "lsp" puts it into the LSP by open-loop pulses, as
        the last readings found it (or exactly, where the layer's update is "ideal").
    reset_noise: standard deviation of what a reset leaves on an LSP device, in units of its conductance.
    program: how the MSP is tuned; its `read_noise` is that of all readings. lsp: the device and cell of the LSP.
    `gain`, `above`, `reset_noise` may be lists of one per chip. Raises ConfigError for other values.
    Source: Ambrogio et al., Nature 558:60 (2018); Cristiano et al., J. Appl. Phys. 124 (2018). F = 3 and 8,000 images
    are recalled of the first, not read there; what "saturated" and "threshold" compare is our choice.
    """

    gain: PerChip = 3.0
    every: int = 8000
    unit: Unit = "sample"
    select: Select = "all"
    above: PerChip = 0.5
    polarity_inversion: bool = True
    residual: Literal["drop", "lsp"] = "drop"
    reset_noise: PerChip = 0.0
    program: Program = field(default_factory=Program)
    lsp: ArraySettings = field(default_factory=capacitor_cell)

    def __post_init__(self) -> None:
        for name in ("gain", "above", "reset_noise"):
            object.__setattr__(self, name, per_chip(getattr(self, name)))
        if wrong := list(self._wrong()):
            raise SettingsError(wrong)

    def _wrong(self) -> Iterator[tuple[str, str]]:
        if any(not 0 < v < math.inf for v in numbers(self.gain)):
            yield "gain", f"F must be above 0 and finite, or no weight is held by the MSP, found {self.gain}; give 3"
        if not isinstance(self.every, int) or isinstance(self.every, bool) or self.every < 1:
            yield (
                "every",
                f"is a number of {self.unit}s from 1, found {self.every!r}; give 1 to transfer at every step",
            )
        for name, allowed in CHOICES.items():
            value: Any = getattr(self, name)
            if value not in allowed:
                yield name, f"is one of {', '.join(allowed)}, found {value!r}; {nearest(str(value), allowed)}"
        for name in ("above", "reset_noise"):
            if any(not 0 <= v < math.inf for v in numbers(getattr(self, name))):
                yield name, f"cannot be negative or infinite, found {getattr(self, name)}"
        if self.select in ("saturated", "threshold") and self.polarity_inversion:
            yield (
                "polarity_inversion",
                f'is true, but with select = "{self.select}" some weights keep their LSP, whose sign a whole row or '
                'array shares; give polarity_inversion = false, or select = "all", "half-rows" or "half-columns"',
            )

    def problems(self, device: Device, cell: Cell, update: Update) -> Iterator[tuple[str, str]]:
        """Yield a gain F with which weights are unreachable: between two steps of the MSP, or beyond its range."""
        if list(cell.problems(device)):
            return  # told by the cell
        gain = np.asarray(numbers(self.gain), np.float64)
        chips = max(len(gain), _listed(device), _listed(self.lsp.device))
        try:
            step = device.granularity(chips) * cell.gain
            span, held = (mean_reach(one, chips) for one in (self.lsp, ArraySettings(device, cell)))
        except ConfigError:  # lists of different lengths, which are told elsewhere
            return
        told = ", ".join(f"{g:g}" for g in gain)
        if (gain * step > 2 * span).any():
            yield (
                "gain",
                f"F = {told} makes weights unreachable: a step of the MSP is {np.max(gain * step):.3g} of a "
                f"weight, and the LSP spans {2 * np.min(span):.3g}; give F of at most {np.min(2 * span / step):.3g}, "
                "an MSP with smaller steps or an LSP with a wider range",
            )
        if (gain * held < 0.5 * span).any():
            yield (
                "gain",
                f"F = {told} makes weights unreachable: the MSP holds up to {np.min(gain * held):.3g}, and the "
                f"LSP, whose weights it must take at a transfer, {np.max(span):.3g}; give F of at least "
                f"{np.max(span / held):.3g}, or an LSP with a narrower range",
            )

    def learner(self, making: Making) -> Learner:
        """Return the learner of one block."""
        from mho.update.msp_lsp_learner import MspLspLearner  # configurations are read without torch

        return MspLspLearner(self, making)


def _listed(device: Device) -> int:
    """Return the length of the longest list over chips among the settings of a device that say where it ends."""
    held = [getattr(device, f.name) for f in fields(device)]
    means = [v.mean for v in held if isinstance(v, Spread)]
    return max((len(numbers(mean)) for mean in means), default=1)
