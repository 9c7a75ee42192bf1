"""Time to create a 2048x2048 tile with all spreads, and its memory per cell.

    python benchmarks/tile.py [--threads 2] [--repeats 5] [--json FILE]

The first tile of a process also compiles or loads the kernels and touches fresh memory; it is shown apart.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import torch

from mho.devices import SoftBounds
from mho.tiles.tile import Tile

SIZE = 2048


def create(number: int, counts: bool = True) -> Tile:
    """Return a tile of soft-bounds devices that differ in every parameter."""
    return Tile(SoftBounds(), (SIZE, SIZE), name=f"tile {number}", count_pulses=counts)


def bytes_per_cell(tile: Tile) -> float:
    """Return the bytes of all buffers over the number of cells."""
    return sum(b.numel() * b.element_size() for b in tile.buffers()) / SIZE**2


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    seconds = []
    for i in range(options.repeats + 1):
        start = time.perf_counter()
        create(i)
        seconds.append(time.perf_counter() - start)
    found = {
        "first tile, s": seconds[0],
        "later tiles, median s": statistics.median(seconds[1:]),
        "bytes a cell, with counters": bytes_per_cell(create(0)),
        "bytes a cell, without": bytes_per_cell(create(0, counts=False)),
    }
    for name, value in found.items():
        print(f"{name:30s} {value:8.3f}")
    if options.json:
        Path(options.json).write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
