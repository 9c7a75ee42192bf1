"""Figures of the training: accuracy and loss per epoch, pulses per epoch, sizes of the errors."""

from __future__ import annotations

from typing import Any

import numpy as np

from mho.report import words
from mho.report.figure import BLUE, COLOURS, ORANGE, Figure, log_axis
from mho.report.rundir import Run, numbers_in

FEW = 12
"""Up to so many chips have a line each; more have a band."""


def training_figures(run: Run) -> list[Figure]:
    """Return the figures that the metrics allow."""
    lines = run.metrics
    if not lines:
        return []
    chips = max((len(numbers_in(line.get("test_accuracy"))) for line in lines), default=1)
    found = [_accuracy(run, chips), _loss(run, chips), _pulses(run), _errors(run)]
    return [figure for figure in found if figure is not None]


def _accuracy(run: Run, chips: int) -> Figure | None:
    means = [float(np.mean(v)) for v in _series(run, "test_accuracy")[1].T]
    text = (
        "Training accuracy is measured while the weights move, test accuracy after every epoch. "
        f"{_over(chips)} Best test accuracy of an epoch: {words.accuracy([max(means, default=np.nan)])}."
    )
    figure = Figure("accuracy", "Accuracy", text, "epoch", "accuracy (%)")
    return _curves(run, figure, (("train_accuracy", "training", ORANGE), ("test_accuracy", "test", BLUE)))


def _loss(run: Run, chips: int) -> Figure | None:
    figure = Figure("loss", "Loss", f"Cross-entropy per sample. {_over(chips)}", "epoch", "loss per sample")
    return _curves(run, figure, (("train_loss", "training", ORANGE), ("test_loss", "test", BLUE)))


def _over(chips: int) -> str:
    if chips == 1:
        return ""
    if chips <= FEW:
        return f"Thin lines: the {chips} chips. Thick: their mean."
    return f"Line: mean of {chips} chips. Band: ± one standard deviation. Thin lines: lowest, highest chip."


def _curves(run: Run, figure: Figure, keys: tuple[tuple[str, str, str], ...]) -> Figure | None:
    """Add the curves of metrics over chips; None when the metrics have none of them."""
    for key, label, colour in keys:
        epochs, values = _series(run, key)
        if not values.size:
            continue
        if len(values) > FEW:
            mean, std = values.mean(axis=0), values.std(axis=0, ddof=1)
            figure.band(epochs, mean - std, mean + std, colour)
            thin = np.stack([values.min(axis=0), values.max(axis=0)])
        else:
            thin = values if len(values) > 1 else values[:0]
        for one in thin:
            figure.line(epochs, one, colour=colour, faint=True)
        name = label if len(values) == 1 else f"{label}, mean of {len(values)} chips"
        figure.points(epochs, values.mean(axis=0), name, colour)
    _whole(figure, [line["epoch"] for line in run.metrics])
    return figure if figure.traces else None


def _whole(figure: Figure, epochs: list[int]) -> None:
    """Let the epoch axis have whole numbers."""
    few = {"tickmode": "array", "tickvals": epochs}
    figure.layout["xaxis"] = few if len(epochs) <= 12 else {"tickformat": "d"}


def _series(run: Run, key: str) -> tuple[list[int], np.ndarray]:
    """Return the epochs that have a metric, and its values (chips, epochs)."""
    pairs = [(line["epoch"], numbers_in(line.get(key))) for line in run.metrics if key in line]
    size = len(pairs[-1][1]) if pairs else 0
    pairs = [p for p in pairs if len(p[1]) == size > 0]
    return [e for e, _ in pairs], np.array([v for _, v in pairs]).T


def by_layer(line: dict[str, Any], key: str) -> dict[str, Any]:
    """Return a metric that is kept by layer, or nothing."""
    found = line.get(key)
    return found if isinstance(found, dict) else {}


def _pulses(run: Run) -> Figure | None:
    """Pulses of every epoch: differences of the totals that the metrics hold."""
    text = (
        "Pulses that the devices of a layer got in each epoch, mean over chips. They show which layer wears "
        "its devices, and whether training has settled."
    )
    figure = Figure("pulses-per-epoch", "Pulses per epoch", text, "epoch", "pulses per chip")
    names = _names(run, "pulses")
    for name, colour in zip(names, _colours(len(names)), strict=True):
        pairs = [(line["epoch"], numbers_in(by_layer(line, "pulses").get(name))) for line in run.metrics]
        pairs = [p for p in pairs if p[1]]
        totals = [float(np.mean(values)) for _, values in pairs]
        figure.points([e for e, _ in pairs], np.diff([0.0, *totals]), name, colour)
    _whole(figure, [line["epoch"] for line in run.metrics])
    values = [v or 0.0 for t in figure.traces for v in t["y"]]
    figure.layout["yaxis"] = log_axis(values) if min(values, default=0.0) > 0 else {"rangemode": "tozero"}
    return figure if any(values) else None


def _errors(run: Run) -> Figure | None:
    """Median and 5 to 95 % of max abs(d) of every layer."""
    levels = by_layer(run.summary, "max_abs_d").get("quantiles", [0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0])
    if not numbers_in(levels):
        return None
    low, middle, high = (int(np.abs(np.array(levels) - q).argmin()) for q in (0.05, 0.5, 0.95))
    text = (
        "Largest absolute error d of a vector, which the backward converters see, from samples of every "
        f"epoch (batch {run.config.batch_size}, loss summed over the batch). Line: median. Band: 5 to 95 %."
    )
    figure = Figure("max-abs-d", "Size of the errors", text, "epoch", "max |d|")
    names = _names(run, "max_abs_d")
    for name, colour in zip(names, _colours(len(names)), strict=True):
        pairs = [(line["epoch"], numbers_in(by_layer(line, "max_abs_d").get(name))) for line in run.metrics]
        pairs = [p for p in pairs if len(p[1]) == len(levels)]
        if pairs:
            epochs, q = [e for e, _ in pairs], np.array([v for _, v in pairs])
            figure.band(epochs, q[:, low], q[:, high], colour)
            figure.points(epochs, q[:, middle], name, colour)
    _whole(figure, [line["epoch"] for line in run.metrics])
    figure.layout["yaxis"] = log_axis(v for t in figure.traces for v in t["y"] if v is not None)
    return figure if figure.traces else None


def _names(run: Run, key: str) -> list[str]:
    """Return the layers that a metric knows, in the order of the network."""
    return list(dict.fromkeys(name for line in run.metrics for name in by_layer(line, key)))


def _colours(count: int) -> list[str]:
    return [COLOURS[k % len(COLOURS)] for k in range(count)]
