"""Forward passes in evaluation over plain torch, measured side by side in one process.

    python benchmarks/inference.py [--threads 2] [--repeats 7] [--row resnet|lenet] [--full] [--json FILE]

resnet: ResNet-18 with a CIFAR stem (11.2 million weights), one chip, a batch of 32 images of 3x32x32.
lenet: LeNet-5 on 50 chips, images of 1x28x28: every chip sees the same images, and torch forwards as many in all.
Both with the preset's arrays and output noise, 8-bit converters, and weights scaled to fill the devices' range. Rows
interleave mho and torch and print medians: what is compared is the ratio. `--full` forwards the 10,000 images of a
test set on all 50 chips once (500,000 images), where the row else takes `--images` of them at a time.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

import mho
from mho.train.networks import make_network

sys.path.insert(0, str(Path(__file__).parent))
from steps import images, pair

CHIPS = 50
TEST_SET = 10_000


def analog(net: nn.Module, chips: int) -> nn.Module:
    """Return the network on chips whose forward products have 8-bit converters and the preset's output noise."""
    config = mho.preset("gokmen-2017").with_(forward={"dac_bits": 8, "adc_bits": 8})
    return mho.convert_to_analog(net, config, chips=chips, trained=True).eval()


def resnet(repeats: int) -> tuple[float, float]:
    """Return median seconds of a forward pass of a batch of 32, analog and plain."""
    torch.manual_seed(0)
    net = make_network("resnet-18", (3, 32, 32), 10)
    x = torch.randn(32, 3, 32, 32)
    net(torch.randn(64, 3, 32, 32))  # running statistics of BatchNorm, so that activations have their usual size
    model, net = analog(net, 1), net.eval()
    return pair(lambda: model(x), lambda: net(x), repeats, warm_up=1)


def lenet(repeats: int, count: int, batch: int) -> tuple[float, float]:
    """Return median seconds of `count` images on every chip, and of torch for as many, in batches of its own liking."""
    torch.manual_seed(0)
    net = make_network("lenet-5", (1, 28, 28), 10).eval()
    model = analog(net, CHIPS)
    x = images(count)[0]
    alike = images(1000)[0]

    def ours() -> None:
        for part in x.split(batch):
            model(mho.spread(part, CHIPS))

    def theirs() -> None:
        for _ in range(count * CHIPS // 1000):
            net(alike)

    return pair(ours, theirs, repeats, warm_up=1)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--row", choices=("resnet", "lenet"))
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--json")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    r, count = (1, TEST_SET) if options.full else (options.repeats, options.images)
    rows: dict[str, tuple[str, Callable[[], tuple[float, float]]]] = {
        "resnet": ("ResNet-18, batch 32", lambda: resnet(options.repeats)),
        "lenet": (f"LeNet-5, {CHIPS} chips x {count} images", lambda: lenet(r, count, options.batch)),
    }
    results = []
    print(f"torch {torch.__version__}, {options.threads} threads, medians of {r} interleaved passes")
    print(f"{'row':36} {'mho ms':>9} {'torch ms':>9} {'ratio':>7} {'must':>6}")
    for key, (name, measure) in rows.items():
        if options.row not in (None, key):
            continue
        with torch.no_grad():
            ours, theirs = measure()
        print(f"{name:36} {ours * 1e3:9.1f} {theirs * 1e3:9.1f} {ours / theirs:7.2f} {3:6.2f}", flush=True)
        results.append({"row": name, "mho_ms": ours * 1e3, "torch_ms": theirs * 1e3, "ratio": ours / theirs})
    if options.json:
        found = {"torch": torch.__version__, "threads": options.threads, "rows": results}
        Path(options.json).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
