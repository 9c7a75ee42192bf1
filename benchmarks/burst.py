"""Speed of pulses by count on the CPU, as closed-loop programming and transfers use them.

    python benchmarks/burst.py [--threads N] [--repeats N] [--json FILE]

Dense: 1024 x 1024 soft bounds, all spreads and c2c noise: 1 to 5 pulses each, one each, one in a hundred, one in ten
thousand, and none (the numbers are only read). Sparse: one column of a 256 x 785 tile, 1 to 3 pulses each, alone and as
pairs whose sum is kept, out of Python. Cases take turns; medians over repeats, with quartiles.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mho.devices import SoftBounds
from mho.kernels import burst
from mho.kernels.cells import PURPOSES, Cells
from mho.random import make_key
from mho.tiles.tile import Tile

SIDE = 1024
ROWS, COLUMNS = 256, 785
CALLS = 200


@dataclass
class Case:
    """One line of the table: a tile, its pulses, how many calls a turn makes, and their times."""

    name: str
    cells: Cells
    pulses: Tensor
    columns: Tensor | None = None
    calls: int = 1
    times: list[float] = field(default_factory=list)

    def turn(self) -> None:
        """Make the calls of one turn and note the time of one; directions alternate, so that no device settles."""
        keys = torch.from_numpy(np.array([[make_key(0, 0, "b", p) for p in PURPOSES]], np.uint32).view(np.int32))
        ways = (self.pulses, -self.pulses)
        start = time.perf_counter()
        for step in range(self.calls):
            burst.burst_(self.cells, ways[step % 2], keys, step=step, columns=self.columns)
        self.times.append((time.perf_counter() - start) / self.calls)

    def row(self) -> dict[str, float | str | list[float]]:
        """Return the medians and quartiles of this case."""
        low, middle, high = statistics.quantiles(self.times, n=4)
        pulses = int(self.pulses.abs().sum())
        speed = pulses / middle / 1e6
        return {"case": self.name, "us": middle * 1e6, "us_quartiles": [low * 1e6, high * 1e6], "Mpulses_per_s": speed}


def cases() -> list[Case]:
    """Return all cases."""
    generator = np.random.default_rng(0)
    made = []

    def dense(name: str, draw: Callable[[tuple[int, ...]], np.ndarray]) -> None:
        cells = Tile(SoftBounds(), (SIDE, SIDE), name=f"tile {len(made)}").cells()
        shape = tuple(cells.state.shape)
        number = draw(shape) * generator.choice([-1, 1], shape)
        made.append(Case(name, cells, torch.from_numpy(number.astype(np.int32)), calls=2))

    dense("1 to 5 pulses", lambda shape: generator.integers(1, 6, shape))
    dense("1 pulse", lambda shape: np.ones(shape))
    dense("1 to 5 pulses, one in 100", lambda s: generator.integers(1, 6, s) * (generator.random(s) < 0.01))
    dense("1 to 5 pulses, one in 10000", lambda s: generator.integers(1, 6, s) * (generator.random(s) < 1e-4))
    dense("none", lambda shape: np.zeros(shape))
    column = torch.tensor([300], dtype=torch.int32)
    for name, gains in (("one column", [1.0]), ("one column of pairs", [0.5, -0.5])):
        cells = Tile(SoftBounds(), (ROWS, COLUMNS), name=name, gains=tuple(gains)).cells()
        number = generator.integers(1, 4, (1, len(gains), ROWS, 1)).astype(np.int32)
        made.append(Case(name, cells, torch.from_numpy(number), column, CALLS))
    return made


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    every = cases()
    for turn in range(options.repeats + 2):
        for case in every:
            case.turn()
            if turn < 2:
                case.times.clear()
    rows = [case.row() for case in every]
    print(f"{'case':30} {'us':>9} {'quartiles':>20} {'Mpulses/s':>10}")
    for row in rows:
        low, high = row["us_quartiles"]  # type: ignore[misc]
        print(f"{row['case']:30} {row['us']:9.1f} {low:9.1f} - {high:8.1f} {row['Mpulses_per_s']:10.0f}")
    if options.json:
        options.json.write_text(json.dumps({"threads": options.threads, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
