"""Devices that are wrong, each in one way, with words that a user must be told. Laws are written as a user would."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from mho.devices import Device, Spread, exp, law, log, maximum, minimum, sqrt, where

FAULTS: list[tuple[type[Device], tuple[str, ...]]] = []
"""Faulty devices, and the words that their check must hold."""


def tells(*words):
    """Note a faulty device and what must be said of it."""

    def note(kind):
        FAULTS.append((kind, words))
        return kind

    return note


class Good(Device):
    """The device that the others spoil."""

    dw_min: Spread = Spread(0.01, d2d=0.2)
    w_max: Spread = Spread(0.8, d2d=0.1)

    def cells(self, draw):
        top = draw(self.w_max)
        return {"dw": draw(self.dw_min), "top": top, "bottom": -top}

    @law
    def pulse(w, up, xi, dw, top, bottom):
        step = where(up, dw * (1.0 - w / top), -dw * (1.0 - w / bottom)) * (1.0 + 0.2 * xi)
        return minimum(maximum(w + step, bottom), top)


@tells("if up:", "where(condition, a, b)")
class Branches(Good):
    @law
    def pulse(w, up, xi, dw, top, bottom):
        if up:
            w = w + dw
        return minimum(maximum(w, bottom), top)


@tells("np.random.normal", "xi")
class DrawsItself(Good):
    @law
    def pulse(w, up, xi, dw, top, bottom):
        step = where(up, dw, -dw) * (1.0 + np.random.normal())  # noqa: NPY002
        return minimum(maximum(w + step, bottom), top)


@tells("`step = dw / (1.0 - w / top)`", "divides by zero", "a pulse up")
class DividesAtTheBound(Good):
    @law
    def pulse(w, up, xi, dw, top, bottom):
        step = dw / (1.0 - w / top)
        return minimum(maximum(w + where(up, step, -dw) * (1.0 + 0.2 * xi), bottom), top)


def _hidden(w, top):
    room = top - w
    return 0.001 / room


@tells("`return 0.001 / room`", "divides by zero")
class DividesInAHelper(Good):
    @law
    def pulse(w, up, xi, dw, top, bottom):
        step = where(up, _hidden(w, top), -dw)
        return minimum(maximum(w + step, bottom), top)


@tells("`size = dw * log(top - w)`", "logarithm of 0")
class LogarithmAtTheBound(Good):
    @law
    def pulse(w, up, xi, dw, top, bottom):
        size = dw * log(top - w)
        return minimum(maximum(w + where(up, -size, -dw), bottom), top)


@tells("`step = dw * exp(200.0 * w / top)`", "overflows")
class Overflows(Good):
    @law
    def pulse(w, up, xi, dw, top, bottom):
        step = dw * exp(200.0 * w / top)
        return minimum(maximum(w + where(up, step, -dw), bottom), top)


@tells("w becomes nan")
class NoRootOutside(Good):
    @law
    def pulse(w, up, xi, dw, top, bottom):
        step = dw * sqrt(top - w)
        return minimum(maximum(w + where(up, step, -step), bottom), top)


@tells("a pulse up lowers w", "a pulse down raises w")
class WrongWay(Good):
    @law
    def pulse(w, up, xi, dw, top, bottom):
        step = where(up, -dw, dw) * (1.0 + 0.2 * xi)
        return minimum(maximum(w + step, bottom), top)


@tells("a pulse down raises w")
class OnlyUp(Good):
    @law
    def pulse(w, up, xi, dw, top, bottom):
        return minimum(maximum(w + where(up, dw, 0.5 * dw), bottom), top)


@tells("a pulse down moves w by 0", "the class states `unipolar = True`")
class DoesNotSayThatItIsUnipolar(Good):
    @law
    def pulse(w, up, xi, dw, top, bottom):
        return minimum(maximum(w + where(up, dw, 0.0), bottom), top)


class GoodUnipolar(Device):
    """The unipolar device that the others spoil."""

    unipolar = True
    dw_min: Spread = Spread(0.01, d2d=0.2)
    w_max: Spread = Spread(0.8, d2d=0.1)

    def cells(self, draw):
        return {"dw": draw(self.dw_min), "top": draw(self.w_max)}

    @law
    def pulse(w, up, xi, dw, top):
        step = dw * (1.0 - w / top) * (1.0 + 0.2 * xi)
        return where(up, minimum(maximum(w + step, 0.0), top), w)


@tells("a pulse down, xi", "returns w as it is for a pulse down: where(up, new, w)")
class UnipolarFalls(GoodUnipolar):
    @law
    def pulse(w, up, xi, dw, top):
        step = where(up, dw, -0.5 * dw) * (1.0 - w / top) * (1.0 + 0.2 * xi)
        return minimum(maximum(w + step, 0.0), top)


@tells("w becomes", "returns w as it is for a pulse down")
class UnipolarRisesEitherWay(GoodUnipolar):
    @law
    def pulse(w, up, xi, dw, top):
        return minimum(maximum(w + where(up, dw, dw), 0.0), top)


@tells("a pulse up lowers w")
class UnipolarLowers(GoodUnipolar):
    @law
    def pulse(w, up, xi, dw, top):
        step = where(w < 0.01, dw, -dw) * (1.0 + 0.2 * xi)
        return where(up, minimum(maximum(w + step, 0.0), top), w)


@tells("`bottom` is -0.2", "go from 0, its reset, to `top`")
class UnipolarBelowZero(GoodUnipolar):
    def cells(self, draw):
        return super().cells(draw) | {"bottom": -0.2}

    @law
    def pulse(w, up, xi, dw, top, bottom):
        return where(up, minimum(maximum(w + dw, bottom), top), w)


@tells("w becomes", "top =")
class UnipolarLeavesItsRange(GoodUnipolar):
    @law
    def pulse(w, up, xi, dw, top):
        return where(up, maximum(w + dw * (1.0 + 0.2 * xi), 0.0) + 0.0 * top, w)


@tells("symmetry_point() is 0.1", "no pulse lowers a unipolar device", "return None")
class UnipolarClaimsBalance(GoodUnipolar):
    def symmetry_point(self):
        return 0.1


@tells("`unipolar` is a field", "unipolar = True")
class UnipolarAsAField(GoodUnipolar):
    unipolar: bool = True


@tells("w becomes", "top =")
class LeavesItsBounds(Good):
    @law
    def pulse(w, up, xi, dw, top, bottom):
        return w + where(up, dw * (1.0 - w / top), -dw * (1.0 - w / bottom)) * (1.0 + 0.2 * xi) + 0.01 * dw * xi


@tells("'topp'", "did you mean 'top'")
class Misnames(Good):
    @law
    def pulse(w, up, xi, dw, topp, bottom):
        return minimum(maximum(w + where(up, dw, -dw), bottom), topp)


@tells("never uses it", "'dw'")
class IgnoresCells(Good):
    @law
    def pulse(w, up, xi, dw, top, bottom):
        return minimum(maximum(w + where(up, 0.01, -0.01), bottom), top)


@tells("dw_min has a spread", "never draws it")
class NeverDraws(Good):
    def cells(self, draw):
        top = draw(self.w_max)
        return {"dw": self.dw_min.mean, "top": top, "bottom": -top}


@tells("returns 1 value", "new_w, new_count")
class ForgetsItsState(Good):
    state: ClassVar[Mapping[str, float]] = {"count": 0.0}

    @law
    def pulse(w, up, xi, count, dw, top, bottom):
        return minimum(maximum(w + where(up, dw, -dw) / (1.0 + count), bottom), top)


@tells("returns 2 values", "new_w")
class ReturnsTooMuch(Good):
    @law
    def pulse(w, up, xi, dw, top, bottom):
        step = where(up, dw, -dw)
        return minimum(maximum(w + step, bottom), top), step


@tells("a law takes w, up, xi")
class MissesNoise(Good):
    @law
    def pulse(w, up):
        return w + where(up, 0.01, -0.01)


@tells("claimed symmetry point 0.3", "a step up is")
class ClaimsWrongly(Good):
    def symmetry_point(self):
        return 0.3


@tells("claimed symmetry point 7", "outside the range")
class ClaimsOutside(Good):
    def symmetry_point(self):
        return 7.0

    @law
    def pulse(w, up, xi, dw, top, bottom):
        return minimum(maximum(w + where(up, dw, -dw), bottom), top)


@tells("mean step at w = 0 is [0.0]", "does not move")
class Stuck(Good):
    @law
    def pulse(w, up, xi, dw, top, bottom):
        return minimum(maximum(w + 0.0 * (dw + xi), bottom), top)


@tells("granularity() is [-1.0]", "above 0")
class NegativeGranularity(Good):
    def granularity(self, chips=1):
        return np.full(chips, -1.0)


@tells("ZeroDivisionError")
class CellsRaise(Good):
    def cells(self, draw):
        return {"dw": 1 / 0}


@tells("cells() gives 'dw' the value 'small'", "made by draw()")
class CellsGiveText(Good):
    def cells(self, draw):
        return super().cells(draw) | {"dw": "small"}


@tells("cells() gave other values for 'dw' when it was called again")
class CellsDrawThemselves(Good):
    def cells(self, draw):
        return super().cells(draw) | {"dw": draw(self.dw_min) * (1.0 + np.random.random())}  # noqa: NPY002


@tells("HasNoLaw has no law", "@law def pulse(w, up, xi, ...)")
class HasNoLaw(Device):
    dw_min: Spread = Spread(0.01)

    def cells(self, draw):
        return {"dw": draw(self.dw_min)}


@tells("the further state 'count' starts at 'none'")
class StartsAtText(Good):
    state: ClassVar[Mapping[str, float]] = {"count": "none"}

    @law
    def pulse(w, up, xi, count, dw, top, bottom):
        return minimum(maximum(w + where(up, dw, -dw), bottom), top), count + 1.0


@tells("returned None", "dict")
class CellsReturnNothing(Good):
    def cells(self, draw):
        draw(self.dw_min)


@tells("functions of mho.devices")
class NumpyOnly(Good):
    @law
    def pulse(w, up, xi, dw, top, bottom):
        step = np.where(up, dw * np.exp(-w), -dw)
        return np.minimum(np.maximum(w + step, bottom), top)


@tells("after it was written to a file it cannot be read", "note")
class LosesInFiles(Good):
    note: tuple = (1, 2)


@tells("missing 1 required", "check_device(LacksADefault(...))")
class LacksADefault(Good):
    rate: float

    def __init__(self, rate):
        object.__setattr__(self, "rate", rate)
