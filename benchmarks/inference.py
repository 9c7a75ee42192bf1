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
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import mho

sys.path.insert(0, str(Path(__file__).parent))
from steps import images

CHIPS = 50
TEST_SET = 10_000


class Block(nn.Module):
    """Two 3x3 convolutions with BatchNorm beside a short cut (He et al. 2016)."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after)
        self.conv2, self.bn2 = nn.Conv2d(after, after, 3, 1, 1, bias=False), nn.BatchNorm2d(after)
        self.short = nn.Sequential()
        if stride > 1:
            self.short = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.short(x))


def resnet18() -> nn.Module:
    """Return ResNet-18 with a 3x3 stem and no pooling after it, for images of 32x32 pixels."""
    blocks: list[nn.Module] = []
    before = 64
    for after, stride in ((64, 1), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1)):
        blocks.append(Block(before, after, stride))
        before = after
    return nn.Sequential(
        nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU(), *blocks, nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(512, 10),
    )  # fmt: skip


def lenet5() -> nn.Module:
    """Return LeNet-5 (LeCun et al. 1998) with ReLU and max pooling, for images of 28x28 pixels."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip


def analog(net: nn.Module, chips: int) -> nn.Module:
    """Return the network on chips whose forward products have 8-bit converters and the preset's output noise."""
    config = mho.preset("gokmen-2017").with_(forward={"dac_bits": 8, "adc_bits": 8})
    return mho.convert_to_analog(net, config, chips=chips, trained=True).eval()


def pair(ours: Callable[[], object], theirs: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Return the median seconds of both, called in turn after one warm-up of each."""
    times: tuple[list[float], list[float]] = ([], [])
    for i in range(repeats + 1):
        for k, call in enumerate((ours, theirs)):
            start = time.perf_counter()
            call()
            if i:
                times[k].append(time.perf_counter() - start)
    return statistics.median(times[0]), statistics.median(times[1])


def resnet(repeats: int) -> tuple[float, float]:
    """Return median seconds of a forward pass of a batch of 32, analog and plain."""
    torch.manual_seed(0)
    net = resnet18()
    x = torch.randn(32, 3, 32, 32)
    net(torch.randn(64, 3, 32, 32))  # running statistics of BatchNorm, so that activations have their usual size
    model, net = analog(net, 1), net.eval()
    return pair(lambda: model(x), lambda: net(x), repeats)


def lenet(repeats: int, count: int, batch: int) -> tuple[float, float]:
    """Return median seconds of `count` images on every chip, and of torch for as many, in batches of its own liking."""
    torch.manual_seed(0)
    net = lenet5().eval()
    model = analog(net, CHIPS)
    x = images(count)[0]
    alike = images(1000)[0]

    def ours() -> None:
        for part in x.split(batch):
            model(mho.spread(part, CHIPS))

    def theirs() -> None:
        for _ in range(count * CHIPS // 1000):
            net(alike)

    return pair(ours, theirs, repeats)


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
