"""The figure of an ablation: a ranked bar chart, as a picture and for the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mho.ablation.costs import Cost, Row
from mho.ablation.table import ends, signed
from mho.folders import replacing
from mho.report.figure import BLUE, ORANGE, Figure

if TYPE_CHECKING:
    from mho.ablation.run import Ablation

WAYS = (("off", "gained with it turned off", BLUE), ("alone", "lost with it alone", ORANGE))
HALF = 0.38
AXIS = "points of test accuracy"


def draw(result: Ablation, folder: Path) -> None:
    """Write figure.png and figure.svg."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

    rows, run = result.rows, result.plan.config
    style: dict[Any, Any] = {
        "font.size": 9, "svg.hashsalt": "ablation", "svg.fonttype": "none", "axes.spines.top": False,
        "axes.spines.right": False,
    }  # fmt: skip
    with rc_context(style):
        canvas = Canvas(figsize=(8.6, 0.42 * len(rows) + 1.9), layout="constrained")
        FigureCanvasAgg(canvas)
        axes: Any = canvas.add_subplot()
        for n, (way, label, colour) in enumerate(WAYS):
            _bars(axes, rows, way, (n - 0.5) * HALF, label, colour)
        axes.axvline(0, color="black", linewidth=0.8)
        axes.set_yticks(range(len(rows)), [row.name for row in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_xlabel(f"{AXIS}: mean difference and its standard error; * significant")
        axes.grid(alpha=0.25, axis="x", linewidth=0.5)
        axes.set_axisbelow(True)
        canvas.legend(fontsize=8, frameon=False, loc="outside lower center", ncols=2)
        axes.set_title(f"{run.network} on {run.data}, preset {run.preset}\n{_ends(result)}", fontsize=9.5, loc="left")
        with replacing(folder / "figure.png") as temporary:
            canvas.savefig(temporary, format="png", dpi=130)
        with replacing(folder / "figure.svg") as temporary:
            canvas.savefig(temporary, format="svg", metadata={"Date": None})


def _bars(axes: Any, rows: Sequence[Row], way: str, at: float, label: str, colour: str) -> None:
    held = [(place, getattr(row, way)) for place, row in enumerate(rows) if getattr(row, way) is not None]
    points = [c.points for _, c in held]
    errors = [_error(c) for _, c in held]
    places = [place + at for place, _ in held]
    axes.barh(places, points, HALF, color=colour, label=label, alpha=0.85, linewidth=0)
    axes.errorbar(points, places, xerr=errors, fmt="none", ecolor="#1f2937", elinewidth=1, capsize=2)
    for place, (_, c), error in zip(places, held, errors, strict=True):
        if c.significant:
            side = 1 if c.points >= 0 else -1
            axes.annotate(
                "*", (c.points + side * error, place), (4 * side, -3), textcoords="offset points",
                ha="left" if side > 0 else "right", va="center", fontsize=11,
            )  # fmt: skip


def _error(cost: Cost) -> float:
    return 0.0 if math.isnan(cost.error) else cost.error


def _ends(result: Ablation) -> str:
    return "; ".join(f"{text} {value} %" for text, value in ends(result))


def page_figure(result: Ablation) -> Figure:
    """Return the same chart for the page, the most costly property at the top."""
    rows = list(result.rows)[::-1]
    caption = (
        "Ranked by the mean of both. Bars are mean differences, whiskers their standard errors; point at a bar for its "
        "numbers. Below 0, accuracy is better with the property than without it."
    )
    figure = Figure("costs", "What each property costs", caption, AXIS, "")
    for way, label, colour in reversed(WAYS):
        held = [(row.name, getattr(row, way)) for row in rows if getattr(row, way) is not None]
        figure.traces.append(
            {
                "type": "bar", "orientation": "h", "name": label, "marker": {"color": colour},
                "y": [name for name, _ in held], "x": [round(c.points, 4) for _, c in held],
                "error_x": {"type": "data", "array": [round(_error(c), 4) for _, c in held], "thickness": 1.2},
                "text": ["*" if c.significant else "" for _, c in held], "textposition": "none",
                "hovertext": [f"{name}: {signed(c.points)} ± {_error(c):.2f}, p = {c.p:.2g}" for name, c in held],
                "hoverinfo": "text",
            }
        )  # fmt: skip
    figure.layout = {
        "height": 34 * len(rows) + 130, "barmode": "group", "bargap": 0.25,
        "yaxis": {"categoryorder": "array", "categoryarray": [row.name for row in rows]},
        "xaxis": {"zeroline": True, "zerolinecolor": "#1f2937"},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "traceorder": "reversed"},
    }  # fmt: skip
    return figure
