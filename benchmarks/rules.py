"""Training steps by every learning rule over the plain pulsed step, measured side by side in one process.

    python benchmarks/rules.py [--threads 2] [--repeats 60] [--rule NAME]... [--json FILE]

The FCN (784-256-128-10) at batch 10 with the preset gokmen-2017; the rules stand at their defaults, and again with the
changes that a row names. Every row interleaves its rule and the plain pulsed rule and prints medians: what is compared
is the ratio. A step of msp-lsp has no transfer in it (interval: 10^9 samples).
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import torch

import mho
from mho.optim import AnalogSGD

sys.path.insert(0, str(Path(__file__).parent))
from steps import fcn, images, pair, stepper

UP = {"device": "unipolar-soft-bounds", "cell.pair": "one-sided"}
ROWS: tuple[tuple[str, dict[str, Any], float | None], ...] = (
    ("tiki-taka", {"rule": "tiki-taka"}, None),
    ("ttv2", {"rule": "ttv2"}, 2.0),
    ("ttv2, after every sample", {"rule": "ttv2", "rule.schedule.unit": "sample"}, None),
    ("c-ttv2", {"rule": "c-ttv2"}, None),
    ("agad", {"rule": "agad"}, None),
    ("residual", {"rule": "residual"}, None),
    ("mixed-precision", {"rule": "mixed-precision"}, None),
    ("msp-lsp", {"rule": "msp-lsp", "rule.every": 10**9}, 1.5),
    ("msp-lsp, MSP a one-sided pair", {"rule": "msp-lsp", "rule.every": 10**9, **UP}, 1.5),
    ("pulsed, differential pair", {"cell.pair": "differential"}, None),
    ("pulsed, one-sided pair", UP, None),
    ("pulsed, 4 devices a weight", {"cell.devices": 4}, None),
)


def ratio(changes: dict[str, Any], repeats: int) -> tuple[float, float]:
    """Return median seconds of a step with changes of the preset and of the plain one, after 200 steps of each."""
    steps = []
    for config in (mho.preset("gokmen-2017").with_(changes), mho.preset("gokmen-2017")):
        torch.manual_seed(0)
        model = mho.convert_to_analog(fcn(), config)
        x, y = images(10)
        steps.append(stepper(model, AnalogSGD(model.parameters(), lr=0.01), x, y))
    for _ in range(200):
        for step in steps:
            step()
    return pair(*steps, repeats)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=60)
    parser.add_argument("--rule", action="append", help="only rows whose name begins so")
    parser.add_argument("--json")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"torch {torch.__version__}, {options.threads} threads, medians of {options.repeats} interleaved steps")
    print(f"{'row':34} {'ms':>8} {'pulsed ms':>10} {'ratio':>6} {'must':>5}")
    results = []
    for name, changes, must in ROWS:
        if options.rule and not any(name.startswith(wanted) for wanted in options.rule):
            continue
        ours, plain = ratio(changes, options.repeats)
        limit = f"{must:5.2f}" if must else "     "
        print(f"{name:34} {ours * 1e3:8.3f} {plain * 1e3:10.3f} {ours / plain:6.2f} {limit}", flush=True)
        results.append({"row": name, "ms": ours * 1e3, "pulsed_ms": plain * 1e3, "ratio": ours / plain})
    if options.json:
        Path(options.json).write_text(json.dumps({"torch": torch.__version__, "rows": results}), encoding="utf-8")


if __name__ == "__main__":
    main()
