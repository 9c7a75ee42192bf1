"""Tables of a report: layers, converters, configuration, versions; plain HTML."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import numpy as np

from mho.config import RunConfig, dump
from mho.report import words
from mho.report.layers import Layer
from mho.report.rundir import Run, numbers_in
from mho.report.training import by_layer

SPREAD = {"mean", "d2d", "std", "log_normal"}
LONGEST = 60


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, marked: Iterable[int] = ()) -> str:
    """Return a table with a head; cells are text, not HTML. The first column is left-aligned."""
    chosen = set(marked)
    body = "".join(
        f"<tr{' class=changed' if n in chosen else ''}>" + "".join(f"<td>{escape(c)}</td>" for c in row) + "</tr>"
        for n, row in enumerate(rows)
    )
    titles = "".join(f"<th>{escape(h)}</th>" for h in head)
    return f'<div class="scroll"><table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table></div>'


def layer_table(run: Run, layers: list[Layer]) -> str:
    """Return one line per layer: size, bounds, pulses, clipped and folded shares."""
    head = (
        "layer", "outputs x inputs", "devices / weight", "arrays", "at lowest", "at highest",
        "pulses / device", "most pulses", "clipped at start", "folded draws",
    )  # fmt: skip
    told = by_layer(run.summary, "devices")
    rows = []
    for layer in layers:
        b, p = layer.bounds, layer.pulses
        own = by_layer(told, layer.name)
        clipped = [v for v in numbers_in(own.get("clipped")) if np.isfinite(v)]
        folded = [v for value in by_layer(own, "folded").values() for v in numbers_in(value)]
        rows.append((
            layer.name, f"{layer.shape[0]} x {layer.shape[1]}", str(layer.devices), str(layer.tiles),
            words.percent(float(b.at_low.mean())) if b else "–",
            words.percent(float(b.at_high.mean())) if b else "–",
            words.count(p.histogram.mean) if p else "–", words.count(p.highest) if p else "–",
            words.percent(float(np.mean(clipped))) if clipped else "–",
            words.percent(max(folded, default=0.0)) if own else "–",
        ))  # fmt: skip
    return table(head, rows)


def product_table(run: Run) -> str:
    """Return how many vectors each layer multiplied in training, and how many of these were repeats."""
    counts = by_layer(run.summary, "products")
    rows = []
    for name in counts:
        row = [name]
        for side in ("forward", "backward"):
            reads, repeats = (numbers_in(by_layer(counts, name).get(f"{side}_{key}")) for key in ("reads", "repeats"))
            if reads and repeats:
                share = repeats[0] / reads[0] if reads[0] else 0.0
                row += [words.count(reads[0]), words.count(repeats[0]), words.percent(share)]
            else:
                row += ["–"] * 3
        rows.append(row)
    if not rows:
        return ""
    return table(("layer", "forward reads", "repeats", "share", "backward reads", "repeats", "share"), rows)


def config_tables(config: RunConfig) -> str:
    """Return the whole configuration by section; what differs from a plain run of the preset is marked."""
    own = dict(_flat(tomllib.loads(dump(config))))
    usual = dict(_flat(tomllib.loads(dump(RunConfig(preset=config.preset)))))
    sections: dict[str, list[str]] = {}
    for path in own:
        sections.setdefault(path.rpartition(".")[0], []).append(path)
    parts = []
    for section, paths in sections.items():
        rows = [(path.rpartition(".")[2], _short(own[path])) for path in paths]
        marked = [n for n, path in enumerate(paths) if path not in usual or usual[path] != own[path]]
        body = table(("setting", "value"), rows, marked=marked)
        parts.append(f"<section><h4>{escape(section or 'run')}</h4>{body}</section>")
    return f'<div class="columns">{"".join(parts)}</div>'


def _flat(value: dict[str, Any], path: str = "") -> Iterable[tuple[str, Any]]:
    """Yield path and value of every setting; a spread is one value."""
    for key, inner in value.items():
        here = f"{path}.{key}" if path else key
        if isinstance(inner, dict) and not (inner and set(inner) <= SPREAD):
            yield from _flat(inner, here)
        else:
            yield here, inner


def _short(value: Any) -> str:
    """Return a value as text of a moderate length."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return ", ".join(f"{key} {_short(v)}" for key, v in value.items())
    if isinstance(value, list):
        text = ", ".join(_short(v) for v in value)
        return f"[{text}]" if len(text) <= LONGEST else f"[{text[:LONGEST]}…] ({len(value)} values)"
    return f"{value:g}" if isinstance(value, float) else str(value)


def origin_table(run: Run) -> str:
    """Return where the run came from: versions, machine, data."""
    s = run.summary
    rows = [(key, str(value)) for key, value in by_layer(s, "versions").items()]
    data = by_layer(s, "data")
    rows += [("data", str(data["source"]))] if "source" in data else []
    rows += [(key, str(s[key])) for key in ("seed", "threads") if key in s]
    if gpu := by_layer(s, "gpu"):
        rows += [("computed on", f"{s['compute_device']}, {s['precision']}")]
        rows += [(f"GPU {key}", str(value)) for key, value in gpu.items()]
    return table(("", ""), rows) if rows else ""
