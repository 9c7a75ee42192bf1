"""Conductances some time after they were programmed: pure functions of what was written, the time and the draws."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mho.devices.base import over_chips
from mho.devices.spread import PerChip, numbers
from mho.errors import MhoError
from mho.inference.ageing_settings import Ageing, Drift, FlickerNoise, ReadNoise, Retention
from mho.kernels.product import normals
from mho.tiles.draw import TileDraw

LEAST = 1e-7
"""The smallest conductance, as a share of g_max, of which a logarithm is taken."""
LEAST_POWER = 1e-3


def aged(
    conductance: Tensor, target: Tensor, ageing: Ageing, *, seconds: float, draw: TileDraw, g_max: float, call: int = 0
) -> Tensor:
    """Return the conductances as a reading finds them `seconds` after the first read; what is given is not changed.

    conductance, target: as written and as it should have been, (chips, devices, rows, columns) in siemens; draw: keys
    of the tile: drift exponents and time constants are its own, the same at every call; call: a number for each call,
    noise is drawn anew with it. g_max: in siemens. The result depends on the time alone, not on earlier calls, so that
    steps in time compose. Raises MhoError for a time that is negative or not finite.
    """
    if not 0 <= seconds < math.inf:
        raise MhoError(
            f"conductances can be aged to a time from 0 s on, found {seconds} s: they were written at 0 s; give the "
            "seconds since programming"
        )
    found, temperature = conductance, ageing.temperature
    if ageing.drift.drifts:
        time = temperature.equivalent(seconds, ageing.drift.activation)
        nu = exponents(target / g_max, ageing.drift, draw)
        found = found * ((time + ageing.t0) / ageing.t0) ** -nu
    if ageing.retention is not None:
        time = temperature.equivalent(seconds, ageing.retention.activation)
        found = relaxed(found, ageing.retention, time, draw)
    if temperature.conduction:
        found = found * temperature.pace(temperature.at(seconds), temperature.conduction)
    found = with_read_noise(found, ageing.read_noise, draw, call)
    time = seconds + ageing.t0
    found = with_flicker_noise(found, conductance / g_max, ageing.flicker, time, draw=draw, call=call)
    return found if found is conductance else found.clamp_min_(0.0)


def exponents(x: Tensor, drift: Drift, draw: TileDraw) -> Tensor:
    """Return the drift exponent of every device, x: targeted conductance / g_max; always the same for a draw."""
    log = x.clamp_min(LEAST).log()
    mean = _limited(_chips(drift.nu, x, "drift.nu") + drift.nu_slope * log, drift.nu_low, drift.nu_high)
    if not (any(numbers(drift.std)) or drift.std_slope or drift.std_low):
        return mean.abs()
    std = _limited(_chips(drift.std, x, "drift.std") + drift.std_slope * log, drift.std_low, drift.std_high)
    xi = normals(draw.keys("drift nu"), tuple(x.shape))
    return (mean + std.clamp_min(0.0) * xi).abs()


def relaxed(conductance: Tensor, retention: Retention, seconds: float, draw: TileDraw) -> Tensor:
    """Return conductances that were left to relax for so many seconds at the reference temperature."""
    tau = _chips(retention.time, conductance, "retention.time")
    if any(numbers(retention.spread)):
        spread = _chips(retention.spread, conductance, "retention.spread")
        tau = tau * (spread * normals(draw.keys("retention time"), tuple(conductance.shape))).exp()
    kept = (-((seconds / tau) ** retention.beta)).exp()
    return retention.rest + (conductance - retention.rest) * kept


def with_read_noise(conductance: Tensor, noise: ReadNoise, draw: TileDraw, call: int) -> Tensor:
    """Return conductances with white noise of reading."""
    if not (any(numbers(noise.relative)) or any(numbers(noise.absolute))):
        return conductance
    relative = _chips(noise.relative, conductance, "read_noise.relative")
    sigma = relative * conductance + _chips(noise.absolute, conductance, "read_noise.absolute")
    return conductance + sigma * normals(draw.keys("read noise"), tuple(conductance.shape), call)


def with_flicker_noise(
    conductance: Tensor, x: Tensor, noise: FlickerNoise, seconds: float, *, draw: TileDraw, call: int
) -> Tensor:
    """Return conductances with 1/f noise, x: conductance as programmed / g_max, so many seconds after programming."""
    if not any(numbers(noise.amplitude)):
        return conductance
    amplitude = _chips(noise.amplitude, conductance, "flicker.amplitude")
    share = (amplitude / (x.clamp_min(0.0) ** noise.power).clamp_min(LEAST_POWER)).clamp_max(noise.most)
    grown = math.sqrt(max(0.0, math.log((seconds + noise.t_read) / (2 * noise.t_read))))
    xi = normals(draw.keys("flicker noise"), tuple(conductance.shape), call)
    return conductance * (1 + grown * share * xi)


def _limited(values: Tensor, low: float | None, high: float | None) -> Tensor:
    return values if low is None and high is None else values.clamp(low, high)


def _chips(value: PerChip, like: Tensor, name: str) -> Tensor:
    """Return a value over chips in a shape that goes with conductances."""
    return torch.from_numpy(over_chips(value, like.shape[0], name).copy())
