"""The tables of a fit: laws ranked, the device's parameters, correlations; for the terminal and the page."""

from __future__ import annotations

import math

import numpy as np

from mho.characterize.fitting import Fit
from mho.characterize.fitting.summary import single_devices
from mho.report.fitting_figures import unit

Rows = list[list[str]]


def law_rows(fit: Fit) -> tuple[list[str], Rows]:
    """Return head and rows of the laws, the best first; differences are per device."""
    size, name = unit(fit)
    window = fit.prepared.window
    head = [
        "law",
        "BIC/device",
        "AIC/device",
        "R²",
        f"error ({name})",
        "error (% of window)",
        "parameters",
        "compared on",
    ]
    best = fit.ranking[0]
    rows = []
    for r in fit.ranking:
        if r.failed:
            continue
        bic, aic = (v / r.devices - b / best.devices for v, b in ((r.bic, best.bic), (r.aic, best.aic)))
        if r is best:
            bic = aic = 0.0
        rows.append([
            r.name, f"{bic:+.1f}", f"{aic:+.1f}", f"{r.r2:.4f}", f"{r.error * window.per_weight / size:.3g}",
            f"{100 * r.error / (1 - window.first):.2f}",
            str(r.parameters), str(r.devices),
        ])  # fmt: skip
    return head, rows


def parameter_rows(fit: Fit) -> tuple[list[str], Rows]:
    """Return head and rows of the device: every field with its spread, noise, and what follows from them."""
    size, name = unit(fit)
    window = fit.prepared.window
    rows = []
    for k, field in enumerate(fit.spreads.names):
        s = getattr(fit.device, field)
        mean = float(np.atleast_1d(s.mean)[0])
        d2d, std = float(np.atleast_1d(s.d2d)[0]), float(np.atleast_1d(s.std)[0])
        spread = f"{100 * d2d:.3g} %" + (" log-normal" if s.log_normal else "") if d2d else f"{std:.3g}"
        error = float(fit.spreads.population.mean_error[k]) * (abs(mean) if s.log_normal else 1.0)
        rows.append([field, f"{mean:.4g}", f"{error:.2g}", spread, _siemens(fit, field, mean, size, name)])
    for field, (value, error, between) in fit.shared.items():
        rows.append([field, f"{value:.4g}", f"{error:.2g}", f"({between:.2g} between single fits)", ""])
    noise, siemens = fit.read_noise, fit.read_noise * window.per_weight / size
    rows.append(["read noise", f"{noise:.4g}", "", _percentiles(fit.fit.read_noise), f"{siemens:.3g} {name}"])
    for what, values in single_devices(fit).items():
        there = values[np.isfinite(values)]
        if len(there):
            at = window.to_siemens(float(there.mean())) / size
            rows.append([
                what, f"{there.mean():.4g}", f"{there.std() / math.sqrt(len(there)):.2g}", f"{there.std():.3g}",
                f"{at:.4g} {name}" if what.startswith("symmetry") else "",
            ])  # fmt: skip
        else:
            rows.append([what, "none", "", "", ""])
    return ["", "mean", "error of mean", "spread between devices", "in siemens"], rows


def _siemens(fit: Fit, field: str, mean: float, size: float, name: str) -> str:
    """Return a step or a bound in siemens; other fields have no unit that is known."""
    window = fit.prepared.window
    if field == "dw_min":
        return f"{mean * window.per_weight / size:.3g} {name}"
    if field.endswith(("w_max", "w_min", "range_max", "range_min")):
        return f"{window.to_siemens(mean) / size:.4g} {name}"
    return ""


def _percentiles(values: np.ndarray) -> str:
    low, high = np.percentile(values, (10, 90))
    return f"{low:.3g} to {high:.3g}"


def correlation_rows(fit: Fit) -> tuple[list[str], Rows]:
    """Return head and rows of the measured correlations; those that are kept are marked with a star."""
    names, measured, kept = fit.spreads.names, fit.spreads.measured, fit.spreads.kept
    rows = []
    for i, one in enumerate(names):
        cells = [f"{measured[i, j]:+.2f}{'*' if kept[i, j] else ''}" if j < i else "" for j in range(len(names))]
        rows.append([one, *cells])
    return ["", *names], rows


def failed_rows(fit: Fit) -> Rows:
    """Return the laws that could not be fitted, with the reasons; those with the same one together."""
    reasons = dict.fromkeys(r.failed for r in fit.ranking if r.failed)
    return [[", ".join(r.name for r in fit.ranking if r.failed == why), why] for why in reasons]
