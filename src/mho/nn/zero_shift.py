"""Zero-shifting of a model: every device is read against its own symmetry point; and the report of how it went."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from mho.devices.spread import PerChip
from mho.errors import ConfigError
from mho.nn.layer import AnalogLayer, analog_layers
from mho.update.shift_settings import Method, ZeroShift, listed, unshiftable
from mho.update.zero_shift import TileShift, shift_tile_

COLUMNS = (
    ("pulses / device", "pulses", "{:.0f}"),
    ("residual", "residual", "{:+.5f}"),
    ("spread", "spread", "{:.5f}"),
    ("in steps", "residual_steps", "{:+.2f}"),
    ("spread in steps", "spread_steps", "{:.2f}"),
    ("no symmetry point %", "missing", "{:.3f}"),
    ("clipped %", "clipped", "{:.3f}"),
    ("not reached %", "unreached", "{:.3f}"),
    ("range below", "low", "{:+.3f}"),
    ("range above", "high", "{:+.3f}"),
)
"""Heads, fields and formats of the table of a report."""
OF_POINTS = ("residual", "spread", "residual_steps", "spread_steps")
"""Fields that compare with symmetry points: they say nothing where no device has one."""


@dataclass(frozen=True)
class LayerShift:
    """How the devices of one layer were shifted; every field but the name is a tuple of one value per chip.

    method: as set. pulses: mean per device, calibration and writing. residual, spread: mean and standard deviation over
    devices of reference - exact symmetry point, in weight units of one device; residual_steps, spread_steps: the same
    in mean steps at w = 0; all four are 0 where no device has a symmetry point. missing: percent of the devices
    without a symmetry point inside their range. clipped: percent of the devices whose weight, written back, was
    clipped; unreached: percent that writing by pulses left off their target. low, high: mean range left below and
    above the reference (None for a law without bounds).
    """

    name: str
    method: tuple[Method, ...]
    pulses: tuple[float, ...]
    residual: tuple[float, ...]
    spread: tuple[float, ...]
    residual_steps: tuple[float, ...]
    spread_steps: tuple[float, ...]
    missing: tuple[float, ...]
    clipped: tuple[float, ...]
    unreached: tuple[float, ...]
    low: tuple[float, ...] | None
    high: tuple[float, ...] | None


@dataclass(frozen=True)
class ShiftReport:
    """What `mho.zero_shift` did to every analog layer; prints as a table of means over the chips of each method."""

    layers: tuple[LayerShift, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the layers by name, as plain values."""
        return {layer.name: {k: v for k, v in asdict(layer).items() if k != "name"} for layer in self.layers}

    def __str__(self) -> str:
        rows = [["layer", "method", "chips", *(head for head, _, _ in COLUMNS)], *self._rows()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join("  ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)) for row in rows)

    def _rows(self) -> Iterator[list[str]]:
        for layer in self.layers:
            for method in dict.fromkeys(layer.method):
                chips = [k for k, m in enumerate(layer.method) if m == method]
                row = [layer.name, method, str(len(chips))]
                pointless = all(layer.missing[k] == 100 for k in chips)
                for _, field, text in COLUMNS:
                    values = getattr(layer, field)
                    nothing = values is None or method == "none" or (pointless and field in OF_POINTS)
                    row.append("-" if nothing else text.format(fmean(values[k] for k in chips)))
                yield row


def zero_shift(
    model: nn.Module, *, method: Method | tuple[Method, ...] = "pulses", pulses: int | tuple[int, ...] = 2000,
    read_noise: PerChip = 0.0, copy_error: PerChip = 0.0, write: Literal["ideal", "pulses"] = "ideal",
    force: bool = False,
) -> ShiftReport:  # fmt: skip
    """Make the symmetry point of every device of a model its zero, and write the weights of before back.

    Every device gets `pulses` alternating up and down pulses (ending with a down pulse), which drive it to its
    symmetry point w*; its conductance, as read, is copied to a reference device, and from then on the weight is the
    difference of the two. Weights are then written into what is left of each device's range, [w_min - w*, w_max - w*].
    Arguments as in `mho.update.ZeroShift`; lists are one per chip. Biases in the digital part, optimizers and scales
    are left as they are; the references are part of `state_dict`.

    Call it before training, on converted models with their initial weights: the update of a weight follows the
    asymmetry of its device around the reference, and a network of all-zero weights could not learn.

    Raises ConfigError for other values, a model without analog layers, a layer whose update moves no device by pulses
    (trains = "ideal"), and devices whose range is stated around the symmetry point already, unless `force` is given.
    Source: Kim et al., arXiv 1907.10228 (2019).
    """
    settings = ZeroShift(method, pulses, read_noise, copy_error, write, force)
    layers = shiftable(model, settings)
    return ShiftReport(tuple(_shift(layer, settings) for layer in layers))


def make_room(model: nn.Module, settings: ZeroShift) -> None:
    """Check what `zero_shift` checks, and give every tile references of 0, so that a shifted checkpoint fits."""
    for layer in shiftable(model, settings):
        for tile in layer.analog_tiles():
            tile.set_reference_(torch.zeros_like(tile.state))


def shiftable(model: nn.Module, settings: ZeroShift) -> list[AnalogLayer]:
    """Return the analog layers of a model; raise ConfigError when one cannot be shifted as asked, or there is none."""
    layers = analog_layers(model) if isinstance(model, nn.Module) else []
    if not layers:
        raise ConfigError(
            f"zero_shift was asked for on a {type(model).__name__} without analog layers: there are no devices to "
            "shift; convert it first with mho.convert_to_analog"
        )
    for layer in layers:
        _check(layer, settings)
    return layers


def _check(layer: AnalogLayer, settings: ZeroShift) -> None:
    """Raise ConfigError for a layer that cannot be shifted as asked."""
    chips = settings.on_chips(len(layer.chips))
    trains = listed(layer.config.update.trains)
    ideal = [c.method != "none" and trains[k if len(trains) > 1 else 0] == "ideal" for k, c in enumerate(chips)]
    if any(ideal):
        raise ConfigError(
            f'layer {layer.name!r} has update.trains = "ideal": its weights move without pulses, so there is no '
            'asymmetry to shift away; use stochastic trains, or method "none" on such chips'
        )
    if not settings.shifts:
        return
    for array in layer.analog_arrays():
        if why := unshiftable(array.cell):
            raise ConfigError(
                f"layer {layer.name!r}: zero_shift was asked for, but its array {array.place.name!r} {why}"
            )
        device = array.settings.device
        if device.shifted and not settings.force:
            raise ConfigError(
                f"layer {layer.name!r} is made of {type(device).__name__} with shifted = true: its range is stated "
                "around the symmetry point already, and shifting it again would count the reference twice; leave "
                "zero_shift out, or give force=True"
            )


def _shift(layer: AnalogLayer, settings: ZeroShift) -> LayerShift:
    """Shift the tiles of one layer."""
    found = [shift_tile_(tile, settings) for tile in layer.analog_tiles()]
    for block in layer.analog_blocks():
        block.show_()
    report = _gathered(layer, found, settings)
    layer.clipped = [
        share / 100 if method != "none" else before
        for share, method, before in zip(report.clipped, report.method, layer.clipped, strict=True)
    ]
    return report


def _gathered(layer: AnalogLayer, tiles: list[TileShift], settings: ZeroShift) -> LayerShift:
    """Return means over all devices of a layer."""
    devices = sum(tile.devices for tile in tiles)

    def total(name: str) -> np.ndarray:
        return np.asarray(sum(getattr(tile, name) for tile in tiles))

    counted = np.maximum(total("counted"), 1)
    residual = total("residual") / counted
    spread = np.sqrt(np.maximum(total("square") / counted - residual**2, 0))
    step = layer.config.device.granularity(len(layer.chips))
    pulses = np.sum([tile.pulses * tile.devices for tile in tiles], axis=0) / devices
    low, high = (total(name) / devices for name in ("low", "high"))
    bounded = bool(np.isfinite(low).all())
    percent = {name: tuple((100 * total(name) / devices).tolist()) for name in ("missing", "clipped", "unreached")}
    return LayerShift(
        layer.name, tuple(c.method for c in settings.on_chips(len(layer.chips))), tuple(pulses.tolist()),
        residual=tuple(residual.tolist()), spread=tuple(spread.tolist()),
        residual_steps=tuple((residual / step).tolist()), spread_steps=tuple((spread / step).tolist()),
        low=tuple(low.tolist()) if bounded else None, high=tuple(high.tolist()) if bounded else None, **percent,
    )  # fmt: skip
