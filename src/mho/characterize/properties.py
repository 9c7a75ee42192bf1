"""What every device must do, one small function each: it yields what is wrong, in words, with a counter-example.

They run in order on a device; `mho.check_device` stops after the first group of them that fails, because the others
need it. A property that cannot be looked at here raises LeftOut with the reason.
"""

from __future__ import annotations

import ast
import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from mho.characterize.hazards import hazards
from mho.characterize.subject import Subject, chips_of, config_of
from mho.config.analog import AnalogConfig
from mho.config.laws import DEVICES
from mho.config.toml import dump, loads
from mho.devices.base import Device, MeanDraw, law_arguments, taken
from mho.devices.spread import Spread
from mho.errors import ConfigError, LawError, MhoError, nearest
from mho.kernels.translate import law_source, parse_law

Problems = Iterator[str]

NOISE = (-6.0, -3.0, -1.0, 0.0, 1.0, 3.0, 6.0)
"""Draws of the cycle-to-cycle noise that are tried."""
QUANTILES = (-1.7507, -1.1503, -0.7722, -0.4538, -0.1503, 0.1503, 0.4538, 0.7722, 1.1503, 1.7507)
"""Draws of equal probability, whose mean is 0: averages over them are averages over the noise."""
INSIDE = (0.1, 0.3, 0.5, 0.7, 0.9)
SLACK = 1e-6
"""Rounding of a state, relative to the range."""


class LeftOut(Exception):
    """A property could not be looked at; the text says why."""


def is_lawful(device: Device) -> Problems:
    """The law can become a kernel: no branches, no random numbers of its own, nothing that kernels lack."""
    if device.pulse is Device.pulse:
        yield f"{type(device).__name__} has no law; give it one: @law def pulse(w, up, xi, ...)"
        return
    try:
        law_source(device.pulse, "law")
        law_arguments(type(device))
    except MhoError as error:
        yield str(error)


def has_arguments(device: Device) -> Problems:
    """cells() gives every argument of the law, the law uses them, and every spread is drawn."""
    draw = _Noting(chips_of(device))
    given: Any = device.cells(draw)
    if not isinstance(given, dict):
        yield f"cells() returned {given!r}; return a dict of arrays by the names of the law's arguments"
        return
    names = law_arguments(type(device))
    for name in names:
        if name not in given:
            found = ", ".join(given) or "nothing"
            yield f"the law takes {name!r}, but cells() returned {found}; {nearest(name, given)}"
    again = device.cells(_Noting(chips_of(device)))
    for name in (n for n in names if n in given):
        first, second = (taken(of[name], chips_of(device), name) for of in (given, again))
        if not np.array_equal(first, second, equal_nan=True):
            yield f"cells() gave other values for {name!r} when it was called again; all randomness is that of draw()"
    used = {n.id for n in ast.walk(parse_law(device.pulse)[0]) if isinstance(n, ast.Name)}
    for name in (n for n in names if n not in used):
        yield f"the law takes {name!r} but never uses it: what cells() gives for it changes nothing"
    spreads = [f.name for f in dataclasses.fields(device) if isinstance(getattr(device, f.name), Spread)]
    for name in (n for n in spreads if getattr(device, n).varies and n not in draw.drawn):
        yield f"{name} has a spread, but cells() never draws it (draw(self.{name})): all devices are equal in it"


def returns_states(device: Device) -> Problems:
    """The law returns the new state, and then its further states."""
    value: Any = parse_law(device.pulse)[0].body[-1]
    found = len(value.value.elts) if isinstance(value.value, ast.Tuple) else 1
    for name, start in device.state.items():
        if not isinstance(start, (int, float)) or not math.isfinite(start):
            yield f"the further state {name!r} starts at {start!r}; state = {{{name!r}: 0.0}} gives it a number"
    names = ["w", *device.state]
    if found != len(names):
        yield (
            f"the law returns {found} value{'s' * (found > 1)}, but the device has the states {', '.join(names)}; "
            f"return {', '.join('new_' + n for n in names)}"
        )


def divides_by_nothing(device: Device) -> Problems:
    """No line of the law divides by zero or overflows, from bound to bound, for extreme devices and noise."""
    found = list(_divisions(Subject(device)))
    yield from found or _divisions(Subject(device, extreme=True))


