"""Seconds of closed-loop programming, and a training step of MSP/LSP over the plain pulsed one.

    python benchmarks/program.py [--threads 2] [--repeats 5] [--size 1000]

Programming: arrays of size x size weights, from a state that is off by a normal error, with 10 iterations of reading
with noise and pulses. Steps: the FCN at batch 10, both models in turn, medians; no transfer falls due.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import mho
from mho.devices import Capacitor, ConstantStep, Device, SoftBounds, UnipolarSoftBounds
from mho.optim import AnalogSGD
from mho.tiles.array import Array
from mho.tiles.cell import ArraySettings, Cell
from mho.tiles.place import Place
from mho.update.msp_lsp import MspLsp
from mho.update.program import program_
from mho.update.program_settings import Program

LIMIT, RATIO = 1.0, 1.5
"""What a transfer of a million weights may take, in seconds, and a step over the plain one."""


def programming(device: Device, cell: Cell, error: float, size: int, repeats: int) -> tuple[float, float, float]:
    """Return median seconds of a call that uses all its 10 iterations, pulses per weight and the share missed."""
    array = Array(ArraySettings(device, cell), Place("bench", (size, size)))
    # Half a step of read noise and a tight tolerance keep weights busy in all iterations, as on hardware.
    step = float(array.step_size[0])
    settings = Program(iterations=10, tolerance=0.5, read_noise=0.5 * step)
    goal = 0.3 * float(array.reach[0]) * (2 * torch.rand_like(array.visible) - 1)
    array.write_(goal)
    times, pulses, missed = [], 0.0, 0.0
    for _ in range(repeats + 1):
        goal = goal + error * torch.randn_like(goal)
        start = time.perf_counter()
        done = program_(array, goal, settings)
        times.append(time.perf_counter() - start)
        assert done.iterations.tolist() == [10]
        pulses, missed = float(done.pulses[0]) / goal.numel(), float(done.missed[0])
    return statistics.median(times[1:]), pulses, missed


def fcn(device: Device, rule: object) -> tuple[nn.Module, AnalogSGD]:
    """Return the network of Gokmen & Vlasov 2016 under a rule, and its optimizer."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(784, 256), nn.Sigmoid(), nn.Linear(256, 128), nn.Sigmoid(), nn.Linear(128, 10))
    config = mho.preset("gokmen-2017").with_(device=device)
    model = mho.convert_to_analog(net, config if rule is None else config.with_(rule=rule))
    return model, AnalogSGD(model.parameters(), lr=0.01)


def step(model: nn.Module, optimizer: AnalogSGD, x: Tensor, y: Tensor) -> float:
    """Run one training step and return its seconds."""
    start = time.perf_counter()
    loss = F.cross_entropy(model(x), y, reduction="sum")
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return time.perf_counter() - start


def steps(device: Device, repeats: int) -> tuple[float, float]:
    """Return the median seconds of a plain pulsed step and of one of MSP/LSP whose LSP has the same devices."""
    pair = [fcn(device, None), fcn(ConstantStep(), MspLsp(every=10**9, lsp=ArraySettings(device)))]
    times: list[list[float]] = [[], []]
    for i in range(repeats):
        x = torch.rand(10, 784)
        x, y = x * (torch.rand_like(x) < 0.19), torch.randint(0, 10, (10,))
        for k, (model, optimizer) in enumerate(pair):
            seconds = step(model, optimizer, x, y)
            if i >= repeats // 3:
                times[k].append(seconds)
    return statistics.median(times[0]), statistics.median(times[1])


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--size", type=int, default=1000)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    one_sided = Cell(pair="one-sided")
    cases: list[tuple[str, Device, Cell, float]] = [
        ("constant-step", ConstantStep(), Cell(), 0.01),
        ("soft-bounds", SoftBounds(), Cell(), 0.01),
        ("capacitor, column reference", Capacitor(), Cell(reference="column"), 0.05),
        ("one-sided pair of unipolar-soft-bounds", UnipolarSoftBounds(), one_sided, 0.01),
    ]
    n = options.size
    print(f"torch {torch.__version__}, {options.threads} threads, {n} x {n} weights, 10 iterations")
    print(f"{'device and cell':42} {'seconds':>8} {'must':>6} {'pulses a weight':>16} {'missed':>8}")
    for name, device, cell, error in cases:
        seconds, pulses, missed = programming(device, cell, error, n, options.repeats)
        print(f"{name:42} {seconds:8.3f} {LIMIT:6.2f} {pulses:16.1f} {100 * missed:6.2f} %", flush=True)
    print(f"{'FCN step, batch 10':42} {'plain':>8} {'MSP/LSP':>8} {'ratio':>8} {'must':>8}")
    for law in (ConstantStep(), Capacitor()):
        plain, rule = steps(law, 40 * options.repeats)
        name = f"the LSP's devices: {type(law).__name__}"
        print(f"{name:42} {1e3 * plain:5.2f} ms {1e3 * rule:5.2f} ms {rule / plain:8.2f} {RATIO:8.2f}", flush=True)


if __name__ == "__main__":
    main()
