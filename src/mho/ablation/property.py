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
    on alone it stands with that one and is compared with it. alone: False where it does nothing without several
    others; it is then left as it is where all are off.
    """

    name: str
    about: str
    off: Change
    needs: str = ""
    alone: bool = True


@dataclass(frozen=True)
class Found:
    """The properties that are on in a configuration, in the order in which they are turned off together.

    asked: the names of those whose costs are wanted. inseparable: (name, why) of what is on and cannot be turned off by
    itself.
    """

    properties: tuple[Property, ...]
    asked: tuple[str, ...]
    inseparable: tuple[tuple[str, str], ...] = ()

    def wanted(self) -> tuple[Property, ...]:
        """Return the properties whose costs are wanted."""
        return tuple(p for p in self.properties if p.name in self.asked)

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
