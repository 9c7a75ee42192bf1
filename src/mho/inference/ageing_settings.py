"""What happens to conductances after programming, as settings: drift, retention loss, noise and temperature."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from mho.config.values import convert_fields
from mho.devices.spread import PerChip, numbers
from mho.errors import SettingsError

BOLTZMANN = 8.617333262e-5
"""Boltzmann's constant in eV/K."""
ROOM = 300.0
"""Kelvin."""

Problem = tuple[str, str]


def _not_negative(settings: Any, *names: str) -> Iterator[Problem]:
    for name in names:
        if any(v < 0 for v in numbers(getattr(settings, name))):
            yield name, f"cannot be negative, found {getattr(settings, name)}; 0 turns it off"


def _check(problems: Iterator[Problem]) -> None:
    if wrong := list(problems):
        raise SettingsError(wrong)


@dataclass(frozen=True)
class Drift:
    """Power-law drift: g(t) = g(0) ((t + t0)/t0)^-nu, with an exponent nu that every device draws once.

    nu = abs(mu + s xi),   mu = clamp(nu + nu_slope ln x, nu_low, nu_high),   s = clamp(std + std_slope ln x, std_low,
    std_high),   x = targeted conductance / g_max

    nu, std: mean and standard deviation of the exponent, of a device at g_max; 0 and 0: no drift. nu_slope, std_slope:
        how they depend on the targeted conductance. The limits are "none" (None) where there are none.
    activation: energy in eV by which a temperature speeds drift up (Arrhenius), 0: drift knows no temperature.
    `nu` and `std` may be lists of one per chip. Raises ConfigError for other values.
    """

    nu: PerChip = 0.0
    nu_slope: float = 0.0
    nu_low: float | None = None
    nu_high: float | None = None
    std: PerChip = 0.0
    std_slope: float = 0.0
    std_low: float | None = None
    std_high: float | None = None
    activation: float = 0.0

    def __post_init__(self) -> None:
        convert_fields(self)
        _check(self._problems())

    def _problems(self) -> Iterator[Problem]:
        yield from _not_negative(self, "activation")
        for name in ("nu", "std"):
            low, high = getattr(self, f"{name}_low"), getattr(self, f"{name}_high")
            if low is not None and high is not None and low > high:
                yield f"{name}_low", f"is {low}, above {name}_high = {high}; exchange them"
        if self.std_slope == 0 and any(v < 0 for v in numbers(self.std)):
            yield "std", f"is a standard deviation and cannot be negative, found {self.std}; give 0 for none"

    @property
    def drifts(self) -> bool:
        """Whether any conductance changes."""
        levels = [*numbers(self.nu), self.nu_slope, self.nu_low or 0, *numbers(self.std), self.std_slope]
        return any(levels) or bool(self.std_low)


@dataclass(frozen=True)
class ReadNoise:
    """White noise of reading: g <- g + (relative g + absolute) xi, with xi drawn anew at every call of `mho.age`.

    relative: of the conductance at that time; absolute: in siemens. Both are standard deviations and may be lists of
    one per chip. Noise that is new in every product is `forward.weight_noise` and `forward.out_noise`.
    Raises ConfigError for negative values.
    """

    relative: PerChip = 0.0
    absolute: PerChip = 0.0

    def __post_init__(self) -> None:
        convert_fields(self)
        _check(_not_negative(self, "relative", "absolute"))


@dataclass(frozen=True)
class FlickerNoise:
    """1/f noise, which grows with the time since programming; drawn anew at every call of `mho.age`.

    sigma = g(t) min(most, amplitude / max(x^power, 0.001)) sqrt(ln((t + t0 + t_read) / (2 t_read)))

    with x = conductance as programmed / g_max: the noise power between 1/(t + t0) and 1/(2 t_read).
    amplitude: at x = 1, may be a list of one per chip; 0: no such noise. power: how it grows at small conductances.
    most: the largest value of the factor. t_read: seconds of one reading. Raises ConfigError for other values.
    """

    amplitude: PerChip = 0.0
    power: float = 0.0
    most: float = 0.2
    t_read: float = 250e-9

    def __post_init__(self) -> None:
        convert_fields(self)
        _check(self._problems())

    def _problems(self) -> Iterator[Problem]:
        yield from _not_negative(self, "amplitude", "power", "most")
        if not self.t_read > 0:
            yield "t_read", f"is the time of one reading in seconds, above 0, found {self.t_read}; give 250e-9"


