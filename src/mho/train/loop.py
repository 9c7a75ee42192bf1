"""The training loop: epochs of pulsed steps over data in memory, and evaluation."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from mho.characterize.properties import refuse_division
from mho.config import RunConfig
from mho.data import Dataset
from mho.distributed import agree, check, gather_in
from mho.distributed.model import described
from mho.errors import NotFiniteError
from mho.nn import convert_to_analog, per_chip, set_backend, spread, zero_shift
from mho.nn.layer import analog_layers
from mho.nn.ranks import Ranks
from mho.nn.zero_shift import make_room
from mho.optim import AnalogSGD
from mho.train import tally
from mho.train.networks import make_network
from mho.train.order import Order
from mho.train.together import mine, totals, whole

BLOCK_STEPS = 50
"""Steps whose samples are gathered at once, and whose losses are looked at together, for one chip."""
TEST_SAMPLES = 1000
"""Samples of one evaluation batch, over all chips."""

Update = Callable[[int, float, float], None]
"""Told after every block: steps done in this epoch, running loss, accuracy in percent (means over chips)."""


class Trainer:
    """A network on analog chips with its optimizer and data, between two epochs.

    The loss is the cross entropy summed over the batch (and over the chips, each of which learns as it would
    alone). `epoch` and `step` count what is done; `shifted` is what zero-shifting said, None before it.
    ranks: the processes that share every batch; all have the same chips, and the results of a run in one process.
    """

    def __init__(self, config: RunConfig, data: Dataset, ranks: Ranks | None = None) -> None:
        self.config, self.chips, self.ranks = config, len(config.chip_ids), ranks
        self.data = data.first(config.train_images)
        network = make_network(config.network, data.shape, len(data.classes), seed=config.seed)
        self.model = convert_to_analog(
            network, config.analog, chips=config.chip_ids, seed=config.seed, vary=config.vary, inplace=True
        )
        if ranks is not None:
            agree(ranks, "the model", described(self.model), "start all of them with the same command and files")
            self.model = gather_in(self.model, ranks)
        set_backend(self.model, config.backend)
        devices = [device for layer in analog_layers(self.model) for _, device in layer.config.devices()]
        for device in {type(d): d for d in devices}.values():
            refuse_division(device)  # a law that cannot train is refused before anything is written
        self.shift = config.zero_shift if config.zero_shift is not None and config.zero_shift.shifts else None
        if self.shift is not None:
            make_room(self.model, self.shift)
        self.shifted: dict[str, Any] | None = None
        self.optimizer = AnalogSGD(self.model.parameters(), lr=self.rate(0))
        self.order = Order(config, len(self.data.train_labels))
        self.epoch = self.step = 0

    def zero_shift(self) -> None:
        """Make the devices' symmetry points their zeros, as the configuration says: before the first epoch."""
        if self.shift is not None:
            self.shifted = zero_shift(self.model, **vars(self.shift)).as_dict()

    def rate(self, epoch: int) -> float | list[float]:
        """Return the learning rate of an epoch, one per chip where the configuration has a list."""
        lr, factor = self.config.lr, self.config.lr_schedule.at(epoch)
        return [v * factor for v in lr] if isinstance(lr, tuple) else lr * factor

    def next_line(self, update: Update | None = None) -> dict[str, Any]:
        """Return the next line of metrics.jsonl: of an epoch, or of the test alone in a run without epochs."""
        return self.run_epoch(update) if self.config.epochs else self.test_line()

    def run_epoch(self, update: Update | None = None) -> dict[str, Any]:
        """Train one epoch and evaluate; return its line of metrics.jsonl.

        Raises NotFiniteError when the run diverges, naming layer, epoch and step; that step moved nothing.
        """
        start = time.perf_counter()
        counts = tally.products(self.model)
        errors = tally.Errors(self.model)
        try:
            loss, accuracy = self._train(errors, update)
        except NotFiniteError as error:
            raise NotFiniteError(
                f"the run diverged in epoch {self.epoch + 1}, step {self.step + 1}: {error}. "
                f"A smaller learning rate than {self.config.lr} may help"
            ) from error
        self.epoch += 1
        if self.ranks is not None:
            check(self.model, self.ranks)
        trained = totals(self.ranks, tally.since(counts, tally.products(self.model)))
        line = {
            "train_loss": loss,
            "train_accuracy": accuracy,
            "products": trained,
            "max_abs_d": errors.quantiles(),
        }
        return self.test_line(line, start)

    def test_line(self, trained: dict[str, Any] | None = None, start: float | None = None) -> dict[str, Any]:
        """Evaluate; return a line of metrics.jsonl with what is known of the epoch's training."""
        start = time.perf_counter() if start is None else start
        counts = tally.products(self.model)
        none = [float("nan")] * self.chips
        untrained = {
            "train_loss": none,
            "train_accuracy": none,
            "products": tally.since(counts, counts),
            "max_abs_d": {},
        }
        test_loss, test_accuracy = self.evaluate()
        return {
            "epoch": self.epoch,
            "steps": self.step,
            "lr": self.optimizer.param_groups[0]["lr"],
            **(trained or untrained),
            "test_loss": test_loss,
            "test_accuracy": test_accuracy,
            "pulses": tally.pulses(self.model),
            "test_products": totals(self.ranks, tally.since(counts, tally.products(self.model))),
            "threads": torch.get_num_threads(),
            "seconds": time.perf_counter() - start,
        }

    def _train(self, errors: tally.Errors, update: Update | None) -> tuple[list[float], list[float]]:
        """Train one epoch; return loss per sample and accuracy in percent of every chip."""
        self.optimizer.param_groups[0]["lr"] = self.rate(self.epoch)
        self.model.train()
        (loss, hits), seen, first = torch.zeros(2, self.chips).double(), 0, self.step
        for rows in self.order.blocks(self.epoch, max(1, BLOCK_STEPS // self.chips)):
            x, y = self._gather(rows)
            outputs = self._steps(x, y, errors)
            block_loss, block_hits = _score(outputs, y)
            loss, hits, seen = loss + block_loss, hits + block_hits, seen + y.shape[1]
            if update is not None:
                n = y.shape[1]
                update(self.step - first, float(block_loss.mean()) / n, 100 * float(block_hits.mean()) / n)
        return (loss / seen).tolist(), (100 * hits / seen).tolist()

    def _gather(self, rows: Any) -> tuple[Tensor, Tensor]:
        """Return images (orders, samples, ...) and labels (orders, samples) of the samples in a block."""
        x, y = self.data.batch(rows.reshape(-1))
        return x.view(*rows.shape, *x.shape[1:]), y.view(rows.shape)

    def _steps(self, x: Tensor, y: Tensor, errors: tally.Errors) -> Tensor:
        """Train on a block, batch after batch; return the outputs (chips, samples, classes)."""
        model, optimizer, chips, batch = self.model, self.optimizer, self.chips, self.config.batch_size
        outputs, sizes = [], []
        for first in range(0, y.shape[1], batch):
            last = min(first + batch, y.shape[1])
            own = mine(self.ranks, first, last)
            inputs, labels = x[:, own], y[:, own]
            shared = inputs.shape[0] == 1
            inputs = spread(inputs[0], chips) if shared else inputs.flatten(0, 1)
            labels = spread(labels[0], chips) if shared else labels.flatten()
            out = model(inputs)
            loss = F.cross_entropy(out, labels, reduction="sum")
            optimizer.zero_grad()
            loss.backward()
            if first == 0:
                optimizer.gather()
                errors.take()
            optimizer.step()
            self.step += 1
            outputs.append(per_chip(out.detach(), chips))
            sizes.append(last - first)
        return whole(self.ranks, outputs, sizes)

    @torch.no_grad()
    def evaluate(self) -> tuple[list[float], list[float]]:
        """Return loss per sample and accuracy in percent of every chip, over the whole test set.

        Draws of its own: evaluating changes nothing in training.
        """
        self.model.eval()
        loss, hits = torch.zeros(2, self.chips).double()
        samples, size = len(self.data.test_labels), max(1, TEST_SAMPLES // self.chips)
        for first in range(0, samples, size):
            x, y = self.data.batch(slice(first, first + size), split="test")
            own = mine(self.ranks, 0, len(y))
            out = whole(self.ranks, [per_chip(self.model(spread(x[own], self.chips)), self.chips)], [len(y)])
            one_loss, one_hits = _score(out, y.unsqueeze(0))
            loss, hits = loss + one_loss, hits + one_hits
        return (loss / samples).tolist(), (100 * hits / samples).tolist()


def _score(out: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return the summed loss and the number of right answers of every chip."""
    y = y.expand(out.shape[:2])
    loss = F.cross_entropy(out.transpose(1, 2), y, reduction="none").double().sum(1)
    return loss, (out.argmax(2) == y).sum(1).double()