def refuse_division(device: Device) -> None:
    """Raise LawError, showing the line, for a law that is no kernel, or that typical devices make divide by zero."""
    law_source(device.pulse, "law")
    for problem in _divisions(Subject(device)):
        raise LawError(f"{type(device).__name__}.pulse: {problem}; write the law so that it holds there, too")


def stays_finite(device: Device) -> Problems:
    """States stay finite from states at and beyond the bounds, for extreme devices and noise."""
    subject = Subject(device, extreme=True)
    for state, up, xi, extra in _trials(subject, beyond=True):
        for name, new in zip(("w", *device.state), subject.law(state, up, xi, extra), strict=True):
            if (bad := ~np.isfinite(new)).any():
                example = subject.example(_first(bad), state, up, xi)
                yield f"{name} becomes {new[_first(bad)]} from {example}"
                return


def stays_in_bounds(device: Device) -> Problems:
    """States stay between `bottom` and `top`, the bounds among the law's arguments."""
    subject = Subject(device, extreme=True)
    if not subject.bounded:
        raise LeftOut("the law takes no `bottom` and `top`; mho knows bounds by these names")
    slack = SLACK * (subject.high - subject.low)
    for state, up, xi, extra in _trials(subject):
        new = subject.law(state, up, xi, extra)[0]
        if (out := (new > subject.high + slack) | (new < subject.low - slack)).any():
            yield f"w becomes {new[_first(out)]:.6g} from {subject.example(_first(out), state, up, xi)}"
            return


def moves_as_told(device: Device) -> Problems:
    """Pulses up raise the state and pulses down lower it, in the mean over devices and noise."""
    subject = Subject(device)
    for up in (True,) if device.unipolar else (True, False):
        state = subject.grid(INSIDE, np.float64)
        step = (subject.law(state, up, 0.0, subject.initial(state))[0] - state) * (1 if up else -1)
        size, mean = np.abs(step).mean(), step.mean(axis=(0, 1))
        word = ("up", "raise", "lowers") if up else ("down", "lower", "raises")
        if (mean < -SLACK * size).any():
            share = INSIDE[int(mean.argmin())]
            yield f"a pulse {word[0]} {word[2]} w by {-mean.min():.3g} in the mean at {share:.0%} of the range"
            continue
        zero, inside = np.zeros((*state.shape[:2], len(QUANTILES))), (subject.low < 0) & (subject.high > 0)
        start = np.where(inside | device.unipolar, zero, subject.grid((0.5,), np.float64))
        noisy = subject.law(start, up, QUANTILES, subject.initial(start))[0] - start
        if not noisy.mean() * (1 if up else -1) > 0:
            hint = "" if up or noisy.any() else "; where pulses can only raise, the class states `unipolar = True`"
            yield f"a pulse {word[0]} moves w by {noisy.mean():.3g} in the mean from w = 0; it should {word[1]} w{hint}"


def only_rises(device: Device) -> Problems:
    """A unipolar device is at 0 or above, pulses down leave it as it is, and it claims no symmetry point."""
    if "unipolar" in {f.name for f in dataclasses.fields(device)}:
        yield "`unipolar` is a field, which every device could set; write it without a type: unipolar = True"
    if not device.unipolar:
        raise LeftOut("the device is not unipolar: pulses raise and lower it")
    subject = Subject(device)
    if (uneven := subject.low != 0).any():
        what = "`bottom` is" if subject.bounded else "pulses reach"
        low = subject.low[_first(uneven)]
        yield f"{what} {low:.6g}; the states of a unipolar device go from 0, its reset, to `top`"
    for state, up, xi, extra in _trials(subject):
        moved = subject.law(state, up, xi, extra)[0] != state
        if not up and moved.any():
            example, new = subject.example(_first(moved), state, up, xi), subject.law(state, up, xi, extra)[0]
            yield (
                f"w becomes {new[_first(moved)]:.6g} from {example}; the law of a unipolar device returns w as it is "
                "for a pulse down: where(up, new, w)"
            )
            break
    if device.symmetry_point() is not None:
        yield (
            f"symmetry_point() is {device.symmetry_point()}, but no pulse lowers a unipolar device, so no state has "
            "equal steps up and down; return None"
        )


