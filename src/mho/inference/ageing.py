"""Conductances some time after they were programmed: pure functions of what was written, the time and the draws."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from mho.devices.base import over_chips
from mho.devices.spread import PerChip, numbers
from mho.errors import MhoError
from mho.inference.ageing_settings import Ageing, Drift, FlickerNoise, Retention
from mho.kernels.product import normals
from mho.tiles.draw import TileDraw

LEAST = 1e-7
"""The smallest conductance, as a share of g_max, of which a logarithm is taken."""
LEAST_POWER = 1e-3


class Chip(NamedTuple):
    """One chip of a tile: its draws, and its values of settings that may be lists over chips."""

    keys: Callable[[str], Tensor]
    place: int
    chips: int

    def xi(self, purpose: str, like: Tensor, call: int = 0) -> Tensor:
        """Return standard normal draws, one for every device."""
        keys = self.keys(purpose)[self.place : self.place + 1].contiguous()
        return normals(keys.to(like.device), (1, *like.shape), call)[0]

    def of(self, value: PerChip, name: str) -> float:
        """Return the value of this chip; raise ConfigError for a list of another length."""
        return over_chips(value, self.chips, name).item(self.place)


def aged(
    conductance: Tensor, target: Tensor, ageing: Ageing, *, seconds: float, draw: TileDraw, g_max: float, call: int = 0
) -> Tensor:
    """Return the conductances as a reading finds them `seconds` after the first read; what is given is not changed.

    conductance, target: as written and as it should have been, (chips, devices, rows, columns) in siemens; draw: keys
    of the tile: drift exponents and time constants are its own, the same at every call; call: a number for each call,
    noise is drawn anew with it. g_max: in siemens. The result depends on the time alone, not on earlier calls, so that
    steps in time compose. Raises MhoError for a time that is negative or not finite, ConfigError for a list of another
    length than there are chips.
    """
    if not 0 <= seconds < math.inf:
        raise MhoError(
            f"conductances can be aged to a time from 0 s on, found {seconds} s: they were written at 0 s; give the "
            "seconds since programming"
        )
    if ageing == Ageing():
        return conductance
    keys, chips = functools.cache(draw.keys), conductance.shape[0]
    found = torch.empty_like(conductance)
    for k in range(chips):  # each by itself: rounding is then that of the chip alone
        one = Chip(keys, k, chips)
        lasting = changed(conductance[k], target[k] / g_max, ageing, seconds, one)
        found[k] = read(lasting, conductance[k] / g_max, ageing, seconds, chip=one, call=call)
    return found


def changed(conductance: Tensor, x: Tensor, ageing: Ageing, seconds: float, chip: Chip) -> Tensor:
    """Return the conductances of one chip after drift and loss, x: targeted conductance / g_max."""
    found, drift, retention = conductance, ageing.drift, ageing.retention
    if drift.drifts:
        time = ageing.temperature.equivalent(seconds, drift.activation)
        found = found * ((time + ageing.t0) / ageing.t0) ** -exponents(x, drift, chip)
    if retention is not None:
        time = ageing.temperature.equivalent(seconds, retention.activation)
        found = retention.rest + (found - retention.rest) * kept(retention, time, found, chip)
    return found


def read(conductance: Tensor, x: Tensor, ageing: Ageing, seconds: float, *, chip: Chip, call: int) -> Tensor:
    """Return what a reading of one chip finds, at its temperature and with noise; x: as programmed / g_max."""
    temperature, white, flicker = ageing.temperature, ageing.read_noise, ageing.flicker
    found = conductance * temperature.pace(temperature.at(seconds), temperature.conduction)
    if any(numbers(white.relative)) or any(numbers(white.absolute)):
        sigma = chip.of(white.relative, "read_noise.relative") * found + chip.of(white.absolute, "read_noise.absolute")
        found = found + sigma * chip.xi("read noise", found, call)
    if any(numbers(flicker.amplitude)):
        share = flicker_share(x, flicker, seconds + ageing.t0, chip)
        found = found * (1 + share * chip.xi("flicker noise", found, call))
    return found.clamp_min(0.0)


def exponents(x: Tensor, drift: Drift, chip: Chip) -> Tensor:
    """Return the drift exponent of every device, x: targeted conductance / g_max; always the same for a device."""
    log = x.clamp_min(LEAST).log()
    mean = _limited(drift.nu_slope * log + chip.of(drift.nu, "drift.nu"), drift.nu_low, drift.nu_high)
    if not (any(numbers(drift.std)) or drift.std_slope or drift.std_low):
        return mean.abs()
    std = _limited(drift.std_slope * log + chip.of(drift.std, "drift.std"), drift.std_low, drift.std_high)
    return (mean + std.clamp_min(0.0) * chip.xi("drift exponent", x)).abs()


def kept(retention: Retention, seconds: float, like: Tensor, chip: Chip) -> Tensor:
    """Return the share of its distance to rest that every device has kept after a time at the reference temperature."""
    tau = torch.full_like(like, chip.of(retention.time, "retention.time"))
    if any(numbers(retention.spread)):
        tau *= (chip.of(retention.spread, "retention.spread") * chip.xi("retention time", like)).exp()
    return (-((seconds / tau) ** retention.beta)).exp()


def flicker_share(x: Tensor, noise: FlickerNoise, seconds: float, chip: Chip) -> Tensor:
    """Return the standard deviation of 1/f noise as a share of the conductance, so many seconds after programming."""
    amplitude = chip.of(noise.amplitude, "flicker.amplitude")
    share = (amplitude / (x.clamp_min(0.0) ** noise.power).clamp_min(LEAST_POWER)).clamp_max(noise.most)
    return share * math.sqrt(max(0.0, math.log((seconds + noise.t_read) / (2 * noise.t_read))))


def _limited(values: Tensor, low: float | None, high: float | None) -> Tensor:
    return values if low is None and high is None else values.clamp(low, high)
