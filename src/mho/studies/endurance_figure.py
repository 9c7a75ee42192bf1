"""Histograms of the pulses that every device got over a training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mho.report.histogram import count, log_edges
from mho.studies.endurance import Endurance

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PER_DECADE = 12


def draw_endurance(axes: Axes, found: Sequence[Endurance]) -> None:
    """Draw how many devices of each array of a case got how many pulses; those without any are told in the legend."""
    edges = log_edges(max(int(e.counts.max()) for e in found), PER_DECADE)
    for e in found:
        shares = count(e.counts, edges) / e.counts.size
        none = float(np.mean(e.counts == 0))
        label = f"{e.array.upper()}: mean {e.mean:.3g}" + (f", {100 * none:.0f} % without any" if none >= 0.005 else "")
        axes.stairs(shares, edges, label=label, linewidth=1.2)
    axes.set(xscale="log", yscale="log", xlabel="pulses per device, whole training", ylabel="share of devices")
    axes.set_title(found[0].case, fontsize=9)
    axes.grid(alpha=0.25, linewidth=0.5)
    axes.legend(fontsize=7, frameon=False, loc="best")
