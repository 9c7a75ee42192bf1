"""An ablation in words: its table, its set-up, and its last line."""

from __future__ import annotations

import math
from statistics import fmean, stdev
from typing import TYPE_CHECKING

from mho.ablation.arms import CONFIGURED, NONE
from mho.ablation.costs import LEVEL, Cost, Row
from mho.train.unattended import Ended

if TYPE_CHECKING:
    from mho.ablation.run import Ablation

HEADS = ("property", "what is turned off", "gained with it off", "lost with it alone", "mean of both")
SETUP = (
    "Two-sided t test of the difference of two means over chips. All arms share one standard deviation, the median "
    "over arms of their variances, corrected for the bias of a median; where the two arms' own is larger, it is used. "
    f"Degrees of freedom: chips less arms. * marks costs that are significant at {100 * LEVEL:g} % together (by Holm's "
    "correction)."
)


def cells(result: Ablation) -> list[tuple[str, ...]]:
    """Return the rows of the table: properties, the most costly first, then those that cannot be separated."""
    found: list[tuple[str, ...]] = [
        (row.name, row.about, told(row.off), told(row.alone), signed(row.rank)) for row in result.rows
    ]
    return found + [(name, why, "not separable", "–", "–") for name, why in result.plan.found.inseparable]


def told(cost: Cost | None) -> str:
    """Return a cost with its standard error, and * where it is significant."""
    if cost is None:
        return "–"
    error = "" if math.isnan(cost.error) else f" ± {cost.error:.2f}"
    return signed(cost.points) + error + (" *" if cost.significant else "") + (" (diverged)" if cost.diverged else "")


def signed(points: float) -> str:
    """Return points with their sign."""
    return f"{round(points, 2) + 0.0:+.2f}".replace("-", "−")


def accuracy(end: Ended) -> str:
    """Return an arm's test accuracy with its standard deviation over chips."""
    spread = f" ± {stdev(end.accuracy):.2f}" if len(end.accuracy) > 1 else ""
    return f"{fmean(end.accuracy):.2f}{spread}" + (" (diverged)" if end.why else "")


def ends(result: Ablation) -> list[tuple[str, str]]:
    """Return the accuracy of the ends: everything as configured, everything off, and the digital baseline."""
    told_of = {CONFIGURED: "as configured", NONE: "all properties off", "digital": "digital baseline"}
    return [(text, accuracy(result.ended[name])) for name, text in told_of.items() if name in result.ended]


def setup(result: Ablation) -> list[str]:
    """Return what all arms share, in sentences: without it no number of an ablation means anything."""
    run, seeds = result.plan.config, result.plan.options.seeds
    images = "all" if run.train_images is None else f"the first {run.train_images:,}"
    own = {"init": "initial weights", "order": "order of the data"}
    differ = ", ".join(["devices", "noise", *(own[v] for v in run.vary)])
    count = len(result.plan.arms)
    return [
        f"Network {run.network} on {run.data}: {images} training images, {run.epochs} epochs, batch {run.batch_size}, "
        f"learning rate {run.lr}, seed {run.seed}, preset {run.preset}.",
        f"{count} arms of {seeds} chips each, {count * seeds} chips; the chips of all arms differ in {differ}.",
        "Points of test accuracy after the last epoch, ± standard error of the difference of two arms' means.",
        "Gained with it off: everything as configured but this one, less as configured. Lost with it alone: all "
        "properties off, less this one alone (of the spread of a bound or leak: the bound or leak alone, less both).",
    ]


def markdown(result: Ablation) -> str:
    """Return table.md."""
    lines = [f"| {' | '.join(HEADS)} |", "|---|---|---|---|---|"]
    lines += [f"| {' | '.join(row)} |" for row in cells(result)]
    points = "".join(f"- {line}\n" for line in [*setup(result), SETUP])
    first = "\n".join(f"- {text}: {value} %" for text, value in ends(result))
    return "# Which property costs the accuracy\n\n" + first + "\n\n" + "\n".join(lines) + "\n\n" + points


def last_line(rows: tuple[Row, ...]) -> str:
    """Return the top of the ranking in words: of the properties with a significant cost, where there is one."""
    marked = [
        row for row in rows if any(c is not None and c.significant and c.points > 0 for c in (row.off, row.alone))
    ]
    top = marked[0] if marked else rows[0]
    parts = [(told(c), word) for c, word in ((top.off, "gained with it off"), (top.alone, "lost with it alone")) if c]
    text = ", ".join(f"{points} {word}" for points, word in parts) + " (points of test accuracy)"
    if marked or math.isnan(top.off.error):
        return f"{top.name} costs most: {text}"
    return f"no property has a significant cost; the largest is that of {top.name}: {text}"
