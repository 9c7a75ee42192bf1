"""Which properties a configuration has, and why some configurations have none to be told apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from mho.ablation.device import Entry, device_properties
from mho.ablation.periphery import periphery_properties
from mho.ablation.property import Found, Property
from mho.config import AnalogConfig, RunConfig
from mho.config.analog import SECTIONS, lists_over_chips
from mho.devices import Device
from mho.errors import ConfigError, nearest

KEPT = "mapping."
"""Settings of single layers that may differ: nothing of the mapping is turned off."""


def find(analog: AnalogConfig, *, apart: bool = False, only: Sequence[str] | None = None) -> Found:
    """Return the properties that are on in a configuration.

    apart: those of the periphery for forward and backward products one by one. only: the names of those whose costs
    are wanted. Raises ConfigError for lists over chips, for layers with a device, periphery or update of their own, for
    unknown names, and where nothing is on.
    """
    _refuse_lists(analog)
    _refuse_layers(analog)
    entries = list(_entries(analog, apart))
    found = [e for e in entries if isinstance(e, Property)]
    inseparable = [e for e in entries if not isinstance(e, Property)]
    if not found:
        stuck = "".join(f"; {name}: {why}" for name, why in inseparable)
        raise ConfigError(
            "there is nothing to ablate: no property is on that could be turned off, as in the preset 'ideal'"
            f"{stuck}. Give a configuration with a device that is pulsed, or with products that are not ideal"
        )
    known = [p.name for p in found]
    if unknown := [f"{name!r} ({nearest(name, known)})" for name in only or () if name not in known]:
        raise ConfigError(f"no such property is on: {'; '.join(unknown)}; --list shows those that are")
    return Found(tuple(found), tuple(known if only is None else only), tuple(inseparable))


def _entries(analog: AnalogConfig, apart: bool) -> Iterator[Entry]:
    update = analog.update
    if update.trains in ("stochastic", "deterministic"):
        about = f"{update.trains} trains of {'up to ' if update.bl_management else ''}{update.bl} slots, dw = "
        yield Property("granularity", about + f"{float(analog.device.granularity()[0]):.3g}", _smooth)
    yield from device_properties(analog.device, update.ideal)
    yield from periphery_properties(analog, apart)


def _smooth(analog: AnalogConfig) -> AnalogConfig:
    return replace(analog, update=replace(analog.update, trains="mean"))


def refuse_lists(config: RunConfig) -> None:
    """Raise ConfigError for lists over chips in a run, for chips are the arms of an ablation."""
    wrong = ["lr"] if isinstance(config.lr, tuple) else []
    if config.zero_shift is not None:
        wrong += [f"zero_shift.{name}" for name, _ in config.zero_shift.wrong_lengths(-1)]
    _refuse(wrong)
    _refuse_lists(config.analog)


def _refuse_lists(analog: AnalogConfig) -> None:
    wrong = [path for name in SECTIONS for path, _ in lists_over_chips(getattr(analog, name), name)]
    tables = [f.name for f in fields(analog.device) if _per_chip_table(analog.device, f.name)]
    _refuse(wrong + [f"device.{name}" for name in tables])


def _per_chip_table(device: Device, name: str) -> bool:
    value: Any = getattr(device, name)
    return name in device._tables() and np.ndim(value) == 2


def _refuse(paths: list[str]) -> None:
    if paths:
        raise ConfigError(
            f"{', '.join(paths)}: a list over chips, but in an ablation every chip is an arm with properties of its "
            "own; give one value, as --set PATH=VALUE, and ablate each value in a run of its own"
        )


def _refuse_layers(analog: AnalogConfig) -> None:
    wrong = [
        f'layers."{pattern}".{path}' for pattern, changes in analog.layers
        for path, _ in changes if not path.startswith(KEPT)
    ]  # fmt: skip
    if wrong:
        raise ConfigError(
            f"{', '.join(wrong)}: an ablation turns a property off in all layers, but these have settings of their "
            "own, which would stay; leave the exceptions out (those of the mapping may stay)"
        )
