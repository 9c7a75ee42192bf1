"""The head of a report: how the run ended, in a sentence and in a few numbers."""

from __future__ import annotations

import shlex
from html import escape
from pathlib import Path

from mho.report import words
from mho.report.layers import Layer
from mho.report.rundir import Run, numbers_in
from mho.report.shifted import shifted
from mho.report.training import by_layer


def title(run: Run) -> str:
    """Return what the run was, in a few words."""
    c = run.config
    return f"{c.network} on {c.data}, {preset(run)}"


def preset(run: Run) -> str:
    """Return what the run's analog settings started from."""
    return f"preset {run.config.preset}" if run.config.preset != "none" else "no preset"


def lead(run: Run, layers: list[Layer]) -> str:
    """Return the sentence that says how the run ended, and its main numbers."""
    c, last = run.config, run.metrics[-1] if run.metrics else {}
    found = numbers_in(run.summary.get("test_accuracy")) or numbers_in(last.get("test_accuracy"))
    epochs, chips = int(last.get("epoch", 0)), len(c.chip_ids)
    seconds = numbers_in(run.summary.get("seconds")) or [sum(_seconds(line) for line in run.metrics)]
    time = words.duration(seconds[0])
    sentence = (
        f"Test accuracy <b>{words.accuracy(found)}</b> after {words.plural(epochs, 'epoch')} in {time}: "
        f"network {escape(c.network)} on {escape(c.data)}, {escape(preset(run))}, seed {c.seed}"
        f"{escape(_version(run))}.{_spread(run)}"
    )
    pulses = sum(sum(layer.totals) for layer in layers) / chips
    devices = sum(layer.shape[0] * layer.shape[1] * layer.devices for layer in layers)
    facts = [
        ("test accuracy", _short(found)), ("chips", str(chips)), ("epochs", str(epochs)), ("time", time),
        ("devices per chip", words.count(devices)), ("pulses per chip", words.count(pulses)),
    ]  # fmt: skip
    cells = "".join(f"<div><dt>{k}</dt><dd>{v}</dd></div>" for k, v in facts)
    return f'<p class="result">{sentence}</p>{_unfinished(run, epochs)}{shifted(run)}<dl class="facts">{cells}</dl>'


def _version(run: Run) -> str:
    versions = by_layer(run.summary, "versions")
    return f", mho {versions['mho']}" if "mho" in versions else ""


def _spread(run: Run) -> str:
    """Say what the standard deviation over chips is of."""
    if len(run.config.chip_ids) == 1:
        return ""
    words_of = {"init": "initial weights", "order": "the order of the data"}
    shared = [what for key, what in words_of.items() if key not in run.config.vary]
    rest = f"; they share {' and '.join(shared)}" if shared else ""
    return f" The ± is the standard deviation over chips: other draws of the devices and of all noise{rest}."


def _unfinished(run: Run, epochs: int) -> str:
    if run.summary:
        return ""
    return (
        f'<p class="note">The run has not finished: {epochs} of {run.config.epochs} epochs. '
        f"Go on with <code>mho train --resume {quoted(run.folder)}</code>.</p>"
    )


def _short(accuracy: list[float]) -> str:
    text = words.accuracy(accuracy).partition(" over ")[0]
    return text.replace(" %", "") + " %" if "±" in text else text


def _seconds(line: dict[str, object]) -> float:
    return (numbers_in(line.get("seconds")) or [0.0])[0]


def quoted(path: Path) -> str:
    """Return a path as a shell and a page take it."""
    return escape(shlex.quote(str(path)))
