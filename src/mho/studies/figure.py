"""The figure of a study: test error per epoch of every case, and the ladder of final errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from mho.folders import replacing
from mho.studies.base import Study
from mho.studies.outcome import Outcome
from mho.studies.series_figure import draw_series

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FLOOR = 0.1
"""The smallest test error that a logarithmic axis shows, in percent."""


def draw(study: Study, outcomes: Sequence[Outcome], folder: Path) -> None:
    """Write figure.png and figure.svg: of cases with series, what `series_figure` draws of them."""
    paint = draw_series if any(o.case.axes for o in outcomes) else _draw_cases
    save_figure(study.name, folder, lambda figure: paint(figure, study, outcomes))


def save_figure(name: str, folder: Path, paint: Callable[[Figure], None]) -> None:
    """Write what `paint` draws as figure.png and figure.svg; the same drawing of `name` gives the same bytes."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with rc_context({"font.size": 9, "svg.hashsalt": name, "svg.fonttype": "none"}):
        figure = Figure(layout="constrained")
        FigureCanvasAgg(figure)
        paint(figure)
        with replacing(folder / "figure.png") as temporary:
            figure.savefig(temporary, format="png", dpi=130)
        with replacing(folder / "figure.svg") as temporary:
            figure.savefig(temporary, format="svg", metadata={"Date": None})


def caption(study: Study, outcomes: Sequence[Outcome]) -> str:
    """Return in words what the figure shows."""
    if not any(o.case.axes for o in outcomes):
        return "Test error per epoch of every case, and final test errors"
    weights = f"; weights of {study.weights} before and after training" if study.weights else ""
    border = f"; the dotted line is {study.threshold:g} points below the baseline" if study.threshold else ""
    maps = "; points lost over two settings, with the border of that loss" if any(o.case.grid for o in outcomes) else ""
    pulses = "; pulses per device over the whole training" if study.endurance else ""
    return f"Test accuracy of every case over the settings that its chips go through{border}{maps}{pulses}{weights}"


def _draw_cases(figure: Figure, study: Study, outcomes: Sequence[Outcome]) -> None:
    figure.set_size_inches(9.6, 0.32 * max(8, len(outcomes)) + 1.5)
    curves, ladder = figure.subplots(1, 2, width_ratios=(1, 1.1))
    colours = _colours(len(outcomes))
    _curves(curves, outcomes, colours)
    _ladder(ladder, study, outcomes, colours)
    run = outcomes[0].config
    chips = f"mean and range of {run.n_chips} chips" if run.n_chips > 1 else "1 chip"
    figure.suptitle(f"{study.name}: {study.network} on {run.data}, batch {run.batch_size}, {chips}", fontsize=10)


def _colours(n: int) -> list[Any]:
    """Return black for the baseline, then a colour for each rung."""
    from matplotlib import colormaps

    return ["black", *(colormaps["turbo"](0.06 + 0.88 * k / max(1, n - 2)) for k in range(n - 1))]


def _curves(axes: Axes, outcomes: Sequence[Outcome], colours: Sequence[Any]) -> None:
    from matplotlib.ticker import MaxNLocator

    begun = [(o, colour) for o, colour in zip(outcomes, colours, strict=True) if o.lines]
    for outcome, colour in begun:
        epochs = [line["epoch"] for line in outcome.lines]
        errors = [[max(FLOOR, 100.0 - a) for a in line["test_accuracy"]] for line in outcome.lines]
        means = [fmean(e) for e in errors]
        marker = "o" if len(epochs) <= 3 else None
        axes.plot(epochs, means, color=colour, marker=marker, markersize=3, linewidth=1.3)
        low, high = [min(e) for e in errors], [max(e) for e in errors]
        axes.fill_between(epochs, low, high, color=colour, alpha=0.13, linewidth=0)
    if not begun:  # a logarithmic axis cannot be empty
        axes.set_ylim(FLOOR, 100.0)
    axes.set(yscale="log", xlabel="epoch (colours as on the right)", ylabel="test error (%)")
    plain_numbers(axes.yaxis)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.25, which="both", linewidth=0.5)


def _ladder(axes: Axes, study: Study, outcomes: Sequence[Outcome], colours: Sequence[Any]) -> None:
    for place, (outcome, colour) in enumerate(zip(outcomes, colours, strict=True)):
        errors = [max(FLOOR, 100.0 - a) for a in outcome.accuracy]
        mean = fmean(errors)
        # The range, not the standard deviation: of a case where some chips fail that would reach below zero.
        bar = [[mean - min(errors)], [max(errors) - mean]]
        axes.errorbar(mean, place, xerr=bar, fmt="o", color=colour, capsize=3, markersize=5)
        known = [100.0 - r.value for r in study.known(outcome.case, outcome.config)[0] if r.value is not None]
        axes.plot(known, [place] * len(known), "D", mfc="none", color="grey", markersize=6)
        axes.annotate(f"{mean:.2f}", (mean, place), (0, 6), textcoords="offset points", fontsize=7.5, ha="center")
    names = [o.case.name + (" (diverged)" if o.diverged else "") for o in outcomes]
    axes.set_yticks(range(len(outcomes)), names)
    axes.set(xscale="log", xlabel="final test error (%)")
    axes.invert_yaxis()
    axes.margins(y=0.12)
    if any(r.value is not None for o in outcomes for r in study.known(o.case, o.config)[0]):
        axes.plot([], [], "D", mfc="none", color="grey", label="published (see table)")
        axes.legend(fontsize=7.5, loc="lower right", frameon=False)
    plain_numbers(axes.xaxis)
    axes.grid(alpha=0.25, axis="x", which="both", linewidth=0.5)


def plain_numbers(axis: Any) -> None:
    """Label a logarithmic axis with plain numbers, also between powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=12))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())
