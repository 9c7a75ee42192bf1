"""Milliseconds of a training step in one process of one or two threads, and in two processes of one thread each.

python benchmarks/ranks.py [--repeats 40]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import torch
from steps import fcn, images, lenet
from torch import distributed, nn
from torch.nn import functional as F

import mho

ROWS: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "FCN, batch 10": (fcn, 10),
    "FCN, batch 64": (fcn, 64),
    "LeNet, batch 8": (lenet, 8),
    "LeNet, batch 32": (lenet, 32),
}


def median(make: Callable[[], nn.Module], batch: int, repeats: int, ranks: tuple[int, int]) -> float:
    """Return the median seconds of a step after 30 others, of which this rank computes its part of the batch."""
    torch.manual_seed(0)
    model = mho.distribute(mho.convert_to_analog(make(), mho.preset("gokmen-2017")), loss="sum")
    optimizer = mho.optim.AnalogSGD(model.parameters(), lr=0.01)
    rank, size = ranks
    x, y = (part.chunk(size)[rank] for part in images(batch))
    times = []
    for step in range(30 + repeats):
        start = time.perf_counter()
        optimizer.zero_grad()
        F.cross_entropy(model(x), y, reduction="sum").backward()
        optimizer.step()
        if step >= 30:
            times.append(time.perf_counter() - start)
    return statistics.median(times)


def work(repeats: int, threads: int) -> None:
    """Measure all rows as one process, or as one of those that torchrun started; the first one prints."""
    torch.set_num_threads(threads)
    ranks = (0, 1)
    if "WORLD_SIZE" in os.environ:
        distributed.init_process_group("gloo")
        ranks = (distributed.get_rank(), distributed.get_world_size())
    found = {name: median(make, batch, repeats, ranks) for name, (make, batch) in ROWS.items()}
    if ranks[0] == 0:
        print(json.dumps(found))
    if ranks[1] > 1:
        distributed.destroy_process_group()


def main() -> None:
    """Start every kind of process in turn and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--threads", type=int, default=0, help="only measure, in this process")
    given = parser.parse_args()
    if given.threads:
        work(given.repeats, given.threads)
        return
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    kinds = {"1 thread": ([], 1), "2 threads": ([], 2), "2 processes": (launch, 1)}
    columns = {}
    for kind, (how, threads) in kinds.items():
        command = [sys.executable, *how, __file__, "--repeats", given.repeats, "--threads", threads]
        variables = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, text=True, check=True, env=variables)
        columns[kind] = json.loads(done.stdout.splitlines()[-1])
    print(f"| step | {' | '.join(f'{kind} ms' for kind in columns)} |")
    for name in ROWS:
        print(f"| {name} | {' | '.join(f'{1000 * column[name]:.2f}' for column in columns.values())} |")


if __name__ == "__main__":
    main()
