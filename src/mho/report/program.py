"""The page of programmed chips: accuracy over time, how programming went, the settings."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path
from statistics import median

import numpy as np

from mho.folders import replacing, write_text
from mho.inference.files import dump_programming
from mho.inference.over_time import Moment
from mho.inference.programming_report import COLUMNS, ProgramReport
from mho.inference.settings import Programming
from mho.report import words
from mho.report.page import Section, page
from mho.report.program_figure import picture, time_figure
from mho.report.tables import table

PAGE, PICTURE = "program.html", "accuracy.png"
WIDE = "<style>.figures { grid-template-columns: minmax(0, 1fr); }</style>"
HEADS = ("time", "mean (%)", "std", "worst (%)", "worst chip", "median (%)", "best (%)")


@dataclass(frozen=True)
class Outcome:
    """What is known of chips that were programmed with the weights of a run.

    title: of the run. chips: their numbers. digital: accuracy of the trained weights in exact digits, in percent.
    written: just after programming, before anything ages. moments: at later times. programming, report: how. about:
    further facts, by name. command: that does it again. seconds: that it took.
    """

    title: str
    chips: tuple[int, ...]
    digital: float
    written: Moment
    moments: tuple[Moment, ...]
    programming: Programming
    report: ProgramReport
    about: dict[str, str]
    command: str
    seconds: float


def write_program_report(folder: Path, outcome: Outcome) -> Path:
    """Write the page and its figure as PNG into a directory; return the path of the page."""
    data = picture(outcome.title, outcome.moments, outcome.digital)
    with replacing(folder / PICTURE) as temporary:
        temporary.write_bytes(data)
    write_text(folder / PAGE, html(outcome))
    return folder / PAGE


def html(outcome: Outcome) -> str:
    """Return the page, which needs no network."""
    figure = time_figure(outcome.moments, outcome.digital)
    layers = "<p>Means over the chips, layer by layer; the weight 1 is the largest of a layer's array.</p>"
    sections = [
        Section("time", "Accuracy over time", WIDE, [figure], below=table(HEADS, rows(outcome))),
        Section("programming", "How programming went", layers + _layers(outcome.report)),
        Section("settings", "Settings", f"<pre><code>{escape(dump_programming(outcome.programming))}</code></pre>"),
        Section("repeat", "Repeat it", f"<pre><code>{escape(outcome.command)}</code></pre>"),
    ]
    return page(outcome.title, _lead(outcome), sections, footer="Written by mho. This file needs no network.")


def rows(outcome: Outcome) -> list[tuple[str, ...]]:
    """Return the cells of the table of times: the digital network, the chips as written, then every time."""
    found: list[tuple[str, ...]] = [("digital", f"{outcome.digital:.2f}", *5 * ("",))]
    for moment in (outcome.written, *outcome.moments):
        accuracy, chip = moment.accuracy, outcome.chips[moment.worst_place]
        numbers = (moment.mean, moment.std, moment.worst)
        cells = [*(f"{v:.2f}" for v in numbers), str(chip), *(f"{v:.2f}" for v in (median(accuracy), max(accuracy)))]
        found.append((moment.name, *cells))
    return found


def last_line(outcome: Outcome) -> str:
    """Return the accuracy at the last time in words."""
    moment = outcome.moments[-1]
    worst = f", worst {moment.worst:.2f} % (chip {outcome.chips[moment.worst_place]})" if len(outcome.chips) > 1 else ""
    return f"accuracy {moment.name} after programming: {words.accuracy(moment.accuracy)}{worst}"


def _lead(outcome: Outcome) -> str:
    text = last_line(outcome)
    first, last = outcome.written, outcome.moments[-1]
    facts = {
        "digital": f"{outcome.digital:.2f} %", "as written": f"{first.mean:.2f} %", last.name: f"{last.mean:.2f} %",
        "chips": str(len(outcome.chips)), "time": words.duration(outcome.seconds),
    }  # fmt: skip
    shown = "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in facts.items())
    told = "; ".join(f"{name}: {value}" for name, value in outcome.about.items())
    return (
        f'<p class="result">{escape(text[:1].upper() + text[1:])}.</p><dl class="facts">{shown}</dl>'
        f"<p>{escape(told[:1].upper() + told[1:])}.</p>"
    )


def _layers(report: ProgramReport) -> str:
    heads = ("layer", *(head for head, *_ in COLUMNS))
    cells = [
        (layer.name, *(format(float(np.mean(getattr(layer, key))) * unit, form) for _, key, unit, form in COLUMNS))
        for layer in report.layers
    ]
    return table(heads, cells)
