"""Synthetic tables of sweeps, whose penalty is a known function of the fields, for tests of what reads them."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from itertools import product
from statistics import fmean, stdev
from typing import Any

from mho.sweep.table import BASELINE, DONE, SweepTable

Axes = dict[str, Sequence[Any]]
TWO: Axes = {
    "analog.device.up_down": [1.0, 1.01, 1.02, 1.04, 1.08],
    "analog.device.dw_min": [0.0005, 0.001, 0.002, 0.004, 0.008],
}
BEST = 98.0


def synthetic(
    grids: dict[str, Axes] | None = None, *, seeds: int = 3, noise: float = 0.05, scale: str = "linear",
    penalty: Callable[[dict[str, Any]], float] | None = None, failed: dict[int, tuple[str, str]] | None = None,
    threshold: float = 0.3, title: str = "synthetic", baseline: str | float = "digital",
) -> SweepTable:  # fmt: skip
    """Return the table of grids {name: {path: values}} (default: one of two axes), of `seeds` chips each.

    penalty: the mean of a point, from its values by path (default: 50 |up_down - 1| + 50 dw_min for TWO, else the sum
    of the numbers). noise: its standard deviation over chips, from a fixed seed. failed: {point: (status, reason)}.
    """
    grids = {"map": TWO} if grids is None else grids
    paths = list(dict.fromkeys(path for axes in grids.values() for path in axes))
    draw, failed = random.Random(0), failed or {}
    best = [BEST + noise * draw.gauss(0, 1) for _ in range(seeds)] if isinstance(baseline, str) else []
    mean = fmean(best) if best else float(baseline)
    rows = [_row(BASELINE, "baseline", r, dict.fromkeys(paths), value, mean) for r, value in enumerate(best)]
    points = [(name, dict(zip(axes, v, strict=True))) for name, axes in grids.items() for v in product(*axes.values())]
    for number, (name, values) in enumerate(points):
        lost = (penalty or _penalty)(values)
        for r in range(seeds):
            accuracy = mean - lost - noise * draw.gauss(0, 1)
            status, reason = failed.get(number, (DONE, ""))
            row = _row(number, name, r, {path: values.get(path) for path in paths}, accuracy, mean)
            row["chip"] = number * seeds + r
            if status != DONE:
                row |= dict.fromkeys(("test_accuracy", "test_loss", "train_loss", "pulses", "penalty"))
            rows.append({**row, "status": status, "reason": reason})
    about = {
        "title": title, "threshold": threshold, "seeds": seeds, "config": "", "axes": _axes(grids, scale),
        "baseline": {
            "what": baseline, "mean": mean, "std": stdev(best) if len(best) > 1 else 0.0, "values": best or [mean],
        },
    }  # fmt: skip
    return SweepTable({name: [row[name] for row in rows] for name in rows[0]}, about)


def _penalty(values: dict[str, Any]) -> float:
    if set(values) == set(TWO):
        return 50 * abs(values["analog.device.up_down"] - 1) + 50 * values["analog.device.dw_min"]
    return float(sum(value for value in values.values() if isinstance(value, (int, float))))


def _axes(grids: dict[str, Axes], scale: str) -> list[dict[str, Any]]:
    return [
        {"name": path.rpartition(".")[2], "path": path, "paths": [path], "grid": name, "scale": scale,
         "values": list(values)}
        for name, axes in grids.items() for path, values in axes.items()
    ]  # fmt: skip


def _row(point: int, grid: str, r: int, values: dict[str, Any], accuracy: float, best: float) -> dict[str, Any]:
    return {
        "point": point, "grid": grid, "replicate": r, "chip": r, **values, "test_accuracy": accuracy,
        "test_loss": 2 - accuracy / 50, "train_loss": 2 - accuracy / 50, "pulses": 1e6, "penalty": best - accuracy,
        "status": DONE, "reason": "", "halved": False,
    }  # fmt: skip
