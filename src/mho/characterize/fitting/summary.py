"""What a fit found, as plain numbers: for a table, a figure, a JSON file."""

from __future__ import annotations

from dataclasses import asdict
from functools import lru_cache
from typing import Any

import numpy as np

from mho.characterize.characteristics import characterize
from mho.characterize.fitting.choose import Fit
from mho.characterize.parameters import ASYMMETRY, BY_STEP, SYMMETRY
from mho.devices.spread import Spread

SHOWN = (SYMMETRY, ASYMMETRY, BY_STEP)
MOST = 200
"""Devices at most whose symmetry points and states are looked at."""


@lru_cache(maxsize=4)
def single_devices(fit: Fit) -> dict[str, np.ndarray]:
    """Return symmetry point, asymmetry and number of states of MOST fitted devices at most, NaN where there is none.

    Of unipolar devices the number of states only.
    """
    chosen = np.unique(np.linspace(0, len(fit.fit.devices) - 1, MOST).round().astype(int))
    device = fit.fit.parameters.devices(fit.fit.values[chosen])
    found = characterize(device, None, 1, chips=tuple(range(len(chosen)))).mean
    return {name: found[name] for name in SHOWN if name == BY_STEP or not device.unipolar}


def summary(fit: Fit) -> dict[str, Any]:
    """Return everything that a fit found, as JSON holds it: numbers, texts, lists; null for what there is not."""
    window, device = fit.prepared.window, fit.device
    errors = np.sqrt(np.maximum(np.einsum("npp->np", fit.fit.covariance()), 0.0))
    p = fit.fit.parameters
    own = fit.fit.values
    value_errors = np.abs(p.slopes(own)) * errors[:, :-2]
    found = {
        "source": fit.measurements.path,
        "law": fit.law,
        "window_S": [window.low, window.high],
        "window_w": [window.first, 1],
        "devices": {"measured": len(fit.measurements), "fitted": len(fit.fit.devices)},
        "laws": [asdict(row) for row in fit.ranking],
        "spreads": {name: _spread(getattr(device, name)) for name in fit.spreads.names},
        "mean_errors": dict(zip(fit.spreads.names, _mean_errors(fit), strict=True)),
        "shared": {n: {"value": v, "error": e, "between_devices": s} for n, (v, e, s) in fit.shared.items()},
        "correlations": {
            "names": list(fit.spreads.names),
            "measured": fit.spreads.measured.tolist(),
            "kept": fit.spreads.kept.tolist(),
        },
        "read_noise": {"weight": fit.read_noise, "siemens": fit.read_noise * window.per_weight},
        "single_devices": {
            name: {"mean": _mean(v), "std": _std(v), "share": float(np.isfinite(v).mean())}
            for name, v in single_devices(fit).items()
        },
        "fits": {
            fit.prepared.names[d]: {
                name: [float(own[k, j]), float(value_errors[k, j])] for j, name in enumerate(p.names) if not p.shared[j]
            }
            | {"read_noise": [float(fit.fit.read_noise[k]), float(fit.fit.read_noise[k] * errors[k, -2])]}
            for k, d in enumerate(fit.fit.devices)
        },
        "outliers": int(fit.outliers.sum()),
        "notes": list(fit.notes),
        "left_out": fit.left_out,
    }
    return {name: _plain(value) for name, value in found.items()}


def _mean_errors(fit: Fit) -> list[float]:
    """Return the errors of the means, of a log-normal one relative to the mean."""
    found = fit.spreads.population
    sizes = [abs(np.atleast_1d(getattr(fit.device, n).mean)[0]) for n in fit.spreads.names]
    return [
        float(error * size) if log else float(error)
        for error, size, log in zip(found.mean_error, sizes, fit.spreads.log_normal, strict=True)
    ]


def _spread(s: Spread) -> dict[str, Any]:
    return {"mean": s.mean, "d2d": s.d2d, "std": s.std, "log_normal": s.log_normal}


def _mean(values: np.ndarray) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def _std(values: np.ndarray) -> float:
    return float(np.nanstd(values)) if np.isfinite(values).any() else float("nan")


def _plain(value: Any) -> Any:
    """Return a value with null for what is not finite, and floats with 6 digits."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, (float, np.floating)):
        return float(f"{value:.6g}") if np.isfinite(value) else None
    return value


def comments(fit: Fit) -> list[str]:
    """Return the lines that stand above a fitted device in its TOML."""
    window = fit.prepared.window
    siemens = fit.read_noise * window.per_weight
    kept = sum(bool(v) for v in fit.spreads.kept[np.triu_indices(len(fit.spreads.names), 1)])
    steps = fit.read_noise / float(fit.device.granularity(1)[0])
    return [
        f"Fitted by mho device fit to {fit.measurements.path}:",
        f"{len(fit.fit.devices)} of {len(fit.measurements)} devices; {kept} significant correlations.",
        f"w = {window.first} is {window.low:.5g} S, w = +1 is {window.high:.5g} S.",
        f"Read noise of the measurement: {fit.read_noise:.4g} in w, {siemens:.4g} S (deviation).",
        "It is not part of the device: a training run has its own, forward.output_noise. If it is noise of the written",
        f"state, new with every pulse and not with every read, state write_noise = {steps:.4g}.",
    ]
