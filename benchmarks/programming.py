"""Seconds of programming a model of 11 million weights (the matrices of a ResNet-18 with CIFAR stem), per chip.

    python benchmarks/programming.py [--threads 2] [--repeats 3] [--chips 1]

Medians over programmings of the whole model; each draws errors of its writes anew. Without verify each must stay below
half a second a chip.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from torch import nn

import mho
from mho.inference import Conductances, Programming, StuckFaults, Verify, WriteError, preset, program

LIMIT = 0.5
"""Seconds that programming 11 million weights of a chip may take without verify."""
SHAPES = ((64, 27), *[(64, 576)] * 4, (128, 576), *[(128, 1152)] * 3, (128, 64), (256, 1152), *[(256, 2304)] * 3,
          (256, 128), (512, 2304), *[(512, 4608)] * 3, (512, 256), (10, 512))  # fmt: skip
"""Outputs and inputs of the layers of a ResNet-18 with CIFAR stem, convolutions unfolded."""

CASES = (
    ("ideal", Programming()),
    ("pcm", preset("pcm")),
    ("charan-2020", preset("charan-2020")),
    ("log-normal, d2d and c2c", Programming(error=WriteError("log-normal", c2c=0.1, d2d=0.1))),
    ("reram-array-om (a table)", preset("reram-array-om")),
    ("offset, clustered faults", Programming(Conductances("offset"), faults=StuckFaults(0.05, 0.05, "clusters"))),
    ("pcm with verify, 5 iterations", preset("pcm").with_(verify=Verify(iterations=5))),
)


def network(chips: int) -> nn.Module:
    """Return layers of the sizes above on analog tiles, with random weights."""
    layers = [nn.Linear(columns, rows, bias=False) for rows, columns in SHAPES]
    return mho.convert_to_analog(
        nn.ModuleList(layers),
        mho.preset("gokmen-2017").with_({"mapping.count_pulses": False}),
        chips=chips,
        trained=True,
    )


def main() -> None:
    """Print a line for each way of programming."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--chips", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    model = network(options.chips)
    weights = sum(rows * columns for rows, columns in SHAPES)
    print(f"torch {torch.__version__}, {options.threads} threads, {weights:,} weights, {options.chips} chip(s)")
    print(f"{'programming':32} {'seconds a chip':>15} {'must':>6}")
    for name, settings in CASES:
        times = []
        for _ in range(options.repeats + 1):
            start = time.perf_counter()
            program(model, settings)
            times.append(time.perf_counter() - start)
        must = f"{LIMIT:6.2f}" if settings.verify is None else ""
        print(f"{name:32} {statistics.median(times[1:]) / options.chips:15.3f} {must}", flush=True)


if __name__ == "__main__":
    main()
