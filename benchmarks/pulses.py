"""Speed and memory of the pulsed update on the CPU: pulses per second, a user's law, memory per cell.

    python benchmarks/pulses.py [--threads N] [--repeats N] [--laws] [--json FILE]

Dense: 512 x 512 soft bounds, all spreads and c2c noise, batch 10, BL 31, x uniform, d normal (deviation 1).
Sparse: the same with d 0.01 as large and half of x zero, where cells are counted whether they are hit or not.
With --laws: every law that mho ships with its own defaults and all its spreads, and its speed over soft bounds.
All cases take turns within one run; each is reported as the median over its repeats, with quartiles. A turn
is five updates of one tile; the first, which finds the caches full of the other tiles, is not counted.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mho.config.laws import laws
from mho.devices import Device, SoftBounds, Spread, exp, law, maximum, minimum, where
from mho.kernels import cpu
from mho.kernels.cells import PURPOSES, Cells, Samples, Scheme
from mho.random import make_key
from mho.tiles.tile import Tile

ROWS = COLUMNS = 512
BATCH = 10
LR = 0.01


class Relaxor(Device):
    """A user's device, defined in this script: steps shrink exponentially upwards, linearly downwards."""

    dw_min: Spread = Spread(0.001, d2d=0.3)
    w_max: Spread = Spread(0.6, d2d=0.3)
    c2c: float = 0.3

    def cells(self, draw: Any) -> dict[str, Any]:
        """Return the step sizes and bounds of every device."""
        return {"dw": draw(self.dw_min), "top": draw(self.w_max), "c2c": self.c2c}

    @law
    def pulse(w: Any, up: Any, xi: Any, dw: Any, top: Any, c2c: Any) -> Any:
        """Move by a step with its own curve up and down."""
        step = where(up, dw * exp(-2.0 * w / top), -dw * (1.0 + 0.5 * w / top)) * (1.0 + c2c * xi)
        return minimum(maximum(w + step, -top), top)


class OwnSoftBounds(SoftBounds):
    """The built-in law, written again in this script: what being a user's law costs."""

    @law
    def pulse(w: Any, up: Any, xi: Any, rate_up: Any, rate_down: Any, top: Any, bottom: Any, c2c: Any) -> Any:
        """Go a share of the way to the bound ahead."""
        step = where(up, rate_up * (top - w), rate_down * (bottom - w)) * (1.0 + c2c * xi)
        return minimum(maximum(w + step, bottom), top)


@dataclass
class Case:
    """One line of the table: a tile, its samples, and the times that its updates took."""

    name: str
    cells: Cells
    samples: Samples
    times: list[float]
    pulses: list[int]

    def update(self) -> None:
        """Run one step's update and note its time and pulses."""
        before, start = int(self.cells.totals.sum()), time.perf_counter()
        cpu.pulse_update_(self.cells, self.samples, SCHEME, cpu.rates(self.samples, SCHEME), None)
        self.times.append(time.perf_counter() - start)
        self.pulses.append(int(self.cells.totals.sum()) - before)
        self.samples.step += 1

    def row(self) -> dict[str, Any]:
        """Return the medians and quartiles of this case."""
        low, middle, high = statistics.quantiles(self.times, n=4)
        pulses = statistics.median(self.pulses)
        cells = ROWS * COLUMNS * BATCH
        return {
            "case": self.name,
            "ms": middle * 1e3,
            "ms_quartiles": [low * 1e3, high * 1e3],
            "Mpulses_per_s": pulses / middle / 1e6,
            "Gcells_per_s": cells / middle / 1e9,
            "pulses_per_cell_and_sample": pulses / cells,
        }


SCHEME = Scheme(bl=31, managed=False, balanced=True)


def tile(device: Device, *, counts: bool = False) -> Cells:
    """Return a tile of 512 x 512 devices with all their spreads, at w = 0."""
    return Tile(device, (ROWS, COLUMNS), name="benchmark", count_pulses=counts).cells()


