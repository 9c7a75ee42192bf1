"""What a device is: the numbers that a researcher states, and the law that moves it by one pulse."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, dataclass_transform

import numpy as np

from mho.devices.correlation import Correlations, correlated
from mho.devices.spread import PerChip, Spread, numbers, per_chip, spread
from mho.devices.table import Nodes, Table, nodes
from mho.errors import ConfigError, LawError, SettingsError
from mho.units import Window

Array = Any
"""A float32 NumPy array that broadcasts to (chips, devices, rows, columns), or a number."""


class Draw(Protocol):
    """Draws per-device values: `draw(self.dw_min)` gives one float32 array (chips, devices, rows, columns).

    A spread without variation gives (chips, 1, 1, 1). `draw(a, b, correlation=0.5)` gives two jointly drawn arrays.
    Draws are keyed by the name of the field, so their order does not matter.
    """

    def __call__(self, *spreads: Spread, correlation: float = 0.0) -> Any:
        """Draw one array for each of the spreads."""

    def folded(self, values: Array, name: str) -> Array:
        """Return the absolute values and count, under `name`, the share of devices that were negative."""


def law(function: Callable[..., Any]) -> staticmethod:
    """Mark the scalar function of one cell and one pulse that is a device's law.

    The first three arguments are `w` (the state), `up` (whether the pulse is up) and `xi` (a standard normal
    draw); then come the names in `state`, then names that `cells` returns. It returns the new `w` (and the new
    extra states in their order).
    """
    if not callable(function):
        raise LawError(f"@law marks a function of (w, up, xi, ...), found {function!r}")
    return staticmethod(function)


@dataclass(frozen=True)
class Leak:
    """Decay of every device towards a reset value between updates: w = r + (w - r) exp(-1/lifetime) per update.

    `lifetime` counts updates (optimizer steps); `reset` is the value that is approached, in weight units.
    """

    lifetime: Spread = Spread(1e6)
    reset: Spread = Spread(0.0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "lifetime", spread(self.lifetime).named("leak.lifetime"))
        object.__setattr__(self, "reset", spread(self.reset).named("leak.reset"))
        if any(v <= 0 for v in numbers(self.lifetime.mean)):
            raise ConfigError(f"leak.lifetime must be above 0 updates, found {self.lifetime.mean}")


@dataclass(frozen=True)
class Faults:
    """Devices that never move: a fraction `dead` stays at 0, a fraction `stuck` at a uniform value in +-range.

    The yield of an array is 1 - dead - stuck. Devices that pulses can only raise (`Device.unipolar`) have no negative
    states: stuck ones lie in [0, range]; so `range` = w_max sticks them anywhere.
    """

    dead: PerChip = 0.0
    stuck: PerChip = 0.0
    range: float = 0.1

    def __post_init__(self) -> None:
        for key in ("dead", "stuck"):
            value = per_chip(getattr(self, key))
            object.__setattr__(self, key, value)
            if any(not 0 <= v <= 1 for v in numbers(value)):
                raise ConfigError(f"faults.{key} is a fraction of the devices, from 0 to 1, found {value}")
        if not (math.isfinite(self.range) and self.range >= 0):
            raise ConfigError(f"faults.range must be finite and not negative, found {self.range}")


@dataclass_transform(frozen_default=True)
class _Declared:
    """Make every subclass a frozen dataclass, so that a user writes fields and nothing else."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        dataclass(frozen=True, kw_only=True)(cls)


