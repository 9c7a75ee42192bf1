"""One law fitted to every device: a search for a start, then the minimum of each device's loss."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from mho.characterize.fitting.levenberg import Minimum, minimise
from mho.characterize.fitting.parameters import Parameters, parameters_of
from mho.characterize.fitting.records import Prepared
from mho.devices.base import Device
from mho.errors import ConfigError
from mho.kernels.trace import START, Records, Traced, trace

PROBES, PROBE_PULSES = 8, 600
"""Devices, and pulses of each, on which a start is searched."""
CANDIDATES, STARTS = 64, 4
STEP = 4e-3
"""Step of the finite differences, in coordinates."""
NOISE_WIDTH = 2.0
DRIFT_WIDTH = 0.5
HELD = 1e-6
HIGH, LOW = {"w_max", "range_max", "b_max", "top"}, {"w_min", "range_min", "b_min", "bottom"}
"""Names of fields that are bounds of the state."""


@dataclass(frozen=True)
class LawFit:
    """A law fitted to devices: `devices` are their indices, `minimum` where their losses are lowest.

    Coordinates are those of `parameters`, then the logarithm of the standard deviation of a reading, then the drift of
    the baseline over the record (0 for all but devices that may drift); `width` (n, p + 2) is their prior's.
    """

    name: str
    parameters: Parameters
    devices: np.ndarray
    minimum: Minimum
    centre: np.ndarray
    width: np.ndarray

    @property
    def values(self) -> np.ndarray:
        """Return the fields' values (n, p)."""
        return self.parameters.values(self.minimum.at[:, :-2])

    @property
    def read_noise(self) -> np.ndarray:
        """Return the standard deviation (n,) of a reading, in weight units."""
        return np.exp(self.minimum.at[:, -2])

    @property
    def drift(self) -> np.ndarray:
        """Return the drift (n,) of the baseline over the record, in weight units."""
        return self.minimum.at[:, -1]

    def covariance(self) -> np.ndarray:
        """Return the covariance (n, p + 2, p + 2) of the estimates."""
        return self.minimum.covariance(self.width)

    def freedom(self) -> np.ndarray:
        """Return how many parameters of its own (n,) the readings of a device determine: trace of H (H + prior)^-1."""
        prior = self.width[:, None, :] ** -2.0 * np.eye(self.width.shape[1])
        shares = np.linalg.solve(self.minimum.curvature + prior, self.minimum.curvature)
        loose = (self.width > 10 * HELD) & ~np.append(self.parameters.shared, [False, False])
        return (np.einsum("npp->np", shares) * loose).sum(axis=1)


