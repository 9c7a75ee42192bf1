"""The fields of a device that draws devices as they were measured: spreads and correlations of its Spread fields."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from mho.characterize.fitting.lawfit import LawFit
from mho.characterize.fitting.population import Population, population, significant
from mho.devices.base import Device, MeanDraw
from mho.devices.spread import Spread
from mho.units import Window

LOG_NORMAL_BY = 2.0
"""A spread is log-normal where that raises the log-likelihood by this much; else it is normal."""
NONE = 1e-3
"""A spread below this share of the mean is none."""
CENTRED = 2.0
"""A mean this close to 0, in its errors, is 0 where its sign is free: draws around 0 are not folded to one side."""


@dataclass(frozen=True)
class Spreads:
    """The population in the terms of a device: names of the Spread fields, values (n, p) whose draws they state.

    log_normal (p,): whether the logarithm is normal. population: of values, or of their logarithms; measured: its whole
    correlation matrix; kept: what of it is significant.
    """

    names: tuple[str, ...]
    log_normal: np.ndarray
    population: Population
    measured: np.ndarray
    kept: np.ndarray
    device: Device


class _Seen:
    """A draw that notes what a law draws under the name of each field."""

    def __init__(self) -> None:
        self.means: dict[str, float] = {}
        self._draw = MeanDraw()

    def __call__(self, *spreads: Spread, correlation: float = 0.0) -> Any:
        for s in spreads:
            self.means[s.name] = float(np.atleast_1d(s.mean)[0])
        return self._draw(*spreads)

    def folded(self, values: Any, name: str) -> Any:
        return self._draw.folded(values, name)


def drawn_ratios(device: Device, names: tuple[str, ...]) -> dict[str, str]:
    """Return {ratio field: size field} of ratios that are drawn as the imbalance of a size; see `devices.steps`.

    Such a field's draw is that of b in a+- = size (g +- b), found by watching what `cells` draws: around 0, while the
    field's own mean is above 0. Its size is the field that stands before it in `cells`' formula: dw_min of up_down,
    pow_gamma of pow_up_down, by name.
    """
    drawn, found = drawn_means(device), {}
    for name in names:
        if name.endswith("up_down") and drawn.get(name) == 0.0:
            stem = name.removesuffix("up_down").rstrip("_")
            sizes = [n for n in names if n != name and (n.startswith(stem + "_") if stem else n == "dw_min")]
            if len(sizes) == 1:
                found[name] = sizes[0]
    return found


def drawn_means(device: Device) -> dict[str, float]:
    """Return, by the names of fields, the means around which a device's `cells` draws."""
    seen = _Seen()
    with np.errstate(all="ignore"):
        device.cells(seen)
    return seen.means


def spreads(fit: LawFit, template: Device, window: Window | None, shared: dict[str, float]) -> Spreads:
    """Return the device that draws devices as they were fitted. `shared` are its plain numbers."""
    p = fit.parameters
    free = ~p.shared
    names = tuple(n for n, f in zip(p.names, free, strict=True) if f)
    x = fit.minimum.at[:, :-2][:, free]
    covariance = fit.covariance()[:, :-2, :-2][:, free][:, :, free]
    values = fit.values[:, free]
    slopes = p.slopes(fit.values)[:, free]
    ratios = drawn_ratios(template, names)
    logs = (p.sign[free] != 0) & np.array([n not in ratios for n in names])
    draws, jacobian = _draws(values, slopes, names, ratios)
    linear = population(draws, jacobian @ covariance @ jacobian.swapaxes(1, 2))
    log_normal = np.zeros(len(names), bool)
    for k in np.flatnonzero(logs):
        one = population(
            draws[:, k : k + 1], (jacobian @ covariance @ jacobian.swapaxes(1, 2))[:, k : k + 1, k : k + 1]
        )
        log = population(x[:, k : k + 1], covariance[:, k : k + 1, k : k + 1])
        log_normal[k] = log.loglik - np.log(np.abs(values[:, k])).sum() > one.loglik + LOG_NORMAL_BY
    if log_normal.any():
        draws = np.where(log_normal, np.log(np.maximum(np.abs(values), 1e-30)), draws)
        jacobian = np.where(log_normal[:, None], np.eye(len(names)), jacobian)
        linear = population(draws, jacobian @ covariance @ jacobian.swapaxes(1, 2))
    changes: dict[str, Any] = dict(shared) | _fields(names, linear, log_normal, p.sign[free], ratios)
    # Draws around a mean below 0 go away from 0: a larger draw is a lower value.
    around = drawn_means(dataclasses.replace(template, **changes))
    turned = np.array(
        [-1.0 if not log and around.get(n, 0.0) < 0 else 1.0 for n, log in zip(names, log_normal, strict=True)]
    )
    measured = linear.correlation * np.outer(turned, turned)
    kept = significant(measured, linear.reliability, len(fit.devices))
    pairs = [
        (names[i], names[j], round(float(kept[i, j]), 4)) for i in range(len(names)) for j in range(i) if kept[i, j]
    ]
    device = dataclasses.replace(template, **changes, correlations=tuple(pairs), window=window)
    return Spreads(names, log_normal, linear, measured, kept, device)


def _draws(
    values: np.ndarray, slopes: np.ndarray, names: tuple[str, ...], ratios: dict[str, str]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the quantities that are drawn (n, p), with their derivatives (n, p, p) by the fit's coordinates.

    They are the values, but for a ratio r of a size a: b = (a / mean a) (r - 1)/(r + 1).
    """
    draws = values.copy()
    jacobian = slopes[:, :, None] * np.eye(len(names))
    for ratio, size in ratios.items():
        k, j = names.index(ratio), names.index(size)
        relative = values[:, j] / np.median(values[:, j])
        r = values[:, k]
        beta = (r - 1) / (r + 1)
        draws[:, k] = relative * beta
        jacobian[:, k, k] = relative * 2 / (r + 1) ** 2 * slopes[:, k]
        jacobian[:, k, j] = beta / np.median(values[:, j]) * slopes[:, j]
    return draws, jacobian


def _fields(
    names: tuple[str, ...], found: Population, log_normal: np.ndarray, signs: np.ndarray, ratios: dict[str, str]
) -> dict[str, Spread]:
    """Return the Spread of every field."""
    fields: dict[str, Spread] = {}
    for k, name in enumerate(names):
        mean, std = float(found.mean[k]), float(found.std[k])
        std = std if std > NONE * (1.0 if log_normal[k] else max(abs(mean), 1e-6)) else 0.0
        if name in ratios:
            beta = min(max(mean, -0.99), 0.99)
            ratio, slope = (1 + beta) / (1 - beta), (1 - beta) ** 2 / 2
            fields[name] = Spread(_short(ratio), std=_short(std / slope))
        elif log_normal[k]:
            fields[name] = Spread(_short(float(signs[k]) * float(np.exp(mean))), d2d=_short(std), log_normal=True)
        elif abs(mean) < CENTRED * found.mean_error[k] and abs(mean) < std:
            fields[name] = Spread(0.0, std=_short(std))
        else:
            fields[name] = Spread(_short(mean), d2d=_short(std / abs(mean)))
    return fields


def _short(value: float) -> float:
    return float(f"{value:.5g}")