class Device(_Declared):
    """A two-terminal element whose conductance, kept as a normalised weight w, is moved by pulses.

    A subclass states its parameters as fields (a `Spread` where devices differ; any number may be a list of one
    per chip), turns them into per-device arrays in `cells`, and gives its law `pulse`. See docs/how-to/own-device.

    Every device also has: `write_noise` (the apparent weight is w + write_noise granularity xi, redrawn only for
    pulsed devices), `leak`, `diffusion` (standard deviation of a normal kick of every device at every update, in weight
    units), `faults`, `correlations` between the d2d draws of two Spread fields, (name, name, coefficient) each,
    `window` (its conductances at w = -1 and 1, or at 0 and 1 if it is unipolar, in siemens) and `shifted` (the range
    is stated around the symmetry point already, so zero-shifting it again would be wrong).

    A class with `unipolar = True` is a device that pulses can only raise: its states go from 0 to `top`, a down pulse
    leaves it as it is, and only a reset lowers it. It has no symmetry point, and it trains as one side of a one-sided
    pair (`cell.pair = "one-sided"`).
    """

    unipolar: ClassVar[bool] = False
    state: ClassVar[Mapping[str, float]] = {}
    write_noise: PerChip = 0.0
    leak: Leak | None = None
    diffusion: PerChip = 0.0
    faults: Faults | None = None
    correlations: Correlations = ()
    window: Window | None = None
    shifted: bool = False

    def __post_init__(self) -> None:
        wrong: list[tuple[str, str]] = []
        for f in dataclasses.fields(self):
            try:
                object.__setattr__(self, f.name, self._read(f))
            except ConfigError as error:
                wrong.append((f.name, str(error)))
        if not wrong:
            for name in ("write_noise", "diffusion"):
                value = getattr(self, name)
                if any(not 0 <= v < math.inf for v in numbers(value)):
                    wrong.append((name, f"a standard deviation cannot be negative or infinite, found {value}"))
            if self.window and self.unipolar:
                object.__setattr__(self, "window", dataclasses.replace(self.window, from_zero=True))
            elif self.window and self.window.from_zero:
                why = "pulses lower this device, so its states begin at w = -1; give the conductance there as low"
                wrong.append(("window", f"begins at w = 0, as that of a unipolar device, but {why}"))
            wrong += self.check() or ()
        if wrong:
            raise SettingsError(wrong)

    def _read(self, f: dataclasses.Field[Any]) -> Any:
        """Return a field's value in its own type, with its name where it is a spread."""
        value = getattr(self, f.name)
        if isinstance(value, Spread) or _is_spread_field(f):
            return spread(value).named(f.name)
        if f.name in self._tables():
            return nodes(value)
        if f.name == "correlations":
            others = dataclasses.fields(self)
            spreads = [g.name for g in others if _is_spread_field(g) or isinstance(getattr(self, g.name), Spread)]
            return correlated(value, spreads)
        return per_chip(value) if isinstance(value, (list, tuple, np.ndarray)) else value

    @classmethod
    def _tables(cls) -> tuple[str, ...]:
        """Return the names of fields whose lists are tables, not values over chips: those annotated `Nodes`."""
        return tuple(f.name for f in dataclasses.fields(cls) if f.type == Nodes or f.type == "Nodes")

    def check(self) -> Iterable[tuple[str, str]]:
        """Yield (name of a field, what is wrong with it) where fields are impossible; a subclass overrides it.

        All of them are reported together.
        """
        return ()

    def symmetry_point(self) -> PerChip | None:
        """Return the state where the mean device's up and down steps are equal in size, by the law's formula.

        None where it has none: `mho.characterize.steps_by_state` finds the point of any law from its steps.
        """
        return None

    def cells(self, draw: Draw) -> dict[str, Array]:
        """Return the arrays that the law takes by name, drawn once per device."""
        raise NotImplementedError(f"{type(self).__name__} must define cells(self, draw)")

    @staticmethod
    def pulse(w: Any, up: Any, xi: Any) -> Any:
        """Return the state after one pulse; a subclass gives its own with `@law`."""
        raise NotImplementedError("a device needs a law: @law def pulse(w, up, xi, ...)")

    def granularity(self, chips: int = 1) -> np.ndarray:
        """Return mean abs(step) at w = 0 for each chip, shape (chips,), from the law without any spread or noise.

        The mean is that of up and down steps; of a unipolar device it is the up step.
        """
        ways = (True,) if self.unipolar else (True, False)
        size = np.mean([np.abs(self._mean_step(up, 0.0, chips)) for up in ways], axis=0)
        if not (np.isfinite(size).all() and (size > 0).all()):
            raise ConfigError(
                f"{type(self).__name__}: the mean step at w = 0 is {size.tolist()}; pulses cannot train a device that "
                "does not move there. Check the law and its parameters, or override granularity()"
            )
        return size

    def noisy(self, chips: int = 1) -> np.ndarray:
        """Return for each chip whether the draw of a pulse changes the step at w = 0, shape (chips,)."""
        pairs = [[self._mean_step(up, xi, chips) for xi in (0.0, 1.0)] for up in (True, False)]
        return np.asarray(np.any([quiet != wild for quiet, wild in pairs], axis=0))

    def _mean_step(self, up: bool, xi: float, chips: int) -> np.ndarray:
        """Return the mean device's step at w = 0 on every chip, shape (chips,)."""
        drawn = self.cells(MeanDraw(chips))
        cells = {k: taken(v, chips, k) for k, v in drawn.items()}
        zero = np.zeros((chips, 1, 1, 1), np.float32)
        extra = [np.full_like(zero, v) for v in self.state.values()]
        given = [*extra, *(cells[n] for n in law_arguments(type(self)))]
        try:
            new = type(self).pulse(zero, np.full(zero.shape, up), np.full_like(zero, xi), *given)
        except Exception as error:  # a user's law may raise anything
            raise LawError(
                f"{type(self).__name__}.pulse raised {type(error).__name__}: {error}; a law computes with "
                "arithmetic, comparisons and the functions of mho.devices (where, exp, minimum, maximum, ...)"
            ) from error
        return np.broadcast_to(new[0] if self.state else new, zero.shape).reshape(chips).astype(np.float64)


