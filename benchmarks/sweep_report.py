"""How long the report of a sweep takes: reading nothing, writing the page and its CSV files, of made-up penalties.

    python benchmarks/sweep_report.py [--values 10] [--axes 4] [--seeds 3]

The table has `values` to the power of `axes` points of `seeds` chips each; the time that the process computes and the
time on the clock are printed, and the size of the page.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from itertools import product
from pathlib import Path
from typing import Any

from mho.sweep.report import write_sweep_report
from mho.sweep.table import SweepTable

PATHS = ("analog.device.c2c", "analog.device.dw_min", "analog.device.up_down", "analog.device.w_max")


def made_up(values: int, axes: int, seeds: int) -> SweepTable:
    """Return the table of a full grid whose penalty is the sum of squares, with noise over chips."""
    draw, paths = random.Random(0), PATHS[:axes]
    steps = [round(k / values, 6) for k in range(values)]
    points = list(product(steps, repeat=axes))
    of_chip = [(n, point, r, sum(v * v for v in point) + 0.05 * draw.gauss(0, 1))
               for n, point in enumerate(points) for r in range(seeds)]  # fmt: skip
    rows: dict[str, list[Any]] = {
        "point": [n for n, *_ in of_chip], "grid": ["all"] * len(of_chip), "replicate": [r for _, _, r, _ in of_chip],
        "chip": list(range(len(of_chip))), **{path: [p[k] for _, p, _, _ in of_chip] for k, path in enumerate(paths)},
        "test_accuracy": [98 - gap for *_, gap in of_chip], "penalty": [gap for *_, gap in of_chip],
        "status": ["done"] * len(of_chip), "reason": [""] * len(of_chip), "halved": [False] * len(of_chip),
    }  # fmt: skip
    told = [{"name": path, "path": path, "paths": [path], "grid": "all", "scale": "linear", "values": steps}
            for path in paths]  # fmt: skip
    baseline = {"what": 98.0, "mean": 98.0, "std": 0.0, "values": [98.0]}
    return SweepTable(rows, {"title": "made up", "threshold": 0.3, "axes": told, "baseline": baseline})


def main() -> None:
    """Write one report and print what it took."""
    told = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    told.add_argument("--values", type=int, default=10)
    told.add_argument("--axes", type=int, default=4, choices=range(1, len(PATHS) + 1))
    told.add_argument("--seeds", type=int, default=3)
    options = told.parse_args()
    table = made_up(options.values, options.axes, options.seeds)
    with tempfile.TemporaryDirectory() as folder:
        clock, cpu = time.perf_counter(), time.process_time()
        page = write_sweep_report(folder, table)
        clock, cpu = time.perf_counter() - clock, time.process_time() - cpu
        size = page.stat().st_size / 1e6
        files = ", ".join(f"{p.name} {p.stat().st_size / 1e6:.2f} MB" for p in sorted(Path(folder).glob("*.csv")))
    points = options.values**options.axes
    print(f"{points} points, {points * options.seeds} chips: {clock:.2f} s ({cpu:.2f} s of computing)")
    print(f"report.html {size:.2f} MB, {files}")


if __name__ == "__main__":
    main()