@dataclass(frozen=True)
class Retention:
    """Loss towards a resting conductance: g <- rest + (g - rest) exp(-(t/tau)^beta).

    time: median tau in seconds at the reference temperature, may be a list of one per chip. spread: each device has
        tau exp(spread xi), drawn once. rest: in siemens. beta: 1 is an exponential, less a stretched one.
    activation: energy in eV, tau(T) = tau exp(activation/k (1/T - 1/T_reference)); 0: temperature has no part in it.
    Raises ConfigError for other values.
    """

    time: PerChip
    spread: PerChip = 0.0
    rest: float = 0.0
    beta: float = 1.0
    activation: float = 0.0

    def __post_init__(self) -> None:
        convert_fields(self)
        _check(self._problems())

    def _problems(self) -> Iterator[Problem]:
        yield from _not_negative(self, "spread", "rest", "activation")
        if any(v <= 0 for v in numbers(self.time)):
            yield "time", f'is a time constant in seconds, above 0, found {self.time}; retention = "none" has no loss'
        if not 0 < self.beta <= 1:
            yield "beta", f"is above 0 and at most 1, found {self.beta}; 1 is an exponential loss"


@dataclass(frozen=True)
class Temperature:
    """The temperature over time, from which drift and retention take their pace, and conductances their size.

    profile: [[seconds, kelvin], ...]: from so many seconds after programming on, so many kelvin; begins at 0.
    reference: kelvin at which time constants and conductances are given.
    conduction: energy in eV; a conductance read at T is g exp(-conduction/k (1/T - 1/reference)), 0: it is g.
    Raises ConfigError for times that go backwards, and for temperatures that are not above 0.
    """

    profile: tuple[tuple[float, float], ...] = ((0.0, ROOM),)
    reference: float = ROOM
    conduction: float = 0.0

    def __post_init__(self) -> None:
        convert_fields(self)
        _check(self._problems())

    def _problems(self) -> Iterator[Problem]:
        yield from _not_negative(self, "conduction")
        if not self.reference > 0:
            yield "reference", f"is in kelvin, above 0, found {self.reference}; room temperature is {ROOM:g}"
        if not self.profile:
            yield "profile", f"lists [seconds, kelvin] from 0 on, found none; give [[0, {ROOM:g}]]"
            return
        times = [seconds for seconds, _ in self.profile]
        if times[0] != 0:
            yield "profile", f"begins at 0 seconds, found {times[0]:g}; give the temperature from the start on"
        for before, after in pairwise(times):
            if not before < after:
                yield "profile", f"goes backwards: {after:g} s after {before:g} s; list the times in order"
        if any(kelvin <= 0 for _, kelvin in self.profile):
            hot = [kelvin for _, kelvin in self.profile]
            yield "profile", f"holds temperatures in kelvin, above 0, found {hot}; 25 °C are 298.15"

    def at(self, seconds: float) -> float:
        """Return the temperature at a time, in kelvin."""
        return [kelvin for begin, kelvin in self.profile if begin <= seconds][-1]

    def equivalent(self, seconds: float, activation: float) -> float:
        """Return the seconds at the reference temperature that age as much as the first `seconds` of the profile did.

        The integral of exp(-activation/k (1/T - 1/reference)) over time.
        """
        ends = [*(begin for begin, _ in self.profile[1:]), math.inf]
        return sum(
            (min(end, seconds) - begin) * self.pace(kelvin, activation)
            for (begin, kelvin), end in zip(self.profile, ends, strict=True) if begin < seconds
        )  # fmt: skip

    def pace(self, kelvin: float, activation: float) -> float:
        """Return how many times faster a process with an activation energy in eV is than at the reference."""
        return math.exp(-activation / BOLTZMANN * (1.0 / kelvin - 1.0 / self.reference)) if activation else 1.0


@dataclass(frozen=True)
class Ageing:
    """What happens to conductances between programming and a later time; by default nothing.

    drift, then retention loss, then the temperature of the reading, then noise; conductances stay at 0 or above.
    t0: seconds from programming to the first read, from which all later times count. Raises ConfigError unless it is
    above 0.
    """

    drift: Drift = field(default_factory=Drift)
    retention: Retention | None = None
    temperature: Temperature = field(default_factory=Temperature)
    read_noise: ReadNoise = field(default_factory=ReadNoise)
    flicker: FlickerNoise = field(default_factory=FlickerNoise)
    t0: float = 20.0

    def __post_init__(self) -> None:
        convert_fields(self)
        if not self.t0 > 0:
            problem = f"is the time from programming to the first read in seconds, above 0, found {self.t0}; give 20"
            raise SettingsError([("t0", problem)])

    @property
    def noisy(self) -> bool:
        """Whether two calls of `mho.age` at the same time give other conductances."""
        return any(map(any, map(numbers, (self.read_noise.relative, self.read_noise.absolute, self.flicker.amplitude))))


PCM = Ageing(
    drift=Drift(nu=0.0244, nu_slope=-0.0155, nu_low=0.049, nu_high=0.1,
                std=-0.0059, std_slope=-0.0125, std_low=0.008, std_high=0.045),
    flicker=FlickerNoise(amplitude=0.0088, power=0.65, most=0.2, t_read=250e-9),
)  # fmt: skip
"""Phase change memory with g_max = 25 uS; as IBM aihwkit `PCMLikeNoiseModel`, after Nandakumar et al., ICECS 2019."""
