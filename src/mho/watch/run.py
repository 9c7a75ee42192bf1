"""The view of a training run, from config.toml and metrics.jsonl."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from statistics import fmean
from typing import Any

from mho.config import load
from mho.errors import CheckpointError
from mho.report import words
from mho.report.lead import title
from mho.report.rundir import Run, numbers_in
from mho.report.training import training_figures
from mho.train.metrics import read_lines
from mho.train.unattended import DIVERGED as DIVERGED_FILE
from mho.watch.view import DIVERGED, FINISHED, RUNNING, View

RECENT = 5
"""Epochs whose mean time is taken for those to come."""


def run_view(folder: Path) -> View:
    """Return the view of a run directory: the figures of its report as they grow, and how long it will take."""
    path = folder / "config.toml"
    if not path.is_file():
        raise CheckpointError(
            f"{folder} has metrics.jsonl but no config.toml, so it is no directory of mho train; give one"
        )
    run = Run(folder, load(path), tuple(read_lines(folder)), {})
    done, total = (int(run.metrics[-1]["epoch"]) if run.metrics else 0), run.config.epochs
    why = _diverged(folder)
    state = DIVERGED if why else FINISHED if run.metrics and done >= total else RUNNING
    every = _seconds(run)
    return View(
        title(run), state, done, total,
        left=every * (total - done) if every is not None and state == RUNNING else None,
        every=every,
        facts=_facts(run, every),
        notes=(why,) if why else () if run.metrics else ("The first epoch has not ended yet.",),
        figures=tuple(training_figures(run)),
        again=f"mho train --resume {shlex.quote(str(folder))}",
    )  # fmt: skip


def _seconds(run: Run) -> float | None:
    """Return the mean time of the last epochs; the line of one that was killed while it was written has none."""
    times = [t for line in run.metrics[-RECENT:] for t in numbers_in(line.get("seconds")) if t > 0]
    return fmean(times) if times else None


def _facts(run: Run, every: float | None) -> tuple[tuple[str, str], ...]:
    found = [("chips", str(len(run.config.chip_ids)))]
    if run.metrics:
        last, best = run.metrics[-1], max(run.metrics, key=_mean)
        found = [
            ("test accuracy", words.accuracy(numbers_in(last.get("test_accuracy"))).partition(" over ")[0]),
            ("best", f"{_mean(best):.2f} % in epoch {best['epoch']}"),
            *found,
        ]
    if every is not None:
        found.append(("time per epoch", words.duration(every)))
    return tuple(found)


def _mean(line: dict[str, Any]) -> float:
    """Return the mean test accuracy of an epoch; -1 where a chip has none."""
    values = numbers_in(line.get("test_accuracy"))
    mean = fmean(values) if values else -1.0
    return mean if mean == mean else -1.0


def _diverged(folder: Path) -> str:
    """Return why a run of an ablation or a study diverged, nothing where it has not."""
    path = folder / DIVERGED_FILE
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["why"]) if path.is_file() else ""
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} is damaged ({error}); delete it") from error
