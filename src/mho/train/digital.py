"""Training of plain torch models, on the CPU or a GPU: progress, a checkpoint after every epoch, exact resume."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import cos, pi
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mho.data import Dataset
from mho.errors import ConfigError, NotFiniteError
from mho.nn.generator import seeded
from mho.nn.modes import evaluating
from mho.random import make_key
from mho.train.digital_feed import Feed
from mho.train.digital_state import DigitalFolder, Run
from mho.train.progress import Silent, reporter

__all__ = ["Feed", "Fitted", "InputLoss", "cosine", "evaluate", "fit"]

BLOCK_STEPS = 20
"""Steps whose losses are looked at together: on a GPU each look waits for it."""

Loss = Callable[[Tensor, Tensor], Tensor]
"""Of outputs and labels."""


@runtime_checkable
class InputLoss(Protocol):
    """A loss that needs the inputs, too, as `mho.inference.Distillation`."""

    def with_inputs(self, x: Tensor, out: Tensor, labels: Tensor) -> Tensor:
        """Return the mean loss of a batch of inputs x whose outputs are `out`."""


@dataclass(frozen=True)
class Fitted:
    """A finished training: the model given, test accuracy in percent, the lines of metrics.jsonl, the directory."""

    model: nn.Module
    test_accuracy: float
    metrics: list[dict[str, Any]]
    folder: Path | None = None


def fit(
    model: nn.Module, data: Dataset, *, epochs: int, optimizer: torch.optim.Optimizer,
    loss: Loss | InputLoss = F.cross_entropy, schedule: Callable[[int], float] | None = None, feed: Feed | None = None,
    out: str | os.PathLike[str] | None = None, resume: bool = True, progress: bool | str = True,
) -> Fitted:  # fmt: skip
    """Train a plain torch model in place, on classes, and return how it went.

    optimizer: any of torch, over the model's parameters. loss: of outputs and labels, the mean over a batch, or an
        object with a method `with_inputs(x, out, y)`.
    schedule: a function of the epoch, from 0, that returns a factor of the learning rate (`cosine(epochs)`,
        `LrSchedule((30, 40), 0.1).at`). feed: batch size, seed, augmentation, device.
    out: a directory for `metrics.jsonl` and `checkpoint/`, written after every epoch. resume: when a run is there
        already, go on with it, to the same bytes as if it had never stopped (a finished one is only read); False
        refuses such a directory.
    Raises ConfigError for a directory that holds another run, CheckpointError for a damaged one, NotFiniteError when
    the loss is no longer finite (what was saved before is kept).
    """
    feed = feed or Feed()
    if epochs < 1:
        raise ConfigError(f"epochs must be at least 1, found {epochs}")
    settings = {"optimizer": _stated(optimizer), "feed": {**vars(feed), "device": ""}, **_told(data)}
    run = Run(model, optimizer, settings)
    folder = DigitalFolder(Path(out)) if out is not None else None
    rates, home = [group["lr"] for group in optimizer.param_groups], _device(model)
    shown = reporter(progress)
    try:
        model.to(feed.torch_device())
        lines = folder.begin(run, epochs, resume=resume) if folder is not None else []
        shown.begin(epochs=epochs, steps=feed.steps(len(data.train_labels)), done=run.epoch)
        while run.epoch < epochs:
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * (schedule(run.epoch) if schedule is not None else 1.0)
            line = _epoch(run, data, feed, loss, shown)
            lines.append(line if folder is None else folder.save(run, line))
            shown.epoch(line)
    finally:
        shown.close()
        model.to(home)
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
    return Fitted(model, lines[-1]["test_accuracy"][0], lines, folder.path if folder is not None else None)


def cosine(epochs: int, *, warmup: int = 0) -> Callable[[int], float]:
    """Return a schedule: a rise over `warmup` epochs, then half a cosine from 1 towards 0 at `epochs`."""
    if not 0 <= warmup < epochs:
        raise ConfigError(f"warmup must be from 0 to less than the {epochs} epochs, found {warmup}")

    def factor(epoch: int) -> float:
        if epoch < warmup:
            return (epoch + 1) / (warmup + 1)
        return 0.5 * (1 + cos(pi * (epoch - warmup) / (epochs - warmup)))

    return factor


@torch.no_grad()
def evaluate(
    model: nn.Module, data: Dataset, *, split: Literal["train", "test"] = "test", batch: int = 500
) -> tuple[float, float]:  # fmt: skip
    """Return cross entropy per sample and accuracy in percent over a split, in evaluation mode."""
    device = _device(model)
    with evaluating(model):
        samples = len(data.test_labels if split == "test" else data.train_labels)
        loss = hits = 0.0
        for first in range(0, samples, batch):
            x, y = (t.to(device) for t in data.batch(slice(first, first + batch), split=split))
            out = model(x)
            loss += float(F.cross_entropy(out, y, reduction="sum"))
            hits += float((out.argmax(1) == y).sum())
    return loss / samples, 100 * hits / samples


def _epoch(run: Run, data: Dataset, feed: Feed, loss: Loss | InputLoss, shown: Silent) -> dict[str, Any]:
    """Train an epoch and evaluate; return its line of metrics.jsonl."""
    start = time.perf_counter()
    key = make_key(feed.seed, 0, "digital training", f"epoch {run.epoch}")  # of dropout, say
    with seeded(key, gpus=True):
        trained, accuracy = _train(run, data, feed, loss, shown)
    run.epoch += 1
    test_loss, test_accuracy = evaluate(run.model, data)
    return {
        "epoch": run.epoch, "steps": run.step, "lr": run.optimizer.param_groups[0]["lr"],
        "train_loss": [trained], "train_accuracy": [accuracy], "test_loss": [test_loss],
        "test_accuracy": [test_accuracy], "threads": torch.get_num_threads(), "seconds": time.perf_counter() - start,
    }  # fmt: skip


def _train(run: Run, data: Dataset, feed: Feed, loss: Loss | InputLoss, shown: Silent) -> tuple[float, float]:
    """Train an epoch; return mean loss and accuracy in percent of what was seen in training."""
    model, optimizer, device = run.model, run.optimizer, feed.torch_device()
    model.train()
    steps, first = feed.steps(len(data.train_labels)), run.step
    total = hits = 0.0
    block: list[tuple[Tensor, Tensor, int]] = []
    for images, labels in feed.batches(data, run.epoch):
        x, y = images.to(device), labels.to(device)
        out = model(x)
        value = loss.with_inputs(x, out, y) if isinstance(loss, InputLoss) else loss(out, y)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        run.step += 1
        block.append((value.detach(), (out.detach().argmax(1) == y).sum(), len(y)))
        done = run.step - first
        if len(block) < BLOCK_STEPS and done < steps:
            continue
        counts = [n for *_, n in block]
        losses = sum(float(v) * n for v, _, n in block)
        right = sum(float(h) for _, h, _ in block)
        if not abs(losses) < float("inf"):
            raise NotFiniteError(
                f"the loss became NaN or infinite in epoch {run.epoch + 1}, by step {run.step}; a smaller learning "
                f"rate than {optimizer.param_groups[0]['lr']} may help"
            )
        shown.update(done, losses / sum(counts), 100 * right / sum(counts))
        total, hits, block = total + losses, hits + right, []
    samples = len(data.train_labels)
    return total / samples, 100 * hits / samples


def _device(model: nn.Module) -> torch.device:
    return next((p.device for p in model.parameters()), torch.device("cpu"))


def _stated(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Return what an optimizer was told, for a check when a run goes on."""
    groups = [{k: v for k, v in g.items() if k != "params"} for g in optimizer.state_dict()["param_groups"]]
    return {"name": type(optimizer).__name__, "groups": groups}


def _told(data: Dataset) -> dict[str, Any]:
    sizes = [len(data.train_labels), len(data.test_labels)]
    return {"data": {"name": data.name, "images": sizes, "shape": list(data.shape)}}
