"""The weights of one layer of a study's cases, before and after training, for every value of a series."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mho.studies.base import Study
from mho.studies.outcome import Outcome
from mho.studies.weights import initial_weights, trained_weights

BINS = 120
TAIL = 0.002
"""The share of the weights beyond the ends of the axis, on either side."""


def draw_weights(panel: Any, study: Study, outcomes: Sequence[Outcome]) -> None:
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
        groups = outcome.case.groups(outcome.config)
        for n, (point, chips) in enumerate(groups.items()):
            colour = colormaps["viridis"](0.92 * n / max(1, len(groups) - 1))
            label = outcome.case.label(outcome.config, point)
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
