"""Training steps of the transfer rules over those of plain pulses, measured side by side in one process.

    python benchmarks/transfer.py [--repeats 100]

The network is 784-256-128-10 at batch 10, on one thread. Prints the median processor time of a step of each rule, which
others on the machine do not lengthen much, and its ratio to that of plain pulses.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from steps import fcn, images, stepper

import mho
from mho.optim import AnalogSGD
from mho.update.agad import Agad
from mho.update.chopped import ChoppedTTv2
from mho.update.pulsed import Pulsed
from mho.update.tiki_taka import TikiTaka
from mho.update.transfer import Schedule
from mho.update.ttv2 import TTv2

BATCH = Schedule(1, "batch")
SCALED = {"fast_lr": 0.5, "scale_fast_lr": False, "auto_scale": True}
RULES = {
    "pulsed": Pulsed(),
    "ttv2, a line every batch": TTv2(schedule=BATCH),
    "ttv2, a line every vector": TTv2(),
    "ttv2, auto_scale, every batch": TTv2(schedule=BATCH, **SCALED),
    "tiki-taka, a line every batch": TikiTaka(schedule=BATCH),
    "tiki-taka, a line every vector": TikiTaka(),
    "c-ttv2, a line every batch": ChoppedTTv2(schedule=BATCH),
    "agad, a line every batch": Agad(schedule=BATCH),
    "agad, a line every vector": Agad(),
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=100)
    options = parser.parse_args()
    torch.set_num_threads(1)
    x, y = images(10)
    steps, times = {}, {name: [] for name in RULES}
    for name, rule in RULES.items():
        torch.manual_seed(0)
        model = mho.convert_to_analog(fcn(), mho.preset("gokmen-2017").with_(rule=rule))
        steps[name] = stepper(model, AnalogSGD(model.parameters(), lr=0.01), x, y)
    for n in range(options.repeats + 50):
        for name, step in steps.items():
            start = time.process_time()
            step()
            if n >= 50:
                times[name].append(time.process_time() - start)
    plain = statistics.median(times["pulsed"])
    print(f"{'step':32} {'ms':>7} {'ratio':>6}")
    for name, own in times.items():
        print(f"{name:32} {statistics.median(own) * 1e3:7.2f} {statistics.median(own) / plain:6.2f}")


if __name__ == "__main__":
    main()
