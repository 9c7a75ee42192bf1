"""What makes one weight of an array: how many devices, in pairs or not, and against which reference they are read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from mho.devices.base import Device, MeanDraw, over_chips, taken
from mho.devices.constant_step import ConstantStep
from mho.devices.spread import PerChip, Spread, numbers, per_chip, spread
from mho.errors import ConfigError, SettingsError

Combine = Literal["average", "sum"]
Pulsed = Literal["all", "random", "turn"]
Pair = Literal["none", "differential", "one-sided"]
Reference = Literal["none", "device", "column"]
CHOICES = {
    "combine": Combine.__args__, "pulsed": Pulsed.__args__, "pair": Pair.__args__,  # type: ignore[attr-defined]
    "reference": Reference.__args__,  # type: ignore[attr-defined]
}  # fmt: skip


@dataclass(frozen=True)
class Refresh:
    """When pairs of devices that pulses can only raise are reset and their difference is written back.

    every: optimizer steps between two checks. above: share of its range above which the larger side of a pair makes
    the refresh due. write: "ideal", or "pulses" that raise the larger side until it holds the difference.
    Raises ConfigError for other values.
    """

    every: int = 1000
    above: PerChip = 0.75
    write: Literal["ideal", "pulses"] = "pulses"

    def __post_init__(self) -> None:
        object.__setattr__(self, "above", per_chip(self.above))
        wrong = []
        if not (isinstance(self.every, int) and self.every >= 1):
            wrong.append(("every", f"is a number of optimizer steps from 1, found {self.every}"))
        if any(not 0 < v <= 1 for v in numbers(self.above)):
            wrong.append(("above", f"is a share of the range, above 0 and at most 1, found {self.above}"))
        if self.write not in ("ideal", "pulses"):
            wrong.append(("write", f"is ideal or pulses, found {self.write!r}"))
        if wrong:
            raise SettingsError(wrong)


@dataclass(frozen=True)
class Cell:
    """What makes one weight: w = sum over devices k of gain_k (g_k - ref_k).

    devices: devices (or pairs) of equal significance; `combine` says whether the weight is their average or sum,
        `pulsed` whether a sample pulses all of them, one at random, or one in turn.
    pair: "none"; "differential", two devices g+ - g-, a pulse moves both sides, in opposite directions; "one-sided",
        two devices that pulses can only raise: what raises the weight raises g+, what lowers it raises g-.
    minus: the device of the minus side where its law or parameters differ, else as the plus side.
    reference: "none", "device" (each device is read against a reference of its own) or "column" (all devices of a row
        are read against one shared reference); `reference_value`: what it holds, drawn with its spread, never pulsed.
    refresh: of one-sided pairs, when they are reset and written back; None: never.
    Raises ConfigError, with everything that is wrong.
    """

    devices: int = 1
    combine: Combine = "average"
    pulsed: Pulsed = "all"
    pair: Pair = "none"
    minus: Device | None = None
    reference: Reference = "none"
    reference_value: Spread = Spread(0.0)
    refresh: Refresh | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "reference_value", spread(self.reference_value).named("reference_value"))
        wrong = []
        if not (isinstance(self.devices, int) and self.devices >= 1):
            wrong.append(("devices", f"must be a whole number of at least 1, found {self.devices}"))
        wrong += [
            (key, f"is one of {', '.join(allowed)}, found {getattr(self, key)!r}")
            for key, allowed in CHOICES.items()
            if getattr(self, key) not in allowed
        ]
        if self.minus is not None and self.pair == "none":
            wrong.append(
                ("minus", 'is a device of the minus side of a pair, but pair is "none"; give pair = "one-sided"')
            )
        if self.refresh is not None and self.pair != "one-sided":
            wrong.append(
                ("refresh", f'is for pairs that pulses can only raise, but pair is "{self.pair}"; leave refresh out')
            )
        if self.reference == "none" and any(numbers(self.reference_value.mean)):
            wrong.append(("reference_value", 'has no use with reference = "none"; give reference = "column"'))
        if wrong:
            raise SettingsError(wrong)

    @property
    def gain(self) -> float:
        """What a device's conductance is multiplied by in the weight, less its sign."""
        return 1.0 / self.devices if self.combine == "average" else 1.0

    def problems(self, device: Device) -> Iterator[tuple[str, str]]:
        """Yield (setting, what is wrong) where the devices cannot be used in such a cell."""
        sides = {"device": device} | ({"minus": self.minus} if self.minus is not None else {})
        for name, one in sides.items():
            law = type(one).__name__
            if one.unipolar and self.pair != "one-sided":
                yield (
                    "pair",
                    f'is "{self.pair}", but pulses can only raise the {name} {law}, so no weight could ever fall; '
                    'give cell.pair = "one-sided", two devices whose difference is the weight',
                )
            if self.pair == "one-sided" and not one.unipolar:
                yield (
                    "pair",
                    f'is "one-sided", which would pulse the {name} {law} upwards only, but its pulses also lower it; '
                    'give cell.pair = "differential", or a device that pulses can only raise',
                )

    def lengths(self) -> Iterator[tuple[str, int]]:
        """Yield the name and length of every list over chips of the cell itself."""
        if self.refresh is not None and isinstance(self.refresh.above, tuple):
            yield "refresh.above", len(self.refresh.above)


@dataclass(frozen=True)
class ArraySettings:
    """An array of weights beside the main one: its device and what makes one of its weights.

    Raises ConfigError where the two do not go together.
    """

    device: Device = field(default_factory=ConstantStep)
    cell: Cell = field(default_factory=Cell)

    def __post_init__(self) -> None:
        if not isinstance(self.device, Device) or not isinstance(self.cell, Cell):
            raise ConfigError(f"an array has a device and a cell, found {self.device!r} and {self.cell!r}")
        wrong = [(f"cell.{name}", text) for name, text in self.cell.problems(self.device)]
        if wrong:
            raise SettingsError(wrong)


def mean_reach(settings: ArraySettings, chips: int) -> np.ndarray:
    """Return per chip the largest weight of either sign that the mean cell shows, float64; 1 without bounds.

    Raises ConfigError where lists over chips have another length.
    """
    device, cell = settings.device, settings.cell
    whole, sides = cell.gain * cell.devices, [device, *([cell.minus] if cell.minus is not None else [])]
    ends = [_bounds(one, chips) for one in sides]
    if any(end is None for end in ends):
        return np.ones(chips)
    low, high = np.mean([end for end in ends if end is not None], axis=0)
    if cell.pair == "one-sided":
        return np.asarray(whole * high)
    if cell.reference != "none":
        zero = over_chips(cell.reference_value.mean, chips, "reference_value").reshape(-1)
        low, high = low - zero, high - zero
    return np.asarray(np.minimum(-low, high) * whole * (2.0 if cell.pair == "differential" else 1.0))


def _bounds(device: Device, chips: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Return lowest and highest state of the mean device on every chip; None for a law without `bottom` and `top`."""
    given = device.cells(MeanDraw(chips))
    if "top" not in given or not (device.unipolar or "bottom" in given):
        return None
    low = 0.0 if device.unipolar else given["bottom"]
    ends = (np.broadcast_to(taken(end, chips, "bounds").reshape(-1), chips) for end in (low, given["top"]))
    bottom, top = (end.astype(np.float64) for end in ends)
    return bottom, top
