"""A property of the hardware: what a configuration has that an ideal one has not, and how it is turned off."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from mho.config import AnalogConfig
from mho.devices import Device

Change = Callable[[AnalogConfig], AnalogConfig]


@dataclass(frozen=True)
class Property:
    """One thing that may cost accuracy.

    name: what it is called in tables. about: what turning it off changes, with its numbers. off: returns the
    configuration without it. needs: the property without which it does nothing (the spread of the bounds needs bounds);
    on alone it stands with that one and is compared with it. alone: whether it can be on alone at all.
    """

    name: str
    about: str
    off: Change
    needs: str = ""
    alone: bool = True


@dataclass(frozen=True)
class Found:
    """The properties that are on in a configuration, in the order in which they are turned off together.

    inseparable: (name, why) of what is on and cannot be turned off by itself.
    """

    properties: tuple[Property, ...]
    inseparable: tuple[tuple[str, str], ...] = ()

    def without(self, analog: AnalogConfig, off: Iterable[str]) -> AnalogConfig:
        """Return a configuration with the properties of these names turned off."""
        chosen = set(off)
        for one in self.properties:
            if one.name in chosen:
                analog = one.off(analog)
        return analog


def of_device(change: Callable[[Device], Device]) -> Change:
    """Return a change of a configuration that changes its device."""
    return lambda analog: replace(analog, device=change(analog.device))
