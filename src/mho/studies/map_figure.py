"""A map of two settings: the penalty of every combination as colour and number, with the border of the tolerance."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np

from mho.studies.base import Study
from mho.studies.outcome import Outcome
from mho.studies.results import penalty

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DARK = 0.6
"""The share of the colour scale above which numbers are white."""


def grid_of(study: Study, outcomes: Sequence[Outcome], outcome: Outcome) -> tuple[list[float], list[float], np.ndarray]:
    """Return the values of both series, and the mean penalty (second series, first series) in points.

    Without the baseline it is the test error in percent.
    """
    found: dict[tuple[float, ...], float] = {}
    for point, part in outcome.points():
        gap = penalty(study, outcomes, part)
        found[point] = 100.0 - part.mean if gap is None else -fmean(gap)
    across = list(dict.fromkeys(p[0] for p in found))
    up = list(dict.fromkeys(p[1] for p in found))
    return across, up, np.array([[found[x, y] for x in across] for y in up])


def draw_map(axes: Axes, study: Study, outcomes: Sequence[Outcome], outcome: Outcome) -> None:
    """Draw the penalty over two settings; a line where it passes the study's threshold."""
    across, up, values = grid_of(study, outcomes, outcome)
    first, second = outcome.case.varied(outcome.config)
    paint_map(axes, across, up, values, study.threshold)
    axes.set(xlabel=first.axis, ylabel=second.axis)
    axes.set_title(f"{outcome.case.name}: points lost", fontsize=9)


def paint_map(
    axes: Axes, across: Sequence[float], up: Sequence[float], values: np.ndarray, border: float | None
) -> None:
    """Draw penalties (up, across) as colour and number, NaN as nothing, and a line where they pass `border`."""
    top = max(float(np.nanmax(values)), 1e-3)
    highest = max(5.0, 2.0 * (border or 0.0))
    shown = np.clip(values, 0.0, min(top, highest))  # a few failing corners would hide the border
    image = axes.imshow(shown, origin="lower", aspect="auto", cmap="YlOrRd", vmin=0.0)
    for y, x in np.ndindex(values.shape):
        colour = "white" if shown[y, x] > DARK * np.nanmax(shown) else "black"
        text = "" if np.isnan(values[y, x]) else f"{values[y, x]:.2f}".replace("-", "−")
        axes.text(x, y, text, ha="center", va="center", fontsize=7, color=colour)
    if border is not None and np.nanmin(values) < border < np.nanmax(values):
        axes.contour(values, levels=[border], colors="black", linewidths=1.5)
    axes.set_xticks(range(len(across)), [f"{v:g}" for v in across])
    axes.set_yticks(range(len(up)), [f"{v:g}" for v in up])
    if axes.figure is not None:
        axes.figure.colorbar(image, ax=axes, fraction=0.05)
