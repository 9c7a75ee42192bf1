"""The sweeps of the study requirements: what is swept, and what all else is meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mho.errors import ConfigError
from mho.studies.bench import BenchSettings
from mho.studies.kim_2019 import DEVICE
from mho.studies.kim_2019 import PRESET as PRESET_2019
from mho.sweep.settings import Grid, Sweep


@dataclass(frozen=True)
class Settings(BenchSettings):
    """Of the whole study.

    chips: of every point of a line; map_chips: of every point of a map; map_side: values along a side of a map (at
    most 6). map_threshold: the penalty of the border that is drawn in maps: soft bounds alone cost more than
    `threshold`, and where the properties of a map begin to matter would not be seen. max_chips: of one run. workers:
    processes that share the runs; 0: this one alone.
    """

    data: str = "mnist"
    network: str = "fcn"
    train_images: int | None = None
    epochs: int = 3
    batch_size: int = 10
    lr: float = 0.01
    chips: int = 3
    map_chips: int = 2
    map_side: int = 6
    threshold: float = 0.3
    map_threshold: float = 6.0
    max_chips: int = 64
    workers: int = 0

    def __post_init__(self) -> None:
        if not 2 <= self.map_side <= len(RATIOS):
            raise ConfigError(f"map_side must be from 2 to {len(RATIOS)}, found {self.map_side}")

    @property
    def run(self) -> dict[str, Any]:
        """What all runs are told."""
        names = ("data", "network", "train_images", "epochs", "batch_size", "lr")
        return {name: getattr(self, name) for name in names}


PRESET_2016 = "gokmen-vlasov-2016"
SIDES = ("forward", "backward")
ALONE = {
    "device.c2c": 0.0, "device.dw_min.d2d": 0.0, "device.up_down.d2d": 0.0, "device.w_max.d2d": 0.0,
    "device.w_min.d2d": 0.0, "mapping.count_pulses": False,
    **{f"{side}.{name}": value for side in SIDES for name, value in (
        ("output_noise", 0.0), ("output_bound", None), ("dac_bits", None), ("adc_bits", None))},
}  # fmt: skip
"""What is off where a property is looked at alone: left are steps of 0.001 between bounds of +-0.6, and BL 10."""


def both(name: str) -> str:
    """Return the axis on which the products forward and backward go in step."""
    return ", ".join(f"{side}.{name}" for side in SIDES)


def twice(*values: float) -> list[list[float]]:
    """Return the values of two fields in step."""
    return [[value, value] for value in values]


LINES: Mapping[str, Mapping[str, Any]] = {
    "step": {"device.dw_min": [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05]},
    "c2c": {"device.c2c": [0.3, 0.6, 1.0, 1.5, 2.0, 3.0]},
    "step d2d": {"device.dw_min.d2d": [0.3, 0.6, 0.8, 1.1, 1.5, 2.0]},
    "bounds": {"device.w_max, device.w_min": [[v, -v] for v in (0.1, 0.2, 0.3, 0.4, 0.6, 1.0)]},
    "bounds d2d": {"device.w_max.d2d, device.w_min.d2d": twice(0.1, 0.3, 0.5, 0.8, 1.1, 1.5)},
    "asymmetry": {"device.up_down": [1.0, 1.02, 1.05, 1.1, 1.2, 1.4]},
    "asymmetry d2d": {"device.up_down.d2d": [0.01, 0.02, 0.04, 0.06, 0.1, 0.2]},
    "noise": {both("output_noise"): twice(0.02, 0.06, 0.1, 0.15, 0.25, 0.5)},
    "output bound": {both("output_bound"): twice(1.0, 2.0, 3.0, 5.0, 8.0, 12.0)},
}
"""The properties whose tolerance is asked for, around the values of PAPERS 4.1, which are from memory."""

RATIOS = (1.0, 1.05, 1.1, 1.25, 1.5, 2.0)
STEPS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02)
CYCLE = (0.0, 0.3, 0.6, 1.0, 1.5, 2.5)
DEVICES = (0.0, 0.3, 0.6, 1.0, 1.5, 2.5)
MAPS: Mapping[str, Mapping[str, tuple[float, ...]]] = {
    "asymmetry x states": {"device.up_down": RATIOS, "device.dw_min": STEPS},
    "c2c x d2d": {"device.c2c": CYCLE, "device.dw_min.d2d": DEVICES},
}
"""Two properties at once, of the soft-bounds device of the study kim-2019."""
WAYS: Mapping[str, Mapping[str, Any]] = {
    "plain": {},
    "zero-shifted": {"zero_shift": {}},
    "Tiki-Taka": {"rule": {"name": "ttv2"}},
    "Tiki-Taka zero-shifted": {"rule": {"name": "ttv2"}, "zero_shift": {}},
}
"""How the maps' devices are trained; what is zero-shifted, where symmetry points are off zero."""


def lines(settings: Settings, *, alone: bool) -> Sweep:
    """Return the sweep of single properties, everything else ideal, or as the preset of 2016 states it."""
    return Sweep(
        grids=tuple(Grid(axes, name=name) for name, axes in LINES.items()),  # type: ignore[arg-type]
        settings={**settings.run, **(ALONE if alone else {"mapping.count_pulses": False})},
        name="single properties, " + ("alone" if alone else "beside the stated hardware"),
        preset=PRESET_2016, seeds=settings.chips, max_chips=settings.max_chips,
        baseline="digital" if alone else "start", threshold=settings.threshold,
    )  # fmt: skip


def a_map(settings: Settings, name: str, way: str) -> Sweep:
    """Return the sweep of two properties, trained in one way."""
    axes = {field: _spread(values, settings.map_side) for field, values in MAPS[name].items()}
    return Sweep(
        grids=(Grid(axes, name=f"{name}, {way}"),),  # type: ignore[arg-type]
        settings={**settings.run, **DEVICE, **WAYS[way], "mapping.count_pulses": False},
        name=f"{name}, {way}", preset=PRESET_2019, seeds=settings.map_chips, max_chips=settings.max_chips,
        threshold=settings.threshold,
    )  # fmt: skip


def _spread(values: tuple[float, ...], side: int) -> list[float]:
    """Return so many of the values, both ends among them."""
    return [values[round(k * (len(values) - 1) / (side - 1))] for k in range(side)]
