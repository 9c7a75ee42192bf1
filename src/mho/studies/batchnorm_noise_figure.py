"""The figure of batchnorm-noise: accuracy over noise in both units, and what is kept on average."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mho.studies.batchnorm_noise_parts import DEVIATION, KINDS, LARGEST
from mho.studies.bench_figure import draw_lines

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from mho.studies.bench import Row


def draw(figure: Figure, rows: Sequence[Row]) -> None:
    """Draw the three panels, as far as there are rows."""
    figure.set_size_inches(12.6, 3.8)
    places = figure.subplots(1, 3)
    for axes, unit in zip(places, (LARGEST, DEVIATION), strict=False):
        own = [r for r in rows if r.group == f"noise / {unit}"]
        if own:
            draw_lines(axes, own)
            axes.set_title("test accuracy", fontsize=9)
        else:
            axes.set_axis_off()
    _kept(places[2], rows)


def _kept(axes: Axes, rows: Sequence[Row]) -> None:
    """Draw what every kind keeps of its accuracy, both units side by side."""
    named = {r.case: r for r in rows}
    for shift, unit in ((-0.2, LARGEST), (0.2, DEVIATION)):
        own = [(place, named.get(f"{kind}, kept of noise / {unit}")) for place, kind in enumerate(KINDS)]
        own = [(place, r) for place, r in own if r is not None]
        if own:
            axes.bar(
                [place + shift for place, _ in own], [r.mean for _, r in own if r], 0.38,
                yerr=[r.std for _, r in own if r], capsize=3, label=f"noise / {unit}", alpha=0.8,
            )  # fmt: skip
    axes.set_xticks(range(len(KINDS)), list(KINDS), fontsize=8)
    axes.set(ylabel="% of the accuracy without noise", ylim=(0, 100))
    axes.set_title("kept, mean over the noise levels", fontsize=9)
    if axes.containers:
        axes.legend(fontsize=7.5, frameon=False, loc="upper right")
    axes.grid(alpha=0.25, axis="y", linewidth=0.5)
