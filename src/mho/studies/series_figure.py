"""The figure of a study whose cases have series: accuracy over every setting, maps of two, endurance, weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from statistics import mode
from typing import TYPE_CHECKING, Any

from mho.studies.base import Study
from mho.studies.endurance import endurances
from mho.studies.endurance_figure import draw_endurance
from mho.studies.map_figure import draw_map
from mho.studies.outcome import Outcome
from mho.studies.weights_figure import draw_weights
from mho.sweep.crossing import logarithmic

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Panel = Callable[["Axes"], None]

SHOWN = 2
"""How many cases, at most, show their weights."""
FAR = 12
"""Thresholds below the baseline at which the axis of a curve ends, unless the two best of its values are lower."""
COLUMNS = 4
"""How many panels, at most, stand side by side."""


def draw_series(figure: Figure, study: Study, outcomes: Sequence[Outcome]) -> None:
    """Draw a panel for each of: the cases without series, every axis, every grid, endurance; below them weights."""
    panels = [*_ladder(study, outcomes), *_curves(study, outcomes)]
    panels += [partial(draw_map, study=study, outcomes=outcomes, outcome=o) for o in outcomes if _map(o)]
    counted = endurances(study, outcomes)
    panels += [
        partial(draw_endurance, found=[e for e in counted if e.case == name])
        for name in dict.fromkeys(e.case for e in counted)
    ]
    shown = [o for o in outcomes if o.case.axes and o.lines][:SHOWN] if study.weights else []
    columns = min(len(panels), COLUMNS)
    rows = -(-len(panels) // columns)
    figure.set_size_inches(4.0 * max(2, columns), 3.6 * rows + 2.6 * bool(shown))
    heights = (1.35 * rows, 1.0) if shown else (1.0,)
    top, *below = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    places = top.subplots(rows, columns, squeeze=False).ravel()
    for axes, draw in zip(places, panels, strict=False):
        draw(axes)
    for axes in places[len(panels) :]:
        axes.set_axis_off()
    if shown:
        draw_weights(below[0], study, shown)
    run, n = outcomes[0].config, mode(len(part.accuracy) for o in outcomes for part in o.parts())
    chips = f"mean and standard deviation of {n} chips" if n > 1 else "1 chip"
    figure.suptitle(f"{study.name}: {study.network} on {run.data}, batch {run.batch_size}, {chips}", fontsize=10)


def _map(outcome: Outcome) -> bool:
    return outcome.case.grid and len(outcome.case.varied(outcome.config)) == 2


def _ladder(study: Study, outcomes: Sequence[Outcome]) -> list[Panel]:
    """Return a panel of the cases without series, where there are more of them than the baseline."""
    plain = [o for o in outcomes if not o.case.axes]
    return [partial(_draw_ladder, outcomes=plain)] if len(plain) > 1 else []


def _draw_ladder(axes: Axes, outcomes: Sequence[Outcome]) -> None:
    for place, o in enumerate(outcomes):
        bar = [[o.mean - min(o.accuracy)], [max(o.accuracy) - o.mean]]
        axes.errorbar(o.mean, place, xerr=bar, fmt="o", capsize=3, markersize=4, color="C0" if place else "black")
        axes.annotate(f"{o.mean:.2f}", (o.mean, place), (0, 5), textcoords="offset points", fontsize=7, ha="center")
    axes.axvline(outcomes[0].mean, color="black", linestyle="--", linewidth=1)
    axes.set_yticks(range(len(outcomes)), [o.case.name for o in outcomes], fontsize=7.5)
    axes.invert_yaxis()
    axes.margins(x=0.12, y=0.1)
    axes.set(xlabel="test accuracy (%)")
    axes.grid(alpha=0.25, axis="x", linewidth=0.5)


def _curves(study: Study, outcomes: Sequence[Outcome]) -> list[Panel]:
    """Return a panel for every axis, which the cases share that go along it."""
    names = dict.fromkeys(axis.axis for o in outcomes if not o.case.grid for axis in o.case.varied(o.config))
    return [
        partial(_draw_curves, study=study, outcomes=outcomes, name=name, named=k == 0) for k, name in enumerate(names)
    ]


def _draw_curves(axes: Axes, study: Study, outcomes: Sequence[Outcome], name: str, named: bool) -> None:
    """Draw accuracy over the values of a series, a line per case, with the baseline and the threshold."""
    from matplotlib import colormaps

    lines = [(o, o.curve(axis)) for o in outcomes for axis in o.case.axes if axis.axis == name and not o.case.grid]
    values: set[float] = set()
    for n, (outcome, curve) in enumerate((o, c) for o, c in lines if c):
        curve.sort(key=lambda point: point[0])
        at, found = [v for v, _ in curve], [part for _, part in curve]
        values |= set(at)
        axes.errorbar(
            at, [o.mean for o in found], [o.std for o in found], marker="o", markersize=4, capsize=3, linewidth=1.3,
            color=colormaps["tab10"](n % 10), label=outcome.case.name,
        )  # fmt: skip
    _ticks(axes, sorted(values))
    axes.set(xlabel=name, ylabel="test accuracy (%)")
    axes.grid(alpha=0.25, linewidth=0.5)
    axes.legend(fontsize=7.5, frameon=False, loc="best")
    _baseline(axes, study, outcomes[0], named)
    if study.threshold is not None:  # a case that fails would flatten the curves at the border
        seen = [sorted(o.mean for _, o in curve)[-2:][0] - study.threshold for _, curve in lines if curve]
        end = min([outcomes[0].mean - FAR * study.threshold, *seen])
        axes.set_ylim(bottom=max(axes.get_ylim()[0], end))


def _ticks(axes: Axes, ticks: Sequence[float]) -> None:
    if logarithmic(ticks):
        axes.set_xscale("log")
    axes.set_xticks(ticks, [f"{v:g}" for v in ticks])
    axes.minorticks_off()


def _baseline(axes: Axes, study: Study, baseline: Outcome, named: bool) -> None:
    axes.axhline(baseline.mean, color="black", linestyle="--", linewidth=1)
    if study.threshold is not None:
        axes.axhline(baseline.mean - study.threshold, color="grey", linestyle=":", linewidth=1)
    if named:
        _note(axes, baseline.case.name, baseline.mean)


def _note(axes: Axes, text: str, height: float) -> None:
    options: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "fontsize": 7.5}
    axes.annotate(text, (0.02, height), (0, 3), **options)
