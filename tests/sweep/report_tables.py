"""Sweeps with known penalties, as the report is to show them: tolerances, a map, many settings, samples, a search."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from mho.sweep.table import SweepTable
from sweep.tables import synthetic

C2C, D2D, DW = "analog.device.c2c", "analog.device.dw_min.d2d", "analog.device.dw_min"
UP, TOP, RULE, LR = "analog.device.up_down", "analog.device.w_max", "analog.update.rule", "lr"
CUT = "diverged: the loss is not finite in epoch 2 (step 311); lower lr or dw_min"


def lost(values: dict[str, Any]) -> float:
    """The points that a made-up device loses: a sum of smooth functions, 0.3 for c2c at 0.6."""
    found = 0.3 * (values.get(C2C, 0.0) / 0.6) ** 2
    found += 0.2 * (values.get(D2D, 0.0) / 0.5) ** 2
    found += 0.3 * (values.get(DW, 0.0005) / 0.004) ** 1.5
    found += 0.3 * (values.get(UP, 0.0) / 0.02) ** 2
    found += 0.05 * (0.6 / values.get(TOP, 0.6) - 1) ** 2 * 4
    found += {"plain": 0.0, "tiki-taka": -0.1}.get(values.get(RULE, "plain"), 0.0)
    return found + 40 * max(0.0, values.get(LR, 0.01) - 0.04)


def tolerances(seeds: int = 5, noise: float = 0.05) -> SweepTable:
    """Four single settings, one of which diverges, and a map of two with failed corners."""
    grids = {
        "c2c": {C2C: [0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.5]},
        "step": {DW: [0.0005, 0.001, 0.002, 0.004, 0.008, 0.016]},
        "bound": {TOP: [0.1, 0.15, 0.2, 0.3, 0.6, 1.2]},
        "learning rate": {LR: [0.005, 0.01, 0.02, 0.04, 0.08]},
        "rule": {RULE: ["plain", "tiki-taka", "none"]},
        "asymmetry x states": {
            UP: [0.0, 0.005, 0.01, 0.015, 0.02, 0.03], DW: [0.0005, 0.001, 0.002, 0.004, 0.006, 0.008],
        },
    }  # fmt: skip
    failed = {
        23: ("diverged", CUT),
        60: ("diverged", CUT),
        61: ("refused", "device.dw_min <0.008> is above the range that w_max leaves"),
        30: ("out of memory", "the pack of this point needed more than 16 GiB"),
    }
    return synthetic(
        grids, seeds=seeds, noise=noise, penalty=lost, failed=failed, title="What must my device reach?", scale="log"
    )


def thousands(points: tuple[int, ...] = (10, 10, 10, 10), seeds: int = 3) -> SweepTable:
    """A grid of many settings: 10 000 points."""
    spans = ((C2C, 0.0, 1.2), (DW, 0.0005, 0.01), (UP, 0.0, 0.04), (TOP, 0.15, 1.2))
    axes = {
        path: [round(low + (high - low) * k / (n - 1), 6) for k in range(n)]
        for (path, low, high), n in zip(spans, points, strict=False)
    }
    size = 1
    for n in points:
        size *= n
    failed = dict.fromkeys(range(size - size // 50, size), ("diverged", CUT))
    return synthetic({"everything": axes}, seeds=seeds, penalty=lost, failed=failed, title=f"{size} points")


def sampled(points: int, axes: int, seeds: int = 3) -> SweepTable:
    """Random points of two or more settings."""
    spans = ((C2C, 0.0, 1.2), (UP, 0.0, 0.04), (DW, 0.0005, 0.01), (TOP, 0.15, 1.2))[:axes]
    draw = random.Random(1)
    table = synthetic({"one": {path: [low] for path, low, _ in spans}}, seeds=seeds, penalty=lost)
    one = {name: column[-1] for name, column in table.rows.items()}
    rows = [{name: column[k] for name, column in table.rows.items()} for k in range(seeds)]
    for number in range(points):
        values = {path: draw.uniform(low, high) for path, low, high in spans}
        for r in range(seeds):
            gap = lost(values) + 0.05 * draw.gauss(0, 1)
            own = {"point": number, "grid": "samples", "replicate": r, "chip": number * seeds + r, **values}
            rows.append({**one, **own, "penalty": gap, "test_accuracy": 98.0 - gap})
    told = [{**axis, "grid": "samples", "values": []} for axis in table.about["axes"]]
    return SweepTable({name: [row[name] for row in rows] for name in one}, {**table.about, "axes": told})


def search(folder: Path, points: int = 128) -> SweepTable:
    """A search over two settings, with the file that it writes."""
    table = sampled(points, 2)
    trials = []
    for number in range(points):
        first = number * 3 + 3
        values = {path: table.rows[path][first] for path in (C2C, UP)}
        gap = sum(table.rows["penalty"][first : first + 3]) / 3
        cost = 1 / (0.05 + values[C2C]) + 0.02 / (0.002 + values[UP])
        trials.append({"point": number, "values": values, "cost": cost, "penalty": gap, "feasible": gap <= 0.3})
    for one in trials:
        better = [t for t in trials if t["cost"] < one["cost"] and t["penalty"] < one["penalty"]]
        one["front"] = not better
    best = min((t for t in trials if t["feasible"]), key=lambda t: t["cost"])
    (folder / "search.json").write_text(json.dumps({"trials": trials, "best": best}), encoding="utf-8")
    return table
