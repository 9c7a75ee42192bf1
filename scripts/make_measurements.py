"""Make examples/measured_rram.csv.gz: pulse measurements of a simulated RRAM array, as a laboratory has them.

Forty soft-bounds devices in siemens with correlated parameters, cycle-to-cycle noise and read noise; and what happens
in a laboratory: failed reads, pulses that were not read, one device whose baseline drifts, one with swapped terminals,
one dead, some measured for a shorter time. What a fit should find stands in examples/measured_rram_truth.json.

    python scripts/make_measurements.py [FOLDER]
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from mho.characterize.fitting.synthetic import Readings, measure, ramps
from mho.config.show import stated
from mho.devices import SoftBounds, Spread
from mho.units import Window

DEVICE = SoftBounds(
    dw_min=Spread(0.03, d2d=0.25), up_down=Spread(1.2, d2d=0.08), w_max=Spread(1.0, d2d=0.12),
    w_min=Spread(-1.0, d2d=0.1), c2c=0.4, correlations=(("dw_min", "w_max", 0.7), ("w_max", "w_min", 0.5)),
    window=Window(5e-6, 55e-6),
)  # fmt: skip
DEVICES, UP, DOWN, CYCLES = 40, 80, 80, 3
READ_NOISE = 0.5e-6
"""Siemens."""
DEAD, REVERSED, DRIFTING, DRIFT = 11, 23, 31, 12e-6
SHORT = (4, 17, 36)
OUTLIERS, ABSENT = 0.003, 0.02
"""Shares of readings that failed, and of pulses that were not read."""
SEED = 2024


def spoiled(readings: Readings, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return conductances and directions (n, rows) with the faults of a laboratory, and which rows are there."""
    siemens, n = readings.siemens.copy(), len(readings.siemens)
    direction = np.tile(readings.direction, (n, 1))
    rows = siemens.shape[1]
    siemens[DEAD] = 8e-6 + READ_NOISE * rng.standard_normal(rows)
    direction[REVERSED] *= -1
    siemens[DRIFTING] += DRIFT * np.arange(rows) / rows
    failed = rng.random(siemens.shape) < OUTLIERS
    siemens = np.where(failed, rng.uniform(0, 80e-6, siemens.shape), siemens)
    there = rng.random(siemens.shape) >= ABSENT
    there[:, 0] = True
    for device in SHORT:
        there[device, int(rows * rng.uniform(0.4, 0.8)) :] = False
    return siemens, direction, there


def text(siemens: np.ndarray, direction: np.ndarray, there: np.ndarray) -> str:
    """Return the CSV."""
    lines = ["device,pulse,direction,conductance_S"]
    for d in range(len(siemens)):
        name = f"r{d // 8}c{d % 8}"
        shown = np.flatnonzero(there[d])
        lines += [f"{name},{k},{direction[d, k]},{siemens[d, k]:.4e}" for k in shown]
    return "\n".join(lines) + "\n"


def truth() -> dict[str, Any]:
    """Return what the fit should find again."""
    name = lambda d: f"r{d // 8}c{d % 8}"  # noqa: E731
    return {
        "law": "soft-bounds", "device": stated(DEVICE), "read_noise_S": READ_NOISE, "devices": DEVICES,
        "dead": name(DEAD), "reversed": name(REVERSED), "drifting": name(DRIFTING), "drift_S": DRIFT,
        "short": [name(d) for d in SHORT], "outliers": OUTLIERS, "absent": ABSENT, "seed": SEED,
    }  # fmt: skip


def main(folder: Path) -> None:
    """Write the data and the truth."""
    readings = measure(DEVICE, ramps(UP, DOWN, CYCLES), devices=DEVICES, read_noise=READ_NOISE, seed=SEED)
    data = text(*spoiled(readings, np.random.default_rng(SEED)))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "measured_rram.csv.gz").write_bytes(gzip.compress(data.encode(), 9, mtime=0))
    (folder / "measured_rram_truth.json").write_text(json.dumps(truth(), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[1] / "examples")
