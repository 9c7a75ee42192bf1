"""What sweeps gain and cost: packing of points on chips, and the overhead around tasks.

    python benchmarks/sweep.py packing [--points 64] [--threads 2] [--preset gokmen-2017] [--after 200]
    python benchmarks/sweep.py planning [--points 10000]
    python benchmarks/sweep.py overhead [--tasks 4] [--seconds 10] [--workers 2 | --ray ADDRESS]

packing: seconds of a training step of points (c2c x up_down, MNIST's FCN, batch 10) as chips of one run, beside as
    many steps of runs of one chip each. Start-up (data, devices drawn, kernels compiled) is not in it.
planning: from SWEEP.toml to packs.
overhead: what a sweep takes beyond its tasks: planning, sending, storing, the table; wall time less what the busiest
    worker spent in tasks. Start-up of workers and joining Ray are not in it.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from mho.data import Dataset, load
from mho.sweep import Grid, Sweep, plan
from mho.sweep.compute import run_of
from mho.sweep.engine import carry_out
from mho.sweep.executors.base import Executor
from mho.sweep.files import begin, write_table
from mho.sweep.run import Places
from mho.train import Trainer

AXES = {"device.c2c": {"from": 0.1, "to": 1.0}, "device.up_down": {"from": 1.0, "to": 1.1}}


def sweep(
    points: int, max_chips: int = 64, settings: dict[str, Any] | None = None, preset: str = "gokmen-2017"
) -> Sweep:
    """Return a square grid of about `points` points of one chip each."""
    side = max(2, round(points**0.5))
    grid = Grid({name: {**ends, "points": side} for name, ends in AXES.items()})
    settings = settings or {"data": "mnist", "epochs": 1}
    return Sweep((grid,), settings, preset=preset, seeds=1, max_chips=max_chips, baseline=98.0)


class Enough(Exception):
    """Enough steps are measured."""


def step(task: dict[str, Any], data: Dataset, after: int, seconds: float) -> float:
    """Return the mean seconds of a step of the run of a task, over some seconds after so many steps of training."""
    marks: list[tuple[int, float]] = []

    def update(steps: int, loss: float, accuracy: float) -> None:
        if steps >= after:
            marks.append((steps, time.perf_counter()))
            if len(marks) > 1 and marks[-1][1] - marks[0][1] > seconds:
                raise Enough

    with suppress(Enough):
        Trainer(run_of(task), data).run_epoch(update)
    (less, soon), (more, late) = marks[0], marks[-1]
    return (late - soon) / (more - less)


def packing(options: argparse.Namespace) -> None:
    """Print the gain of packing: points on a diagonal of the grid are run alone, as they differ in their pulses."""
    torch.set_num_threads(options.threads)
    made, data = plan(sweep(options.points, options.points, preset=options.preset)), load("mnist")
    (pack,) = made.packs
    points = len(pack.points)
    side = math.isqrt(points)
    few = pack.points[side // 2 :: side + 1]
    alone = [step(made.task(pack, [n]), data, options.after, options.measure / len(few)) for n in few]
    together = step(made.task(pack), data, options.after, options.measure)
    mean = statistics.mean(alone)
    print(
        f"{points} points, {options.threads} threads, after {options.after} steps: {together * 1e3:.1f} ms a step "
        f"together; alone {mean * 1e3:.2f} ms ({min(alone) * 1e3:.2f} to {max(alone) * 1e3:.2f}), {points} of them "
        f"{points * mean * 1e3:.0f} ms: packing is {points * mean / together:.1f} times faster"
    )


def planning(options: argparse.Namespace) -> None:
    """Print how long planning takes."""
    asked = sweep(options.points)
    start = time.perf_counter()
    made = plan(asked)
    seconds = time.perf_counter() - start
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        begin(Path(folder) / "out", made)
    print(f"{len(made.values)} points in {len(made.packs)} packs: {seconds:.2f} s, written in "
          f"{time.perf_counter() - start:.2f} s")  # fmt: skip


def overhead(options: argparse.Namespace) -> None:
    """Print what a sweep takes beyond its tasks, which are as many epochs on small digits as last about as long."""
    places = Places(0 if options.ray else options.workers, options.ray)
    with tempfile.TemporaryDirectory() as folder, places.executor(1) as executor:
        # Processes start, mho is imported, kernels are compiled, data are sent: in two sweeps that do not count.
        for name in ("cold", "warm"):
            seconds, _, busy = _sweep(Path(folder) / name, executor, executor.workers, epochs=2)
        epochs = max(1, round(2 * options.seconds / max(busy.values())))
        seconds, tasks, busy = _sweep(Path(folder) / "out", executor, options.tasks, epochs=epochs)
    beyond = seconds - max(busy.values())
    print(f"{tasks} tasks of {sum(busy.values()) / tasks:.1f} s on {len(busy)} workers: {seconds:.2f} s, of which "
          f"{beyond:.2f} s ({100 * beyond / seconds:.1f} %) are overhead")  # fmt: skip


def _sweep(folder: Path, executor: Executor, tasks: int, *, epochs: int) -> tuple[float, int, dict[int, float]]:
    """Return the seconds of a sweep, its tasks, and how long each worker computed."""
    asked = sweep((2 * tasks) ** 2, 2 * tasks, settings={"data": "digits", "epochs": epochs, "threads": 1})
    start = time.perf_counter()
    made = begin(folder, plan(asked))
    carry_out(made, made.packs, executor, folder)
    write_table(folder, made)
    seconds = time.perf_counter() - start
    busy: dict[int, float] = {}
    for path in (folder / "packs").glob("*.json"):
        said = json.loads(path.read_text(encoding="utf-8"))
        busy[said["worker"]] = busy.get(said["worker"], 0.0) + said["seconds"]
    return seconds, len(made.packs), busy


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(required=True)
    one = kinds.add_parser("packing")
    one.add_argument("--points", type=int, default=64)
    one.add_argument("--threads", type=int, default=2)
    one.add_argument("--preset", default="gokmen-2017")
    one.add_argument("--after", type=int, default=200, help="steps of training before the measurement")
    one.add_argument("--measure", type=float, default=4.0, help="seconds of the measurements together and alone")
    one.set_defaults(measured=packing)
    one = kinds.add_parser("planning")
    one.add_argument("--points", type=int, default=10_000)
    one.set_defaults(measured=planning)
    one = kinds.add_parser("overhead")
    one.add_argument("--tasks", type=int, default=4)
    one.add_argument("--seconds", type=float, default=10.0)
    one.add_argument("--workers", type=int, default=2)
    one.add_argument("--ray")
    one.set_defaults(measured=overhead)
    options = parser.parse_args()
    options.measured(options)


if __name__ == "__main__":
    main()