def case(name: str, device: Device, d_scale: float, *, half: bool = False, counts: bool = False) -> Case:
    """Return a case with samples of its own."""
    generator = np.random.default_rng(0)
    x = generator.random((1, BATCH, COLUMNS), np.float32)
    if half:
        x[generator.random(x.shape) < 0.5] = 0.0
    d = (generator.standard_normal((1, BATCH, ROWS)) * d_scale).astype(np.float32)
    keys = np.array([[make_key(0, 0, "benchmark", p) for p in PURPOSES]], np.uint32).view(np.int32)
    gain = torch.tensor([LR / 0.001])
    samples = Samples(torch.from_numpy(x), torch.from_numpy(d), gain, torch.from_numpy(keys), 0)
    return Case(name, tile(device, counts=counts), samples, [], [])


def bytes_per_cell(cells: Cells) -> float:
    """Return the memory that a tile keeps for every cell."""
    kept = [cells.state, *cells.parameters.values(), *cells.extra.values(), cells.counts]
    return sum(t.numel() * t.element_size() for t in kept if t is not None) / cells.state.numel()


def measure(cases: list[Case], repeats: int) -> None:
    """Let the cases take turns."""
    for _ in range(3):
        for one in cases:
            one.update()
    for one in cases:
        one.times.clear()
        one.pulses.clear()
    for _ in range(repeats):
        for one in cases:
            for _ in range(5):
                one.update()
            del one.times[-5], one.pulses[-5]


def show(rows: list[dict[str, Any]], ratios: dict[str, float], memory: dict[str, float]) -> None:
    """Print the tables."""
    print(f"{'case':34} {'ms':>8} {'quartiles':>16} {'Mpulses/s':>10} {'Gcells/s':>9} {'pulses/cell':>11}")
    for row in rows:
        low, high = row["ms_quartiles"]
        print(
            f"{row['case']:34} {row['ms']:8.3f} {low:7.3f} -{high:7.3f} {row['Mpulses_per_s']:10.0f} "
            f"{row['Gcells_per_s']:9.2f} {row['pulses_per_cell_and_sample']:11.3f}"
        )
    for name, value in ratios.items():
        print(f"{name}: {value:.2f}")
    for name, value in memory.items():
        print(f"bytes per cell, {name}: {value:.0f}")


def law_cases() -> list[Case]:
    """Return the dense and the sparse case of every law that mho ships."""
    dense = [case(name, kind(), 1.0) for name, kind in laws().items()]
    return dense + [case(f"{name}, sparse", kind(), 0.01, half=True) for name, kind in laws().items()]


def law_ratios(speed: dict[str, float]) -> dict[str, float]:
    """Return the speed of every law over that of soft bounds in the same case."""
    sparse = ", sparse"
    return {
        f"{name} over soft bounds": value / speed["soft-bounds" + (sparse if name.endswith(sparse) else "")]
        for name, value in speed.items()
    }


def usual_cases() -> list[Case]:
    """Return soft bounds, dense and sparse, and laws of this script."""
    return [
        case("dense", SoftBounds(), 1.0),
        case("dense, own soft bounds", OwnSoftBounds(), 1.0),
        case("dense, own law with exp", Relaxor(), 1.0),
        case("dense, counters per device", SoftBounds(), 1.0, counts=True),
        case("sparse", SoftBounds(), 0.01, half=True),
        case("sparse, own soft bounds", OwnSoftBounds(), 0.01, half=True),
    ]


def usual_ratios(speed: dict[str, float]) -> dict[str, float]:
    """Return what a user's law costs."""
    return {
        "own soft bounds over built-in, dense": speed["dense, own soft bounds"] / speed["dense"],
        "own law with exp over built-in, dense": speed["dense, own law with exp"] / speed["dense"],
        "own soft bounds over built-in, sparse": speed["sparse, own soft bounds"] / speed["sparse"],
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--laws", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cases = law_cases() if options.laws else usual_cases()
    measure(cases, options.repeats)
    rows = [one.row() for one in cases]
    speed = {row["case"]: row["Mpulses_per_s"] for row in rows}
    ratios = law_ratios(speed) if options.laws else usual_ratios(speed)
    memory = {
        "soft bounds with full spreads": bytes_per_cell(tile(SoftBounds())),
        "with a counter per device": bytes_per_cell(tile(SoftBounds(), counts=True)),
    }
    show(rows, ratios, memory)
    if options.json:
        machine = {"threads": options.threads, "cpu": platform.processor(), "torch": torch.__version__}
        found = {
            "machine": machine,
            "repeats": options.repeats,
            "rows": rows,
            "ratios": ratios,
            "memory": memory,
        }
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
