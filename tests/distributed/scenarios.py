"""Small trainings of models of one's own, each in one process or by several ranks; run as a program by torchrun.

`python -m torch.distributed.run ... scenarios.py OUT` trains all of them and writes OUT/RANK.pt: states by name.
Products are computed row by row: BLAS adds in another order when a batch has another size, and everything else of a
step is compared bit for bit.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import mho
from mho.config import AnalogConfig
from mho.nn import L1BatchNorm1d, TopKBatchNorm1d
from mho.update.rules import rules
from rules.cases import busy

BATCH, STEPS, INPUTS, CLASSES = 12, 6, 9, 4


def by_rows(x: Tensor, weights: Tensor, out: Tensor | None = None, *, precision: str = "float32") -> Tensor:
    """Return x (chips, vectors, columns) times the transposed weights; every vector as if it were alone."""
    made = torch.empty(*x.shape[:2], weights.shape[1])
    for chip, matrix in enumerate(weights.contiguous()):
        for k, row in enumerate(x[chip]):
            made[chip, k] = torch.mv(matrix, row)
    return made


@dataclass(frozen=True)
class Scenario:
    """A model, its configuration and loop. exact: whether ranks give the bits of one process, else up to rounding."""

    config: AnalogConfig
    net: Callable[[], nn.Module]
    chips: int = 1
    loss: str = "sum"
    passes: int = 1
    exact: bool = True
    images: bool = False
    options: tuple[tuple[str, Any], ...] = ()
    optimizer: Callable[..., torch.optim.Optimizer] = mho.optim.AnalogSGD


def fcn() -> nn.Module:
    """Return a network without digital parameters."""
    return nn.Sequential(nn.Linear(INPUTS, 8), nn.Sigmoid(), nn.Linear(8, CLASSES))


def conv() -> nn.Module:
    """Return a small convolutional network for images of 5x5."""
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.Tanh(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 2, groups=2), nn.Flatten(),
        nn.Linear(4, CLASSES),
    )  # fmt: skip


def with_layer(layer: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
    """Return a maker of a network with a layer between two linear ones."""
    return lambda: nn.Sequential(nn.Linear(INPUTS, 8), layer(), nn.Sigmoid(), nn.Linear(8, CLASSES))


def image_norm() -> nn.Module:
    """Return a convolution with a batch normalisation."""
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(36, CLASSES))


PULSED = mho.preset("gokmen-2017")
TIGHT = PULSED.with_({"forward.output_bound": 0.4, "backward.output_bound": 0.3})
RUNNING = {"forward.noise_management": "running-max", "backward.noise_management": "running-max"}
DIGITAL = PULSED.with_({"mapping.bias": "digital", "mapping.scaling": "output", "mapping.learn_scale": True})


def adam(params: Any, lr: float) -> torch.optim.Optimizer:
    """Return Adam for the digital parameters."""
    return mho.optim.AnalogOptimizer(torch.optim.Adam, params, lr=lr)


SCENARIOS = {
    **{f"rule {name}": Scenario(busy(name), fcn) for name in rules()},
    "repeats of saturated outputs": Scenario(TIGHT, fcn, chips=2),
    "convolution": Scenario(PULSED, conv, images=True),
    "convolution on chips": Scenario(PULSED, conv, chips=2, images=True),
    "convolution by ttv2": Scenario(busy("ttv2"), conv, images=True),
    "dropout": Scenario(PULSED, with_layer(lambda: nn.Dropout(0.4)), chips=3),
    "running maximum": Scenario(PULSED.with_(RUNNING), fcn, chips=2),
    "several backward passes": Scenario(PULSED, fcn, passes=2),
    "mean steps": Scenario(PULSED.with_({"update.trains": "mean"}), fcn),
    "ideal updates": Scenario(PULSED.with_({"update.trains": "ideal"}), fcn),
    "split over arrays": Scenario(PULSED.with_({"mapping.max_rows": 5, "mapping.max_columns": 4}), fcn),
    "mean loss": Scenario(PULSED, fcn, loss="mean"),
    "digital parameters": Scenario(DIGITAL, fcn, chips=2, exact=False),
    "digital parameters by Adam": Scenario(DIGITAL, fcn, exact=False, loss="mean", optimizer=adam),
    "batch normalisation": Scenario(PULSED, with_layer(lambda: nn.BatchNorm1d(8)), chips=2, exact=False),
    "batch normalisation of images": Scenario(PULSED, image_norm, exact=False, images=True),
    "L1 batch normalisation": Scenario(PULSED, with_layer(lambda: L1BatchNorm1d(8)), exact=False),
    "TopK batch normalisation": Scenario(PULSED, with_layer(lambda: TopKBatchNorm1d(8, 3)), exact=False),
    "DistributedDataParallel": Scenario(DIGITAL, fcn, exact=False, loss="mean", options=(("ddp", True),)),
}  # fmt: skip


def batch(step: int, images: bool) -> tuple[Tensor, Tensor]:
    """Return inputs and labels of a step, the same in every process."""
    draws = torch.Generator().manual_seed(step)
    shape = (BATCH, 1, 5, 5) if images else (BATCH, INPUTS)
    return torch.rand(shape, generator=draws), torch.randint(0, CLASSES, (BATCH,), generator=draws)


def train(scenario: Scenario, rank: int = 0, size: int = 1) -> dict[str, Tensor]:
    """Return the state of a model after some steps, of which this rank computes its part of the samples."""
    torch.manual_seed(3)
    model = mho.convert_to_analog(scenario.net(), scenario.config, chips=scenario.chips, seed=5)
    options = dict(scenario.options)
    called = model = mho.distribute(model, loss=scenario.loss, **options)
    if options.get("ddp") and size > 1:
        called = nn.parallel.DistributedDataParallel(model)
    optimizer = scenario.optimizer(model.parameters(), lr=0.05)
    own, losses = slice(BATCH * rank // size, BATCH * (rank + 1) // size), []
    for step in range(STEPS):
        optimizer.zero_grad()
        for k in range(scenario.passes):
            x, y = (v[own] for v in batch(scenario.passes * step + k, scenario.images))
            out = called(mho.spread(x, scenario.chips))
            loss = F.cross_entropy(out, y.repeat(scenario.chips), reduction="sum")
            if scenario.loss == "mean":
                loss = loss / len(y)
            loss.backward()
            losses.append(float(loss.detach()))
        optimizer.step()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    return {**state, "losses": torch.tensor(losses)}


def main(out: Path) -> None:
    """Train every scenario as one of several ranks."""
    from torch import distributed

    import mho.periphery.product

    mho.periphery.product.matmul = by_rows  # type: ignore[attr-defined]
    torch.set_num_threads(1)
    distributed.init_process_group("gloo")
    rank, size = distributed.get_rank(), distributed.get_world_size()
    states: dict[str, Any] = {}
    for name, scenario in SCENARIOS.items():
        try:
            states[name] = train(scenario, rank, size)
        except Exception as error:  # told by the test that compares
            states[name] = f"{type(error).__name__}: {error}"
    torch.save(states, out / f"{rank}.pt")
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
