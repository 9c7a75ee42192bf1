"""The figure of a study whose cases have series: accuracy over each setting, and weights before and after training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mho.studies.base import Study
from mho.studies.outcome import Outcome
from mho.studies.weights import initial_weights, trained_weights

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN = 2
"""How many cases, at most, show their weights."""
BINS = 120
TAIL = 0.002
"""The share of the weights beyond the ends of the axis, on either side."""


def draw_series(figure: Figure, study: Study, outcomes: Sequence[Outcome]) -> None:
    """Draw a panel for every setting that a series goes through, and below them the weights of one layer."""
    axes_of = {o.case.series.setting: o.case.series.axis for o in outcomes if o.case.series is not None}
    groups = [[o for o in outcomes if _setting(o) == setting] for setting in axes_of]
    shown = [o for o in groups[0] if o.lines][:SHOWN] if study.weights else []
    figure.set_size_inches(4.0 * max(2, len(groups)), 3.6 + 2.6 * bool(shown))
    heights = (1.35, 1.0) if shown else (1.0,)
    top, *below = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    panels = top.subplots(1, len(groups), squeeze=False)[0]
    for axes, own, axis in zip(panels, groups, axes_of.values(), strict=True):
        _accuracy(axes, own, axis)
        _baseline(axes, outcomes[0], own is groups[0])
    if shown:
        _weights(below[0], study, shown)
    run = outcomes[0].config
    chips = f"mean and standard deviation of {run.n_chips} chips" if run.n_chips > 1 else "1 chip"
    figure.suptitle(f"{study.name}: {study.network} on {run.data}, batch {run.batch_size}, {chips}", fontsize=10)


def _setting(outcome: Outcome) -> str:
    return outcome.case.series.setting if outcome.case.series is not None else ""


def _accuracy(axes: Axes, outcomes: Sequence[Outcome], axis: str) -> None:
    """Draw accuracy over the values of a series, a line per case."""
    from matplotlib import colormaps

    values: set[float] = set()
    for n, outcome in enumerate(outcomes):
        assert outcome.case.series is not None
        at = [value for value, _ in outcome.case.series.groups(outcome.config)]
        found = outcome.parts()
        if not at:
            continue
        values |= set(at)
        axes.errorbar(
            at, [o.mean for o in found], [o.std for o in found], marker="o", markersize=4, capsize=3, linewidth=1.3,
            color=colormaps["tab10"](n % 10), label=outcome.case.name,
        )  # fmt: skip
    ticks = sorted(values)
    if ticks and min(ticks) > 0 and max(ticks) > 5 * min(ticks):
        axes.set_xscale("log")
    axes.set_xticks(ticks, [f"{v:g}" for v in ticks])
    axes.minorticks_off()
    axes.set(xlabel=axis, ylabel="test accuracy (%)")
    axes.grid(alpha=0.25, linewidth=0.5)
    axes.legend(fontsize=7.5, frameon=False, loc="best")


def _baseline(axes: Axes, baseline: Outcome, named: bool) -> None:
    axes.axhline(baseline.mean, color="black", linestyle="--", linewidth=1)
    if named:
        axes.annotate(
            baseline.case.name, (0.02, baseline.mean), (0, 3), textcoords="offset points", fontsize=7.5,
            xycoords=("axes fraction", "data"),
        )  # fmt: skip


def _weights(panel: Any, study: Study, outcomes: Sequence[Outcome]) -> None:
    """Draw the distributions of the weights of one layer, for every value of the series."""
    from matplotlib import colormaps

    before = initial_weights(outcomes[0].config, study.weights)
    after = [trained_weights(o, study.weights) for o in outcomes]
    everything = np.concatenate([before.ravel(), *(a.ravel()[::17] for a in after)])
    low, high = np.quantile(everything, (TAIL, 1 - TAIL))
    edges = np.linspace(low, high, BINS + 1)
    centres = (edges[1:] + edges[:-1]) / 2
    panels = panel.subplots(1, len(outcomes), sharey=True, squeeze=False)[0]
    for axes, outcome, weights in zip(panels, outcomes, after, strict=True):
        axes.fill_between(centres, _density(before, edges), color="0.85", linewidth=0, label="before training")
        assert outcome.case.series is not None
        groups = outcome.case.series.groups(outcome.config)
        for n, (value, chips) in enumerate(groups):
            colour = colormaps["viridis"](0.92 * n / max(1, len(groups) - 1))
            label = outcome.case.series.label.format(value)
            axes.plot(centres, _density(weights[list(chips)], edges), color=colour, linewidth=1.1, label=label)
        axes.set(yscale="log", xlabel=f"weight of {study.weights}", title=outcome.case.name)
        axes.title.set_fontsize(9)
        axes.grid(alpha=0.25, linewidth=0.5)
    panels[0].set_ylabel("density")
    panels[-1].legend(fontsize=7, frameon=False, loc="best")


def _density(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    counts = np.histogram(values, edges)[0]
    found: np.ndarray = counts / (values.size * np.diff(edges))
    return np.where(found > 0, found, np.nan)
