"""Carry out a study made of steps: the rows of every finished step are kept in a file, results follow after each."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from mho.errors import ConfigError
from mho.folders import check_writable, write_text
from mho.studies.bench import Bench, BenchSettings, Context, Row, Step
from mho.studies.bench_results import bench_rows, bench_tables, value
from mho.studies.output import Clock, command, damaged, read_json, slug, write_results
from mho.train.run import threads
from mho.train.summary import versions

ASKED = "asked.json"
"""What a directory was begun with: written before the first step, so that nothing half done meets other settings."""


@dataclass(frozen=True)
class Done:
    """A finished step: its rows, and the seconds and torch threads that it took."""

    rows: tuple[Row, ...]
    seconds: float
    threads: int


def run_bench(bench: Bench, folder: Path, asked: Mapping[str, Any], progress: bool | str) -> list[dict[str, Any]]:
    """Run the steps that are asked for and not done, and return all rows; see `mho.studies.run`."""
    settings = bench.configure(asked["mode"], asked["settings"])
    steps = bench.choose(asked["cases"])
    _begin(folder, {"study": bench.name, "seed": asked["seed"], "settings": plain(settings)})
    done = {s.name: found for s in bench.steps if (found := _read(_file(folder, s))) is not None}
    left = [step for step in steps if step.name not in done]
    clock = Clock(len(left), kind="step", kept=list(done), shown=bool(progress))
    context = Context(settings, asked["seed"], folder, folder / "models", progress)
    with threads(settings.threads):
        for step in left:
            clock.begin(step.name, step.about)
            done[step.name] = _carry_out(step, context, folder, _needed(step, done))
            clock.end("\n".join(f"{r.case}: {value(r)} {r.unit}" for r in done[step.name].rows if r.shown) or step.name)
            _write(bench, folder, done, asked, settings)
    if not left:
        _write(bench, folder, done, asked, settings)
    return bench_rows(bench, _rows(bench, done))


def plain(settings: BenchSettings) -> dict[str, Any]:
    """Return settings as JSON gives them back; those that a resumed study may change are left out."""
    found = {key: inner for key, inner in asdict(settings).items() if key != "threads"}
    back: dict[str, Any] = json.loads(json.dumps(found, default=repr))
    return back


def _begin(folder: Path, asked: dict[str, Any]) -> None:
    """Note what a directory is begun with; raise ConfigError where it was begun with something else."""
    path = folder / ASKED
    if not path.is_file():
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise ConfigError(
                f"study {asked['study']} was to be written to {folder}, which is not an empty directory and holds no "
                "study of its kind; give another --out"
            )
        check_writable(folder)
        write_text(path, json.dumps(asked, indent=1) + "\n")
        return
    held = read_json(path)
    if held != asked:
        raise ConfigError(
            f"{folder} holds a study with other settings ({'; '.join(_different(held, asked))}), and a study does not "
            "write over results; give another --out, or the mode, seed and settings that it was begun with"
        )


def _different(held: dict[str, Any], asked: dict[str, Any]) -> list[str]:
    both = [{**{k: d.get(k) for k in ("study", "seed")}, **d.get("settings", {})} for d in (held, asked)]
    names = [name for name in (*both[0], *both[1]) if both[0].get(name) != both[1].get(name)]
    return [f"{n} was {both[0].get(n)!r}, now {both[1].get(n)!r}" for n in dict.fromkeys(names)]


def _file(folder: Path, step: Step) -> Path:
    return folder / "steps" / f"{slug(step.name)}.json"


def _needed(step: Step, done: Mapping[str, Done]) -> dict[str, Row]:
    return {row.case: row for name in step.needs for row in done[name].rows}


def _carry_out(step: Step, shared: Context, folder: Path, found: dict[str, Row]) -> Done:
    start = time.perf_counter()
    own = _file(folder, step).with_suffix("")
    own.mkdir(parents=True, exist_ok=True)
    shared.models.mkdir(parents=True, exist_ok=True)
    context = Context(shared.settings, shared.seed, own, shared.models, shared.progress, found, shared.loaded)
    rows = tuple(step.run(context))
    done = Done(rows, time.perf_counter() - start + context.seconds_before, torch.get_num_threads())
    write_text(_file(folder, step), json.dumps(asdict(done), indent=1, allow_nan=False) + "\n")
    return done


def _read(path: Path) -> Done | None:
    """Return a finished step, None where it is not; raises CheckpointError for a damaged file."""
    if not path.is_file():
        return None
    held = read_json(path)
    try:
        return Done(tuple(Row(**row) for row in held["rows"]), held["seconds"], held["threads"])
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(path, error) from error


def _rows(bench: Bench, done: Mapping[str, Done]) -> list[Row]:
    return [row for step in bench.steps if step.name in done for row in done[step.name].rows]


def _write(
    bench: Bench, folder: Path, done: Mapping[str, Done], asked: Mapping[str, Any], settings: BenchSettings
) -> None:
    from mho.studies.bench_figure import draw_bench

    rows = _rows(bench, done)
    ran = [done[step.name] for step in bench.steps if step.name in done]
    about = {
        "study": bench.name,
        "source": bench.source,
        "command": command(dict(asked)),
        "complete": len(ran) == len(bench.steps),
        "seconds": round(sum(d.seconds for d in ran), 1),
        "threads": ran[-1].threads,
        "cores": os.cpu_count(),
        "versions": versions(),
        "setup": [*bench.setup(settings), _who(asked["seed"], rows)],
        "figure": bench.caption,
        "steps": [
            {"step": s.name, "about": s.about, "seconds": round(done[s.name].seconds, 1)}
            for s in bench.steps
            if s.name in done
        ],
    }
    write_results(folder, bench_rows(bench, rows), about, bench_tables(bench, rows))
    draw_bench(bench, rows, folder)


def _who(seed: int, rows: Sequence[Row]) -> str:
    counts = sorted({len(r.values) for r in rows})
    chips = "1 chip" if counts == [1] else f"{' or '.join(map(str, counts))} chips"
    return f"Seed {seed}; {chips} a row; spreads are standard deviations over chips."
