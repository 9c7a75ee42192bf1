"""Figures of the training: accuracy and loss per epoch, pulses per epoch, sizes of the errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mho.report.figure import BLUE, COLOURS, ORANGE, Figure
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
    best = max((np.mean(v) for v in _series(run, "test_accuracy")[1].T if len(v)), default=np.nan)
    figure = Figure(
        "accuracy", "Accuracy", f"Training accuracy is measured while the weights move, test accuracy after every "
        f"epoch. {_over(chips)} Best mean test accuracy of an epoch: {best:.2f} %.", "epoch", "accuracy (%)",
    )  # fmt: skip
    return _curves(run, figure, (("train_accuracy", "training", ORANGE), ("test_accuracy", "test", BLUE)))


def _loss(run: Run, chips: int) -> Figure | None:
    figure = Figure("loss", "Loss", f"Cross-entropy per sample. {_over(chips)}", "epoch", "loss per sample")
    return _curves(run, figure, (("train_loss", "training", ORANGE), ("test_loss", "test", BLUE)))


def _over(chips: int) -> str:
    if chips == 1:
        return ""
    if chips <= FEW:
        return f"Thin lines: the {chips} chips. Thick: their mean."
    return f"Line: mean of {chips} chips. Band: ± one standard deviation. Thin lines: lowest and highest chip."


def _curves(run: Run, figure: Figure, keys: tuple[tuple[str, str, str], ...]) -> Figure | None:
    """Add the curves of metrics over chips; None when the metrics have none of them."""
    for key, label, colour in keys:
        epochs, values = _series(run, key)
        if not values.size:
            continue
        if len(values) > FEW:
            mean, std = values.mean(axis=0), values.std(axis=0, ddof=1)
            figure.band(epochs, mean - std, mean + std, f"{label}, ± 1 standard deviation", colour)
        thin = values if 1 < len(values) <= FEW else [values.min(axis=0), values.max(axis=0)] if len(values) > 1 else []
        for one in thin:
            figure.line(epochs, one, colour=colour, faint=True)
        name = label if len(values) == 1 else f"{label}, mean of {len(values)} chips"
        figure.line(epochs, values.mean(axis=0), name, colour, mode="lines+markers", marker={"size": 5})
    _whole(figure, [line["epoch"] for line in run.metrics])
    return figure if figure.traces else None


def _whole(figure: Figure, epochs: list[int]) -> None:
    """Let the epoch axis have whole numbers."""
    figure.layout["xaxis"] = {"tickmode": "array", "tickvals": epochs} if len(epochs) <= 12 else {"tickformat": "d"}


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
    figure = Figure(
        "pulses-per-epoch", "Pulses per epoch", "Pulses that the devices of a layer got in each epoch, mean over chips. "
        "They show which layer wears its devices, and whether training has settled.", "epoch", "pulses per chip",
    )  # fmt: skip

    def total(line: dict[str, Any], name: str) -> float | None:
        values = numbers_in(by_layer(line, "pulses").get(name))
        return float(np.mean(values)) if values else None

    _layer_lines(run, figure, "pulses", total, steps=True)
    positive = all(v is not None and v > 0 for t in figure.traces for v in t["y"])
    figure.layout["yaxis"] = {"type": "log", "exponentformat": "power"} if positive else {"rangemode": "tozero"}
    return figure if figure.traces else None


def _errors(run: Run) -> Figure | None:
    """Median and 5 to 95 % of max abs(d) of every layer."""
    levels = by_layer(run.summary, "max_abs_d").get("quantiles", [0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0])
    if not numbers_in(levels):
        return None
    low, middle, high = (int(np.abs(np.array(levels) - q).argmin()) for q in (0.05, 0.5, 0.95))
    figure = Figure(
        "max-abs-d", "Size of the errors", "Largest absolute error d of a vector, which the backward converters see, "
        f"from samples of every epoch (batch {run.config.batch_size}, loss summed over the batch). "
        "Line: median. Band: 5 to 95 % of the vectors.", "epoch", "max |d|",
    )  # fmt: skip
    names = _names(run, "max_abs_d")
    for name, colour in zip(names, _colours(len(names)), strict=True):
        pairs = [(line["epoch"], numbers_in(by_layer(line, "max_abs_d").get(name))) for line in run.metrics]
        pairs = [p for p in pairs if len(p[1]) == len(levels)]
        if pairs:
            epochs, q = [e for e, _ in pairs], np.array([v for _, v in pairs])
            figure.band(epochs, q[:, low], q[:, high], "", colour)
            figure.traces[-1]["showlegend"] = False
            figure.line(epochs, q[:, middle], name, colour, mode="lines+markers", marker={"size": 5})
    _whole(figure, [line["epoch"] for line in run.metrics])
    figure.layout["yaxis"] = {"type": "log", "exponentformat": "power"}
    return figure if figure.traces else None


def _names(run: Run, key: str) -> list[str]:
    """Return the layers that a metric knows, in the order of the network."""
    return list(dict.fromkeys(name for line in run.metrics for name in by_layer(line, key)))


def _colours(count: int) -> list[str]:
    return [COLOURS[k % len(COLOURS)] for k in range(count)]


def _layer_lines(
    run: Run, figure: Figure, key: str, read: Callable[[dict[str, Any], str], float | None], *, steps: bool = False
) -> None:
    """Add a line over epochs for every layer; `steps`: of the differences between epochs."""
    names = _names(run, key)
    for name, colour in zip(names, _colours(len(names)), strict=True):
        pairs = [(line["epoch"], read(line, name)) for line in run.metrics]
        epochs, values = [e for e, v in pairs if v is not None], [v for _, v in pairs if v is not None]
        if values:
            shown = np.diff([0.0, *values]) if steps else values
            figure.line(epochs, shown, name, colour, mode="lines+markers", marker={"size": 5})
    _whole(figure, [line["epoch"] for line in run.metrics])
