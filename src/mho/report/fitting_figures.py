"""Figures of a fit: data over fit, residuals, the distributions of the parameters, and what is correlated."""

from __future__ import annotations

from typing import Any

import numpy as np

from mho.characterize.fitting import Fit
from mho.characterize.fitting.choose import predicted_errors
from mho.characterize.sample import Sample
from mho.devices.spread import Spread
from mho.kernels.trace import START, UP
from mho.report.figure import BLUE, GREEN, GREY, ORANGE, RED, Figure, rgba
from mho.report.histogram import even_edges
from mho.report.scale import PREFIXES

SHOWN, DRAWN = 3, 400
"""Devices shown one by one; devices drawn from the fit."""
POINTS, COLUMNS = 1200, 400
"""Points of a line at most, and of a band."""
PAIRS = 4
FEW = 20
"""Readings from which a mean is shown."""


def unit(fit: Fit) -> tuple[float, str]:
    """Return the unit in which conductances of the fit read well: its size in siemens and its name."""
    return next(((s, n) for s, n in PREFIXES if fit.prepared.window.high >= s), PREFIXES[-1])


def data_figure(fit: Fit) -> Figure:
    """Return readings of some devices over their noise-free fits."""
    size, name = unit(fit)
    text = (
        f"Dots: readings. Lines: the law {fit.law} with the parameters of that device, without noise, through the same "
        "pulses; noise of the pulses takes a real device away from its line and the law brings it back."
    )
    figure = Figure("data", "Data over fit", text, "pulse", f"conductance ({name})")
    order = np.argsort(_spread_left(fit))
    picked = order[(np.linspace(0.15, 0.85, SHOWN) * (len(order) - 1)).round().astype(int)]
    records = fit.prepared.records
    for k, colour in zip(dict.fromkeys(picked.tolist()), (BLUE, ORANGE, GREEN), strict=False):
        d = fit.fit.devices[k]
        rows = np.arange(records.begins[d], records.ends[d])
        rows = rows[:: max(1, len(rows) // POINTS)]
        when = rows - records.begins[d]
        to = fit.prepared.window.to_siemens
        dots: dict[str, Any] = {"mode": "markers", "marker": {"size": 3, "color": rgba(colour, 0.45)}, "faint": True}
        figure.line(when, to(records.readings[rows].astype(float)) / size, colour=colour, **dots)
        figure.line(when, to(fit.trace[rows]) / size, fit.prepared.names[d], colour)
    return figure


def _spread_left(fit: Fit) -> np.ndarray:
    """Return the deviation of the readings of every device from its noise-free fit."""
    records, found = fit.prepared.records, []
    for d in fit.fit.devices:
        rows = slice(records.begins[d], records.ends[d])
        found.append(float(np.nanstd(records.readings[rows] - fit.trace[rows])))
    return np.array(found)


def population_figure(fit: Fit) -> Figure:
    """Return the bands of the measured devices, and of devices drawn from the fit, through the same pulses."""
    size, name = unit(fit)
    records, devices = fit.prepared.records, fit.fit.devices
    lengths = records.ends[devices] - records.begins[devices]
    rows = int(np.quantile(lengths, 0.25))
    whole = devices[lengths >= rows]
    kinds = np.stack([records.kinds[records.begins[d] : records.begins[d] + rows] for d in whole])
    pattern = np.where((kinds == UP).mean(axis=0) >= 0.5, 1, 0)
    alike = whole[((kinds == UP) == pattern).mean(axis=1) > 0.98]
    readings = np.stack([records.readings[records.begins[d] : records.begins[d] + rows] for d in alike])
    pulses = np.arange(rows)
    to = fit.prepared.window.to_siemens
    text = (
        f"Bands and lines: 10 %, 50 % and 90 % of {len(alike)} measured devices (blue) and of {DRAWN} devices drawn "
        "from the fitted device with its spreads and correlations (orange), through the same pulses from the "
        "measured starts."
    )
    figure = Figure("population", "All devices, measured and drawn", text, "pulse", f"conductance ({name})")
    keep = slice(None, None, max(1, rows // COLUMNS))
    drawn = _drawn(fit, pattern, readings[:, 0])
    for values, label, colour in ((readings, "measured", BLUE), (drawn, "drawn from the fit", ORANGE)):
        low, middle, high = to(np.nanpercentile(values[:, keep], (10, 50, 90), axis=0)) / size
        figure.band(pulses[keep], low, high, colour)
        figure.line(pulses[keep], middle, label, colour)
    return figure


def _drawn(fit: Fit, pattern: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return readings (DRAWN, rows) of devices drawn from the fit, with its read noise."""
    rng = np.random.default_rng(0)
    sample = Sample(fit.device, DRAWN)
    starts = starts[np.isfinite(starts)]
    sample.state = rng.choice(starts, (1, DRAWN)).astype(np.float64)
    states = [sample.state[0]]
    for up in pattern[1:]:
        if not up and fit.device.unipolar:  # between two runs of pulses up, each device is taken to a start anew
            sample.reset_()
            sample.state = rng.choice(starts, (1, DRAWN)).astype(np.float64)
        else:
            sample.pulse_(bool(up), rng.standard_normal(sample.state.shape))
        states.append(np.asarray(sample.state[0]))
    found = np.array(states).T
    return np.asarray(found + fit.read_noise * rng.standard_normal(found.shape))


def residual_figures(fit: Fit) -> list[Figure]:
    """Return the distribution of the prediction errors, and how they depend on the state."""
    z = predicted_errors(fit.prepared, fit.fit, fit.predicted) / np.sqrt(np.maximum(fit.predicted[:, 1], 1e-20))
    good = np.isfinite(z)
    edges = np.linspace(-5, 5, 81)
    share = np.histogram(z[good], edges)[0] / max(int(good.sum()), 1) / (edges[1] - edges[0])
    text = (
        "Reading minus prediction from the readings before it, over the predicted standard deviation. Line: what "
        f"a law that is right gives. {int((np.abs(z[good]) > 5).sum())} of {int(good.sum())} lie outside."
    )
    first = Figure("residuals", "Residuals", text, "prediction error (standard deviations)", "density")
    first.bars(edges, share, "readings")
    x = (edges[:-1] + edges[1:]) / 2
    first.line(x, np.exp(-0.5 * x**2) / np.sqrt(2 * np.pi), "standard normal", RED)
    text = (
        "Mean prediction error over the predicted state, after pulses up and down; a law with the wrong shape leaves a "
        "trend. Bands: two standard errors."
    )
    second = Figure("trend", "Residuals over the state", text, "state w", "mean error (standard deviations)")
    states, kinds = fit.predicted[:, 0], fit.prepared.records.kinds
    bins = even_edges(*_ends(states[good]), 24)
    middle = (bins[:-1] + bins[1:]) / 2
    clear = good & (np.abs(np.nan_to_num(z)) < 5)
    for up, label, colour in ((True, "up", BLUE), (False, "down", ORANGE)):
        chosen = clear & ((kinds == UP) == up) & (kinds != START)
        count = np.histogram(states[chosen], bins)[0].astype(float)
        count[count < FEW] = np.nan
        mean = np.histogram(states[chosen], bins, weights=z[chosen])[0] / count
        second.band(middle, mean - 2 / np.sqrt(count), mean + 2 / np.sqrt(count), colour)
        second.line(middle, mean, label, colour)
    return [first, second]


def parameter_figures(fit: Fit) -> list[Figure]:
    """Return the fitted values of every Spread field with the fitted spread over them."""
    found = []
    for k, name in enumerate(fit.spreads.names):
        values = _values(fit, name)
        bins = int(np.clip(2 * np.sqrt(len(values)), 8, 40))
        edges = even_edges(*_ends(values), bins)
        s: Spread = getattr(fit.device, name)
        kind = "log-normal" if s.log_normal else "normal"
        text = f"Bars: fitted devices, with the errors of their fits. Line: the {kind} spread between devices."
        figure = Figure(f"parameter-{k}", name, text, name, "density")
        width = edges[1] - edges[0]
        figure.bars(edges, np.histogram(values, edges)[0] / len(values) / width, "")
        x = np.linspace(edges[0], edges[-1], 120)
        mean = float(np.atleast_1d(s.mean)[0])
        std = float(np.atleast_1d(s.d2d)[0]) * abs(mean) + float(np.atleast_1d(s.std)[0])
        if s.log_normal:
            spread = float(np.atleast_1d(s.d2d)[0])
            inside = x / mean > 0
            ratio = np.where(inside, np.log(np.where(inside, x / mean, 1.0)), 0.0)
            y = np.where(inside, np.exp(-0.5 * (ratio / max(spread, 1e-9)) ** 2) / np.maximum(np.abs(x), 1e-12), 0.0)
            y /= max(spread, 1e-9) * np.sqrt(2 * np.pi)
        else:
            y = np.exp(-0.5 * ((x - mean) / max(std, 1e-9 * width)) ** 2) / (
                max(std, 1e-9 * width) * np.sqrt(2 * np.pi)
            )
        if std > 0.05 * width or s.log_normal:
            figure.line(x, y, colour=RED)
        found.append(figure)
    return found


def correlation_figures(fit: Fit) -> list[Figure]:
    """Return the most correlated pairs of parameters, device by device."""
    names, kept = fit.spreads.names, fit.spreads.kept
    pairs = [(abs(kept[i, j]), i, j) for i in range(len(names)) for j in range(i) if kept[i, j]]
    found = []
    for n, (_, i, j) in enumerate(sorted(pairs, reverse=True)[:PAIRS]):
        x, y = _values(fit, names[j]), _values(fit, names[i])
        some = np.unique(np.linspace(0, len(x) - 1, 300).round().astype(int))
        text = f"A dot per device. Correlation of the draws {kept[i, j]:+.2f}; a draw above 0 is further from 0."
        figure = Figure(f"pair-{n}", f"draws correlated {kept[i, j]:+.2f}", text, names[j], names[i])
        figure.line(x[some], y[some], colour=GREY, mode="markers", marker={"size": 4, "color": BLUE})
        found.append(figure)
    return found


def _values(fit: Fit, name: str) -> np.ndarray:
    return np.asarray(fit.fit.values[:, fit.fit.parameters.names.index(name)])


def _ends(values: np.ndarray) -> tuple[float, float]:
    """Return the range of nearly all values."""
    low, high = np.quantile(values, (0.005, 0.995))
    return float(low), float(high)
