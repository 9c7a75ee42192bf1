"""Ratios of mho's products and training steps over plain torch, measured side by side in one process.

    python benchmarks/steps.py [--threads 2] [--repeats 60] [--json FILE]

Every row interleaves mho and torch and prints medians: what is compared is the ratio, not the milliseconds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import mho
from mho.optim import AnalogSGD


def fcn() -> nn.Module:
    """Return the network of Gokmen & Vlasov 2016."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 256), nn.Sigmoid(), nn.Linear(256, 128), nn.Sigmoid(), nn.Linear(128, 10)
    )


def lenet() -> nn.Module:
    """Return the network of Gokmen, Onen & Haensch 2017."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 5), nn.Tanh(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 5), nn.Tanh(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(512, 128), nn.Tanh(), nn.Linear(128, 10),
    )  # fmt: skip


def images(batch: int) -> tuple[Tensor, Tensor]:
    """Return pictures as sparse as MNIST's (19 % of the pixels are not 0) and labels."""
    x = torch.rand(batch, 1, 28, 28)
    return x * (torch.rand_like(x) < 0.19), torch.randint(0, 10, (batch,))


def pair(
    ours: Callable[[], object], theirs: Callable[[], object], repeats: int, *, warm_up: int = 5
) -> tuple[float, float]:
    """Return the median seconds of both, called in turn after `warm_up` calls of each that do not count."""
    times: tuple[list[float], list[float]] = ([], [])
    for i in range(repeats + warm_up):
        for k, call in enumerate((ours, theirs)):
            start = time.perf_counter()
            call()
            if i >= warm_up:
                times[k].append(time.perf_counter() - start)
    return statistics.median(times[0]), statistics.median(times[1])


def stepper(model: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor) -> Callable[[], None]:
    """Return one training step with the sum loss."""

    def step() -> None:
        loss = F.cross_entropy(model(x), y, reduction="sum")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def training(make: Callable[[], nn.Module], batch: int, chips: int, repeats: int, preset: str) -> tuple[float, float]:
    """Return median seconds of an analog and a plain torch step, after 200 steps of each: errors are then realistic."""
    torch.manual_seed(0)
    net = make()
    model = mho.convert_to_analog(net, mho.preset(preset), chips=chips)
    x, y = images(batch)
    ours = stepper(model, AnalogSGD(model.parameters(), lr=0.01), mho.spread(x, chips), y.repeat(chips))
    theirs = stepper(net, torch.optim.SGD(net.parameters(), lr=0.01), x, y)
    for _ in range(200 if chips == 1 else 20):
        ours()
        theirs()
    return pair(ours, theirs, repeats)


def forward(repeats: int) -> tuple[float, float]:
    """Return median seconds of a noisy 1024x1024 forward product at batch 64 and of torch's linear."""
    layer = mho.AnalogLinear(1024, 1024, bias=False, config=mho.preset("gokmen-2017"), name="wide")
    x, weight = torch.rand(64, 1024), torch.randn(1024, 1024) / 32
    with torch.no_grad():
        return pair(lambda: layer(x), lambda: F.linear(x, weight), repeats)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=60)
    parser.add_argument("--preset", default="gokmen-2017")
    parser.add_argument("--json")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    r, p = options.repeats, options.preset
    rows = [
        ("noisy forward 1024x1024, batch 64", 1, lambda: forward(r), 2.5, 1.5),
        ("FCN step, batch 10", 1, lambda: training(fcn, 10, 1, r, p), 2.5, 1.7),
        ("FCN step, batch 1", 1, lambda: training(fcn, 1, 1, r, p), 4.0, 1.5),
        ("LeNet step, batch 8", 1, lambda: training(lenet, 8, 1, r, p), 4.0, 2.0),
        ("64 chips, FCN step, batch 10, per chip", 64, lambda: training(fcn, 10, 64, max(5, r // 6), p), 0.6, 0.25),
    ]  # fmt: skip
    results = []
    print(f"torch {torch.__version__}, {options.threads} threads, preset {p}, medians of {r} interleaved steps")
    print(f"{'row':42} {'mho ms':>9} {'torch ms':>9} {'ratio':>7} {'must':>6} {'aim':>6}")
    for name, chips, measure, must, aim in rows:
        ours, theirs = measure()
        ratio = ours / chips / theirs
        print(f"{name:42} {ours * 1e3:9.3f} {theirs * 1e3:9.3f} {ratio:7.2f} {must:6.2f} {aim:6.2f}", flush=True)
        results.append({"row": name, "mho_ms": ours * 1e3, "torch_ms": theirs * 1e3, "ratio": ratio})
    if options.json:
        found = {"torch": torch.__version__, "threads": options.threads, "preset": p, "rows": results}
        Path(options.json).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
