"""The page of an ablation: the chart, the table, every arm, the configuration."""

from __future__ import annotations

import shlex
from html import escape
from typing import TYPE_CHECKING

from mho.ablation.figure import page_figure
from mho.ablation.table import HEADS, SETUP, accuracy, cells, ends, last_line, setup
from mho.report import words
from mho.report.page import Section, page
from mho.report.tables import config_tables, table

if TYPE_CHECKING:
    from mho.ablation.run import Ablation

WIDE = "<style>.figures { grid-template-columns: minmax(0, 1fr); }</style>"


def html(result: Ablation) -> str:
    """Return ablation.html, which needs no network."""
    run, rows = result.plan.config, result.rows
    marked = [n for n, row in enumerate(rows) if any(c and c.significant for c in (row.off, row.alone))]
    points = "".join(f"<li>{escape(line)}</li>" for line in [*setup(result), SETUP])
    told = table(HEADS, cells(result), marked=marked)
    note = '<p><span class="changed-key">Marked</span> properties have a significant cost.</p>'
    sections = [
        Section("costs", "What costs the accuracy", WIDE, [page_figure(result)]),
        Section("table", "Table", note + told + f"<ul>{points}</ul>"),
        Section("arms", "Every arm", _arms(result)),
        Section("configuration", "Configuration", "<p>What was ablated.</p>" + config_tables(run)),
        Section("repeat", "Repeat it", _again(result)),
    ]
    title = f"Ablation: {run.network} on {run.data}, preset {run.preset}"
    return page(title, _lead(result), sections, footer="Written by mho. This file needs no network.")


def _lead(result: Ablation) -> str:
    text = last_line(result.rows)
    facts = [(name, f"{value} %") for name, value in ends(result)]
    facts += [("chips", str(len(result.plan.arms) * result.plan.options.seeds))]
    facts += [("epochs", str(result.plan.config.epochs)), ("time", words.duration(result.seconds))]
    shown = "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in facts)
    return f'<p class="result">{escape(text[:1].upper() + text[1:])}.</p><dl class="facts">{shown}</dl>'


def _arms(result: Ablation) -> str:
    rows = [
        (name, accuracy(end), ", ".join(f"{a:.2f}" for a in end.accuracy), end.why)
        for name, end in result.ended.items()
    ]
    return table(("arm", "test accuracy (%)", "chip by chip", "what went wrong"), rows)


def _again(result: Ablation) -> str:
    folder, options = result.folder, result.plan.options
    words_ = ["mho", "ablate", str((folder / "config.toml") if folder else "config.toml"), "--full"]
    words_ += ["--seeds", str(options.seeds), *(["--sides"] if options.apart else [])]
    words_ += [word for name in options.only or () for word in ("--only", name)]
    return f"<pre><code>{escape(shlex.join(words_))} --out NEW</code></pre>"
