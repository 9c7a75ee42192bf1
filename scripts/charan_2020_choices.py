#!/usr/bin/env python3
"""How the digital values of the study charan-2020 are shared out and trained was chosen with this script.

    python scripts/charan_2020_choices.py --out DIR

LeNet-5 is trained on the first 55,000 training images of MNIST and distilled with chips in every batch as in the study;
six chips that no training drew are then adapted with 3 % of digital values in different ways, and tested on the last
5,000 training images. No test image is seen. Run again, it goes on with trainings that are in DIR. About 15 minutes
on one core.
"""

from __future__ import annotations

import argparse
import copy
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch import nn

from mho.data import Dataset, load
from mho.inference import Distillation, HardwareAware, WeightClip, WeightNoise, hardware_aware
from mho.inference.adapt_set import balanced
from mho.inference.adaptation import adapt
from mho.inference.evaluation import evaluate
from mho.inference.programming import program
from mho.inference.sparse_settings import Adaptation, RandomSparse
from mho.nn import convert_to_analog
from mho.studies.charan_2020_chips import ARRAYS, CHIPS, USUAL
from mho.train.digital import cosine, fit
from mho.train.digital import evaluate as evaluate_digital
from mho.train.networks import make_network

HELD_OUT = 5000
SEEN_IN_TRAINING = 55_000
UNSEEN_CHIPS = list(range(100, 106))


@dataclass(frozen=True)
class Way:
    """One way of adapting: what is 3 % shared out by, and how it is trained."""

    images: int
    epochs: int
    lr: float = 0.01
    sparse: dict[str, Any] = field(default_factory=dict)
    distillation: float = 0.5

    def __str__(self) -> str:
        how = ", ".join(f"{key} {value}" for key, value in self.sparse.items()) or "scope layer"
        more = "" if self.distillation == 0.5 else f", {100 * self.distillation:g} % of the loss from the teacher"
        return f"{self.images:,} images, {self.epochs} epochs at {self.lr:g}, {how}{more}"


EVEN = {"scope": "even"}
WAYS = (
    Way(5000, 3), Way(10_000, 3, sparse=EVEN), Way(10_000, 6, sparse=EVEN), Way(10_000, 3, 0.02, EVEN),
    Way(10_000, 3, sparse=EVEN, distillation=0.9), Way(10_000, 3, sparse={"select": "importance", **EVEN}),
)  # fmt: skip


def on_chips(network: nn.Module) -> nn.Module:
    """Return a network on programmed chips."""
    model = convert_to_analog(network, ARRAYS, chips=UNSEEN_CHIPS, seed=5, trained=True)
    program(model, CHIPS[USUAL])
    return model


def distilled(teacher: nn.Module, data: Dataset, epochs: int, out: Path) -> nn.Module:
    """Return the network that was trained on with chips and a teacher."""
    student = copy.deepcopy(teacher)
    noise, clip = WeightNoise("programming", programming="charan-2020"), WeightClip("deviations", 2.5)
    aware = hardware_aware(student, HardwareAware(noise=noise, clip=clip), seed=0)
    optimizer = torch.optim.Adam(student.parameters(), 1e-3)
    fit(student, data, epochs=epochs, optimizer=optimizer, schedule=cosine(epochs), out=out, loss=Distillation(teacher))
    return aware.remove()


def main() -> None:
    """Train, adapt in every way, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where trainings are kept")
    out = parser.parse_args().out
    torch.set_num_threads(1)
    whole = load("mnist")
    held = {"test_images": whole.train_images[-HELD_OUT:], "test_labels": whole.train_labels[-HELD_OUT:]}
    data = replace(whole.first(SEEN_IN_TRAINING), **held)
    network = make_network("lenet-5", data.shape, len(data.classes), seed=0)
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    fit(network, data, epochs=20, optimizer=optimizer, schedule=cosine(20), out=out / "dig")
    print(f"digital: {evaluate_digital(network, data)[1]:.2f} %")
    for epochs in (10, 30):
        student = distilled(network, data, epochs, out / f"kd{epochs}")
        print(f"distilled for {epochs} epochs, on chips: {fmean(evaluate(on_chips(student), data)):.2f} %")
        for way in WAYS if epochs == 30 else WAYS[:2]:
            model = on_chips(student)
            x, y = data.batch(balanced(data.train_labels, way.images, seed=0))
            training = Adaptation(epochs=way.epochs, lr=way.lr, distillation=way.distillation)
            adapt(model, x, y, RandomSparse(0.03, bits=8, **way.sparse), training=training, teacher=network)
            print(f"  {way}: {fmean(evaluate(model, data)):.2f} %", flush=True)


if __name__ == "__main__":
    main()
