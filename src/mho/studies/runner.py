"""Carry a study out: every case in a run directory of its own, results after each of them."""

from __future__ import annotations

import json
import os
import re
import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mho.config import RunConfig
from mho.data import load
from mho.folders import write_text
from mho.studies.base import Case, Study
from mho.studies.catalogue import study as find
from mho.studies.outcome import Outcome, carry_out, read
from mho.studies.report import report_rows, report_tables
from mho.studies.results import setup
from mho.train.summary import versions


def run(
    name: str, mode: str = "quick", *, out: str | os.PathLike[str], seed: int = 0,
    settings: Sequence[str] = (), cases: Sequence[str] | None = None, progress: bool | str = True,
) -> list[dict[str, Any]]:  # fmt: skip
    """Run a study and return its rows: case, ours, std, chips, paper, provenance, unit.

    Writes OUT/runs/CASE (a run directory each), and after every case OUT/results.json, study.json, table.md,
    figure.png and figure.svg. Run again, it keeps finished cases and goes on with an interrupted one. A case
    that diverges reports its accuracy, and the others go on. settings: "path=value" for all cases, as for
    `mho train --set`. cases: names of those to run; others are still shown when their results are there.

    Raises ConfigError for unknown names or settings, and when OUT holds results of other settings; DataError.
    """
    study, folder = find(name), Path(out)
    configs = {case.name: study.config(case, mode, seed, settings) for case in study.cases}
    asked = {
        "study": name,
        "mode": mode,
        "seed": seed,
        "settings": list(settings),
        "cases": cases and list(cases),
    }
    done = {case.name: found for case in study.cases if (found := _read(folder, case, configs)) is not None}
    left = [case for case in study.choose(cases) if case.name not in done]
    clock = _Clock(len(left), kept=list(done), shown=bool(progress))
    sets = {configs[case.name].data for case in left}
    data = {named: load(named, progress=bool(progress)) for named in sorted(sets)}
    for case in left:
        clock.begin(case)
        config = configs[case.name]
        done[case.name] = carry_out(case, config, _place(folder, case), data[config.data], progress)
        clock.end(done[case.name])
        _write(study, folder, _ordered(study, done), asked)
    if not left:
        _write(study, folder, _ordered(study, done), asked)
    if progress:
        print(f"\n{(folder / 'table.md').read_text(encoding='utf-8')}\n{folder / 'figure.png'}", flush=True)
    return report_rows(study, _ordered(study, done))


def _ordered(study: Study, done: dict[str, Outcome]) -> list[Outcome]:
    return [done[case.name] for case in study.cases if case.name in done]


def _place(folder: Path, case: Case) -> Path:
    return folder / "runs" / (re.sub(r"[^a-z0-9]+", "-", case.name.lower()).strip("-"))


def _read(folder: Path, case: Case, configs: dict[str, RunConfig]) -> Outcome | None:
    return read(case, configs[case.name], _place(folder, case))


def _write(study: Study, folder: Path, outcomes: list[Outcome], asked: dict[str, Any]) -> None:
    from mho.studies.figure import caption, draw

    about = {
        "study": study.name,
        "source": study.source,
        "command": command(asked),
        "complete": len(outcomes) == len(study.cases),
        "seconds": round(sum(o.seconds for o in outcomes), 1),
        "threads": outcomes[-1].lines[-1]["threads"] if outcomes[-1].lines else None,
        "cores": os.cpu_count(),
        "versions": versions(),
        "setup": setup(study, outcomes),
        "figure": caption(study, outcomes),
        "cases": [
            {
                "case": o.case.name,
                "test_accuracy": o.accuracy,
                "seconds": round(o.seconds, 1),
                "diverged": o.diverged,
            }
            for o in outcomes
        ],
    }
    write_text(folder / "results.json", json.dumps(report_rows(study, outcomes), indent=1, allow_nan=False) + "\n")
    write_text(folder / "study.json", json.dumps(about, indent=1, allow_nan=False) + "\n")
    lines = "".join(f"- {line}\n" for line in setup(study, outcomes))
    write_text(folder / "table.md", f"# {study.name}: {study.source}\n\n{report_tables(study, outcomes)}\n{lines}")
    draw(study, outcomes, folder)


def command(asked: dict[str, Any]) -> str:
    """Return the command line that asks for the same, less its --out."""
    words = ["mho", "study", "run", asked["study"], f"--{asked['mode']}"]
    words += [] if asked["seed"] == 0 else ["--seed", str(asked["seed"])]
    words += [word for setting in asked["settings"] for word in ("--set", setting)]
    words += [word for case in asked["cases"] or () for word in ("--case", case)]
    return shlex.join(words)


class _Clock:
    """Says which case runs, how the last one ended, and how long the rest will take at the pace so far."""

    def __init__(self, cases: int, *, kept: list[str], shown: bool) -> None:
        self.cases, self.done, self.shown = cases, 0, shown
        self.start = time.perf_counter()
        if kept:
            self._say(f"kept from before: {', '.join(kept)}")

    def begin(self, case: Case) -> None:
        """Say which case starts."""
        self._say(f"case {self.done + 1} of {self.cases}: {case.name}: {case.about}")

    def end(self, outcome: Outcome) -> None:
        """Say how a case ended, and what is left."""
        self.done += 1
        left = (time.perf_counter() - self.start) / self.done * (self.cases - self.done)
        rest = f"; about {_minutes(left)} left" if self.done < self.cases else ""
        how = f" (diverged: {outcome.diverged})" if outcome.diverged else ""
        self._say(f"{outcome.case.name}: test accuracy {outcome.mean:.2f} ± {outcome.std:.2f} %{how}{rest}")

    def _say(self, text: str) -> None:
        if self.shown:
            print(text, flush=True)


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
