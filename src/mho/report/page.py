"""The page: sections with figures and tables in a self-contained HTML file."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from html import escape
from importlib import resources
from string import Template

from mho.report.figure import Figure


@dataclass
class Section:
    """A part of the page with an anchor. `html` stands above the figures."""

    anchor: str
    title: str
    html: str = ""
    figures: list[Figure] = field(default_factory=list)
    below: str = ""
    level: int = 2


RUN = "Written by mho from the files of the run directory. This file needs no network."


def page(title: str, lead: str, sections: Iterable[Section], footer: str = RUN) -> str:
    """Return the HTML of a report; `lead` is HTML, the rest of the words are escaped."""
    from plotly.offline import get_plotlyjs

    kept = [s for s in sections if s.html or s.figures or s.below]
    links = "".join(
        f'<a href="#{escape(s.anchor)}" class="level{s.level}">{escape(s.title)}</a>' for s in kept if s.level <= 3
    )
    return Template(_file("page.html")).substitute(
        title=escape(title), lead=lead, footer=escape(footer), links=links, body="".join(_section(s) for s in kept),
        style=_file("style.css"), draw=_file("draw.js"), plotly=get_plotlyjs(),
    )  # fmt: skip


def _file(name: str) -> str:
    return resources.files("mho.report").joinpath(name).read_text(encoding="utf-8")


def _section(s: Section) -> str:
    figures = "".join(_figure(f) for f in s.figures)
    grid = f'<div class="figures">{figures}</div>' if figures else ""
    head = f"h{s.level}"
    title = f"<{head}>{escape(s.title)}</{head}>"
    return f'<section id="{escape(s.anchor)}">{title}{s.html}{grid}{s.below}</section>\n'


def _figure(f: Figure) -> str:
    """Return a figure with its data beside it; captions may hold HTML of our own."""
    drawn = f.json()
    data = json.dumps(drawn, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    name = escape(f.name)
    return (
        f"<figure><h4>{escape(f.title)}</h4>"
        f'<div class="plot" id="{name}" style="height:{drawn["layout"]["height"]}px"></div>'
        f'<script type="application/json" id="{name}-data">{data}</script>'
        f"<figcaption>{f.caption}</figcaption></figure>"
    )
