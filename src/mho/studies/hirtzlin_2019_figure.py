"""The figure of hirtzlin-2019: errors counted and by formula on a logarithmic axis, and accuracies below them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mho.studies.bench import Row
from mho.studies.bench_figure import draw_lines

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

READINGS = ("differential", "single-ended", "single-ended, balanced", "single-ended, balanced, with error correction")


def draw(figure: Figure, rows: Sequence[Row]) -> None:
    """Draw what there is: bit errors, accuracy over their rate, accuracy over the ratio of resistances."""
    groups = [g for g in dict.fromkeys(r.group for r in rows) if g != "networks"]
    if not groups:
        return
    figure.set_size_inches(4.8 * len(groups), 4.2)
    for axes, group in zip(figure.subplots(1, len(groups), squeeze=False)[0], groups, strict=True):
        own = [r for r in rows if r.group == group]
        if group == "bit errors":
            _draw_errors(axes, own)
        else:
            draw_lines(axes, own)
        axes.set_title(group, fontsize=9)


def _draw_errors(axes: Axes, rows: Sequence[Row]) -> None:
    """Draw closed forms as lines and counts as points; where nothing was counted there is no point."""
    for color, name in enumerate(dict.fromkeys(r.line for r in rows)):
        own = sorted((r for r in rows if r.line == name), key=lambda r: r.at or 0.0)
        at = [r.at or 0.0 for r in own]
        axes.plot(at, [formula(r) for r in own], color=f"C{color}", linewidth=1.2)
        seen = [(x, r.mean) for x, r in zip(at, own, strict=True) if r.mean > 0]
        axes.plot(*zip(*seen, strict=True) if seen else ((), ()), "o", color=f"C{color}", markersize=5, label=name)
    axes.set(xscale="log", yscale="log", xlabel=rows[0].axis, ylabel="bit error rate")
    ticks = sorted({r.at or 0.0 for r in rows})
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.minorticks_off()
    axes.grid(alpha=0.25, linewidth=0.5)
    axes.legend(fontsize=7, frameon=False, loc="best")


def formula(row: Row) -> float:
    """Return the closed form that a row of counted errors states."""
    found = re.fullmatch(r"closed form (\S+)", row.about)
    assert found is not None, row
    return float(found[1])