def _is_spread_field(f: dataclasses.Field[Any]) -> bool:
    return f.type is Spread or f.type == "Spread" or isinstance(f.default, Spread)


def law_arguments(device: type[Device]) -> tuple[str, ...]:
    """Return the names of the per-device arrays that a device's law takes, in order."""
    code = device.pulse.__code__
    names = code.co_varnames[: code.co_argcount]
    states = tuple(device.state)
    if len(names) < 3 or names[3 : 3 + len(states)] != states:
        raise LawError(
            f"{device.__name__}.pulse takes {', '.join(names) or 'nothing'}; a law takes w, up, xi"
            f"{''.join(', ' + s for s in states)} and then the names that cells() returns"
        )
    return names[3 + len(states) :]


def taken(value: Any, chips: int, name: str) -> np.ndarray:
    """Return what `cells` gives for an argument as the law takes it: an array over devices, or (chips, nodes).

    Raises LawError for what is no array of numbers.
    """
    if isinstance(value, Table):
        return value.over_chips(chips, name)
    if isinstance(value, tuple):
        return over_chips(value, chips, name)
    try:
        return np.asarray(value, np.float32)
    except (TypeError, ValueError) as error:
        raise LawError(
            f"cells() gives {name!r} the value {value!r}, which is no array of numbers ({error}); return an array made "
            "by draw(), a number or one number per chip"
        ) from error


class MeanDraw:
    """A draw in which every device is the mean device; arrays have shape (chips, 1, 1, 1)."""

    def __init__(self, chips: int = 1) -> None:
        self.chips = chips

    def __call__(self, *spreads: Spread, correlation: float = 0.0) -> Any:
        """Return the means."""
        arrays = [over_chips(s.mean, self.chips, s.name) for s in spreads]
        return arrays[0] if len(arrays) == 1 else tuple(arrays)

    def folded(self, values: Array, name: str) -> Array:
        """Return the absolute values."""
        return np.abs(values)


def over_chips(value: PerChip, chips: int, name: str = "value") -> np.ndarray:
    """Return a value as a float32 array (chips, 1, 1, 1); raise ConfigError when a list has another length."""
    array = np.asarray(numbers(value), np.float32)
    if array.size not in (1, chips):
        raise ConfigError(
            f"{name or 'value'} is a list of {array.size} values over chips, but there are {chips} chips; "
            f"give one number, or a list of {chips}"
        )
    return np.broadcast_to(array, (chips,)).reshape(chips, 1, 1, 1)
