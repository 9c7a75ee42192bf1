"""Carry a study out: every case in a run directory of its own, or every step of a bench, results after each of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mho.config import RunConfig
from mho.data import load
from mho.studies.base import Case, Study
from mho.studies.bench import Bench
from mho.studies.bench_runner import run_bench
from mho.studies.catalogue import study as find
from mho.studies.outcome import Outcome, carry_out, read
from mho.studies.output import Clock, command, refuse_another_study, show_results, slug, write_results
from mho.studies.report import report_rows, report_tables
from mho.studies.results import setup
from mho.train.summary import versions


def run(
    name: str, mode: str = "quick", *, out: str | os.PathLike[str], seed: int = 0,
    settings: Sequence[str] = (), cases: Sequence[str] | None = None, progress: bool | str = True,
) -> list[dict[str, Any]]:  # fmt: skip
    """Run a study and return its rows: case, ours, std, chips, paper, provenance, unit.

    Writes after every case OUT/results.json, study.json, table.md, figure.png and figure.svg; OUT/runs/CASE (a run
    directory each) or, of a study made of steps, OUT/steps/STEP.json. Run again, it keeps finished cases and goes on
    with an interrupted one. A case that diverges reports its accuracy, and the others go on. settings: "path=value" of
    all cases, as for `mho train --set`, or "name=value" of a study made of steps. cases: names of those to run (and the
    steps that they need); others are still shown when their results are there.

    Raises ConfigError for unknown names or settings, and when OUT holds results of another study or of other settings;
    DataError.
    """
    found, folder = find(name), Path(out)
    refuse_another_study(name, folder)
    asked = {"study": name, "mode": mode, "seed": seed, "settings": list(settings), "cases": cases and list(cases)}
    if isinstance(found, Bench):
        rows = run_bench(found, folder, asked, progress)
    else:
        rows = _run_cases(found, folder, asked, progress)
    if progress:
        show_results(folder)
    return rows


def _run_cases(study: Study, folder: Path, asked: dict[str, Any], progress: bool | str) -> list[dict[str, Any]]:
    configs = {case.name: study.config(case, asked["mode"], asked["seed"], asked["settings"]) for case in study.cases}
    done = {case.name: found for case in study.cases if (found := _read(folder, case, configs)) is not None}
    left = [case for case in study.choose(asked["cases"]) if case.name not in done]
    clock = Clock(len(left), kind="case", kept=list(done), shown=bool(progress))
    sets = {configs[case.name].data for case in left}
    data = {named: load(named, progress=bool(progress)) for named in sorted(sets)}
    for case in left:
        clock.begin(case.name, case.about)
        config = configs[case.name]
        outcome = done[case.name] = carry_out(case, config, _place(folder, case), data[config.data], progress)
        how = f" (diverged: {outcome.diverged})" if outcome.diverged else ""
        clock.end(f"{case.name}: test accuracy {outcome.mean:.2f} ± {outcome.std:.2f} %{how}")
        _write(study, folder, _ordered(study, done), asked)
    if not left:
        _write(study, folder, _ordered(study, done), asked)
    return report_rows(study, _ordered(study, done))


def _ordered(study: Study, done: dict[str, Outcome]) -> list[Outcome]:
    return [done[case.name] for case in study.cases if case.name in done]


def _place(folder: Path, case: Case) -> Path:
    return folder / "runs" / slug(case.name)


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
    write_results(folder, report_rows(study, outcomes), about, report_tables(study, outcomes))
    draw(study, outcomes, folder)
