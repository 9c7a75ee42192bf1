"""Laws of the kernel tests beside the built-in ones: with a further state, with every function, with tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from mho.devices import (
    Device,
    Nodes,
    Spread,
    Table,
    absolute,
    exp,
    floor,
    interpolate,
    law,
    log,
    maximum,
    minimum,
    power,
    sqrt,
    tanh,
    where,
)

HALF = 0.5


def towards(w, up, top):
    """A helper function of a law."""
    room = where(up, top - w, top + w)
    return maximum(room, 0.0)


class Tiring(Device):
    """Steps shrink with the pulses that a device has had: an extra state, arithmetic only."""

    state: ClassVar[Mapping[str, float]] = {"worn": 0.0}
    dw_min: Spread = Spread(0.01, d2d=0.3)

    def cells(self, draw):
        return {"dw": draw(self.dw_min), "top": 1.0, "c2c": 0.2}

    @law
    def pulse(w, up, xi, worn, dw, top, c2c):
        size = dw * towards(w, up, top) / (1.0 + HALF * worn)
        worn = worn + 1.0
        return minimum(maximum(w + where(up, size, -size) * (1.0 + c2c * xi), -top), top), worn


class Everything(Device):
    """Calls every function that a law may call."""

    dw_min: Spread = Spread(0.01, d2d=0.3)

    def cells(self, draw):
        return {"dw": draw(self.dw_min), "top": 1.0, "c2c": 0.2}

    @law
    def pulse(w, up, xi, dw, top, c2c):
        room = towards(w, up, top)
        curve = exp(-(room**2)) + 0.1 * log(1.0 + room) + 0.1 * sqrt(room + 0.01) + 0.1 * tanh(3.0 * w)
        curve = curve + 0.1 * power(room, 1.5) + 0.01 * floor(10.0 * room) + 0.1 * absolute(w)
        keep = (room > 0.001) & ~((w > 5.0) | (w < -5.0))
        step = where(keep, dw * curve, 0.0) * (1.0 + c2c * xi)
        return minimum(maximum(w + where(up, step, -step), -top), top)


class Tabled(Device):
    """Steps from two tables of different length, whose positions leave them on both sides; arithmetic only."""

    sizes: Nodes = (0.01, 0.03, 0.02, 0.0, 0.015)
    noise: Nodes = (0.4,)
    scale: Spread = Spread(1.0, d2d=0.3)

    def cells(self, draw):
        return {"sizes": Table(self.sizes), "scale": draw(self.scale), "noise": Table(self.noise)}

    @law
    def pulse(w, up, xi, scale, noise, sizes):
        step = interpolate(sizes, (w + 0.1) * 20.0) * (scale + interpolate(noise, xi) * xi)
        return minimum(maximum(w + where(up, step, -step), -1.0), 1.0)


class TabledCurve(Device):
    """A costly law that reads a table, with a further state."""

    state: ClassVar[Mapping[str, float]] = {"worn": 0.0}
    sizes: Nodes = (0.01, 0.03, 0.02)

    def cells(self, draw):
        return {"sizes": Table(self.sizes), "top": 1.0}

    @law
    def pulse(w, up, xi, worn, sizes, top):
        step = interpolate(sizes, 2.0 - worn) * exp(-w * w) * (1.0 + 0.3 * xi)
        return minimum(maximum(w + where(up, step, -step), -top), top), worn + 0.125
