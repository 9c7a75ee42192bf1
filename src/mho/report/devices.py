"""The devices of a run: which there are, and their figures."""

from __future__ import annotations

from dataclasses import dataclass

from mho.characterize import characterize
from mho.characterize.subject import chips_of
from mho.config import AnalogConfig
from mho.devices import Device
from mho.report.device_figures import response_figure, steps_figure
from mho.report.figure import Figure

MOST = 4
"""Different devices of a run that are shown."""


@dataclass(frozen=True)
class Used:
    """A device, the layers that use it, and as what: the path of its setting."""

    device: Device
    layers: tuple[str, ...]
    path: str


def devices_used(config: AnalogConfig, layers: list[str]) -> list[Used]:
    """Return the different devices of a run, those of the first layers first."""
    found: dict[tuple[str, Device], list[str]] = {}
    for name in layers:
        for path, device in config.for_layer(name).devices():
            found.setdefault((path, device), []).append(name)
    return [Used(device, tuple(names), path) for (path, device), names in found.items()]


def device_figures(used: Used, number: int, seed: int, chips: tuple[int, ...]) -> list[Figure]:
    """Return response and steps of one device: of all chips where its parameters differ, else of one."""
    ids = chips if chips_of(used.device) > 1 else chips[:1]
    found = characterize(used.device, devices=200 if len(ids) == 1 else 64, seed=seed, chips=ids)
    return [response_figure(found, number), steps_figure(found, number)]