class Fitter:
    """Fits one law to prepared devices. Raises ConfigError or LawError where the law cannot be fitted at all."""

    def __init__(
        self, name: str, device: Device, prepared: Prepared, *, seed: int = 0, fixed: Iterable[str] = ()
    ) -> None:
        self.name, self.prepared, self.seed = name, prepared, seed
        self.parameters = parameters_of(device, guesses(prepared), fixed)
        if not len(self.parameters):
            raise ConfigError(f"{type(device).__name__} has no parameters to fit: no Spread fields and no numbers")

    def start(self) -> np.ndarray:
        """Return coordinates (p + 2,) from which most devices can be fitted: the best of a random search on a few."""
        probes = np.unique(np.linspace(0, len(self.prepared) - 1, PROBES).round().astype(int))
        records = _shortened(self.prepared.records.of(probes), PROBE_PULSES)
        p, rng = self.parameters, np.random.default_rng(self.seed)
        noise = math.log(float(np.median(self.prepared.noise)))
        middle = np.concatenate([p.start, [noise, 0.0]])
        reach = np.concatenate([np.minimum(p.width, 1.0), [0.5, 0.0]])
        tried = middle + reach * rng.standard_normal((CANDIDATES, len(middle)))
        tried[0] = middle
        tried[:, -2] = np.maximum(tried[:, -2], noise)  # with too little noise every reading would be an outlier
        grid = np.repeat(np.arange(len(probes)), CANDIDATES)
        loss = self._evaluate(records.of(grid), np.tile(tried, (len(probes), 1))).loss.reshape(len(probes), CANDIDATES)
        loss = np.where(np.isfinite(loss), loss, np.inf)
        chosen = np.unique(np.append(np.argsort(loss.sum(axis=0))[: STARTS - 1], 0))
        begin = np.tile(tried[chosen], (len(probes), 1))
        begin = np.stack([begin, self._bounded(begin, np.repeat(probes, len(chosen)))], axis=1).reshape(-1, len(middle))
        each = 2 * len(chosen)
        many = records.of(np.repeat(np.arange(len(probes)), each))
        width = np.append(p.width, [NOISE_WIDTH, HELD])
        found = minimise(lambda which, x: self._evaluate(many.of(which), x), begin, middle, width)
        full = with_prior(found, middle, width).reshape(len(probes), each)
        best = found.at.reshape(len(probes), each, -1)[np.arange(len(probes)), full.argmin(axis=1)]
        return np.asarray(np.median(best, axis=0))

    def fit(self, devices: np.ndarray, start: np.ndarray, *, walls: bool = True) -> LawFit:
        """Return the fit of some devices from common coordinates (p + 2,), or from each device's own (n, p + 2).

        With `walls` also from there with the bounds at the device's own lowest and highest readings, the best of both:
        a wall that lies beyond all readings has no influence, so nothing would draw it to where it is.
        """
        p, records = self.parameters, self.prepared.records.of(devices)
        width = np.tile(np.append(p.width, [NOISE_WIDTH, HELD]), (len(devices), 1))
        width[self.prepared.drifting[devices], -1] = DRIFT_WIDTH
        noise = np.log(self.prepared.noise[devices])
        centre = np.column_stack([np.tile(p.start, (len(devices), 1)), noise, np.zeros(len(devices))])
        begin = np.array(np.broadcast_to(start, centre.shape))

        def from_start(x: np.ndarray) -> Minimum:
            return minimise(lambda which, at: self._evaluate(records.of(which), at), x, centre, width)

        found = from_start(begin)
        if walls and self._bounds():
            found = found.better(from_start(self._bounded(begin, devices)), lambda m: with_prior(m, centre, width))
        return LawFit(self.name, p, devices, found, centre, width)

    def _bounds(self) -> dict[int, int]:
        """Return {coordinate: column of `ends`} of the fields that bound the state, by their names."""
        return {k: int(name in HIGH) for k, name in enumerate(self.parameters.names) if name in HIGH | LOW}

    def _bounded(self, at: np.ndarray, devices: np.ndarray) -> np.ndarray:
        """Return coordinates with every device's bounds at the ends of its own readings."""
        p, moved = self.parameters, at.copy()
        for k, end in self._bounds().items():
            values = np.tile(p.values(p.start), (len(devices), 1))
            values[:, k] = self.prepared.ends[devices, end]
            inside = p.sign[k] * values[:, k] > 0 if p.sign[k] else np.ones(len(devices), bool)
            moved[:, k] = np.where(inside, p.coordinates(values)[:, k], at[:, k])
        return moved

    def held(self, values: dict[str, float]) -> Fitter:
        """Return a fitter of the same law with some fields held at values."""
        return self.of(self.parameters.held(values))

    def of(self, parameters: Parameters) -> Fitter:
        """Return a fitter of the same devices with other parameters."""
        other = Fitter.__new__(Fitter)
        other.__dict__ |= self.__dict__ | {"parameters": parameters}
        return other

    def trail(self, fit: LawFit) -> np.ndarray:
        """Return state and variance (readings, 2) that the fit predicts for every reading of `records`."""
        found = self._evaluate(self.prepared.records.of(fit.devices), fit.minimum.at, trail=True)
        assert found.trail is not None
        return found.trail

    def filtered(self, devices: np.ndarray, at: np.ndarray) -> Traced:
        """Return loss, gradient and curvature of devices at coordinates (n, p + 2)."""
        return self._evaluate(self.prepared.records.of(devices), at)

    def _evaluate(self, records: Records, at: np.ndarray, *, trail: bool = False) -> Traced:
        """Filter records (n of them) at coordinates (n, p + 2)."""
        p, sets = self.parameters, at.shape[1] + 1
        moved = np.repeat(at[:, None, :], sets, axis=1)
        moved[:, 1:] += STEP * np.eye(sets - 1)
        steps = np.full((len(at), sets), 1 / STEP)
        steps[:, 0] = 0.0
        noise = np.stack([np.exp(2 * np.clip(moved[:, :, -2], -12.0, 3.0)), moved[:, :, -1]])
        cells = p.cells(moved[:, :, :-2])
        return trace(type(p.device), records, cells, noise, steps, trail=trail)


def with_prior(found: Minimum, centre: np.ndarray, width: np.ndarray) -> np.ndarray:
    """Return the losses with what the prior adds, infinite where there is none."""
    loss = np.where(np.isfinite(found.loss), found.loss, np.inf)
    return np.asarray(loss + (((found.at - centre) / width) ** 2).sum(axis=1) / 2)


def _shortened(records: Records, longest: int) -> Records:
    return replace(records, ends=np.minimum(records.ends, records.begins + longest))


def guesses(prepared: Prepared) -> dict[str, float]:
    """Return starts of the fields whose names are common to laws, from the readings."""
    records = prepared.records
    moved, pulses = 0.0, 0
    for b, e in zip(records.begins[:64], records.ends[:64], strict=True):
        there = np.isfinite(records.readings[b:e])
        values, kinds = records.readings[b:e][there], records.kinds[b:e][there]
        turn = np.flatnonzero(kinds[1:] != kinds[:-1]) + 1
        ends = np.append(turn, len(kinds)) - 1
        moved += float(np.abs(np.diff(values[np.concatenate([[0], ends])])).sum())
        pulses += int((records.kinds[b:e] != START).sum())
    size = min(max(1.5 * moved / max(pulses, 1), 1e-4), 0.5)
    rate = {"dw_min": size, "up_down": 1.0, "w_max": 1.1, "w_min": -1.1, "range_max": 1.1, "range_min": -1.1}
    return rate | {"c2c": 0.3, "p_max": 2.0 / size, "alpha": size}