def balances(device: Device) -> Problems:
    """Up and down steps are equal in size where the device says that its symmetry point is."""
    claimed = None if device.unipolar else device.symmetry_point()
    if claimed is None:
        raise LeftOut("the device claims no symmetry point")
    chips = chips_of(device)
    subject = Subject(_without_spread(device))
    point = np.broadcast_to(np.reshape(np.asarray(claimed, np.float64), (-1, 1, 1)), (chips, len(subject.low[0]), 1))
    if not np.isfinite(point).all():
        raise LeftOut(f"the device says that it has no symmetry point ({claimed})")
    up, down = (subject.law(point, way, 0.0, subject.initial(point))[0] - point for way in (True, False))
    uneven = np.abs(up + down) > 1e-3 * (np.abs(up) + np.abs(down)) / 2
    if uneven.any():
        at = _first(uneven)
        yield f"at the claimed symmetry point {point[at]:.6g} a step up is {up[at]:.4g} and a step down {down[at]:.4g}"
    outside = (point < subject.low) | (point > subject.high)
    if outside.any():
        at = _first(outside)
        low, high = subject.low[at], subject.high[at]
        yield f"the claimed symmetry point {point[at]:.6g} lies outside the range, {low:.4g} to {high:.4g}"


def has_granularity(device: Device) -> Problems:
    """The mean step at w = 0, by which pulses are counted, is above 0."""
    size = device.granularity(chips_of(device))
    if not (np.all(np.isfinite(size)) and np.all(np.asarray(size) > 0)):
        yield f"granularity() is {np.asarray(size).tolist()}; it must be above 0"


def survives_toml(device: Device) -> Problems:
    """The parameters are the same after they were written to a file and read."""
    try:
        DEVICES.name_of(type(device))
    except ConfigError as error:
        raise LeftOut(str(error)) from error
    text = dump(config_of(device))
    try:
        back = loads(text, AnalogConfig).device
    except ConfigError as error:
        yield f"after it was written to a file it cannot be read: {error}"
        return
    if type(back).__qualname__ != type(device).__qualname__:
        yield f"the file names {type(back).__qualname__} in place of {type(device).__qualname__}"
    for f in dataclasses.fields(device):
        before, after = getattr(device, f.name), getattr(back, f.name, None)
        if before != after:
            yield f"{f.name} was {before!r}, and is {after!r} after it was written to a file and read"


class _Noting(MeanDraw):
    """The mean device; keeps the names of the fields that were drawn."""

    def __init__(self, chips: int) -> None:
        super().__init__(chips)
        self.drawn: set[str] = set()

    def __call__(self, *spreads: Spread, correlation: float = 0.0) -> Any:
        """Return the means."""
        self.drawn |= {s.name for s in spreads}
        return super().__call__(*spreads, correlation=correlation)


def _divisions(subject: Subject) -> Problems:
    """Yield the lines of the law that spoil its results, once each."""
    told = set()
    for state, up, xi, extra in _trials(subject):
        for hazard in hazards(subject.kind.pulse, subject.arguments(state, up, xi, extra), state.shape):
            if (hazard.line, hazard.why) not in told:
                told.add((hazard.line, hazard.why))
                where = subject.example(_first(hazard.mask), state, up, xi)
                yield f"`{hazard.line}` {hazard.why} at {where}"


def _without_spread(device: Device) -> Device:
    """Return the mean device."""
    spreads = {f.name: getattr(device, f.name) for f in dataclasses.fields(device)}
    means: dict[str, Any] = {
        n: Spread(s.mean, log_normal=s.log_normal) for n, s in spreads.items() if isinstance(s, Spread)
    }
    return dataclasses.replace(device, correlations=(), **means)


def _trials(subject: Subject, *, beyond: bool = False) -> Iterator[tuple[np.ndarray, bool, Any, list[np.ndarray]]]:
    """Yield states, directions, noise and further states to try: at the start, and after many pulses."""
    state = subject.grid()
    if beyond:
        width = subject.high - subject.low
        state = np.concatenate([state, subject.low - width, subject.high + width], axis=2)
    used, extra = subject.after_pulses()
    for up in (True, False):
        for xi in NOISE:
            yield state, up, xi, subject.initial(state)
            yield used, up, xi, extra


def _first(mask: np.ndarray) -> tuple[int, ...]:
    """Return the index of the first True."""
    return tuple(int(i) for i in np.argwhere(mask)[0])
