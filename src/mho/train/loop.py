"""The training loop: epochs of pulsed steps over data in memory, and evaluation."""

from __future__ import annotations

import time
from collections.abc import Callable
from math import prod
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
from mho.kernels.gpu.machine import free_bytes
from mho.nn import convert_to_analog, per_chip, set_backend, set_precision, spread, zero_shift
from mho.nn.layer import analog_layers
from mho.nn.ranks import Ranks
from mho.nn.zero_shift import make_room
from mho.optim import AnalogSGD
from mho.train import tally
from mho.train.batches import SHARE, Batches, data_bytes
from mho.train.memory import check_fits, sample_bytes
from mho.train.networks import make_network
from mho.train.order import Order
from mho.train.stepper import stepper
from mho.train.together import mine, totals, whole
from mho.train.where import computing, device_of

BLOCK_STEPS = 50
"""Steps whose samples are gathered at once, and whose losses are looked at together, for one chip."""
GPU_BLOCK_STEPS, GPU_PART_BYTES = 250, 2**26
"""The same on a GPU, whatever the number of chips: each look waits for it. Gathered at once are so many bytes."""
TEST_SAMPLES, GPU_TEST_SAMPLES = 1000, 2**13
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
        self.device = device_of(config, 1 if ranks is None else ranks.size)
        self.data = data.first(config.train_images)
        network = make_network(config.network, data.shape, len(data.classes), seed=config.seed)
        size = sample_bytes(network, data.shape) if self._on_gpu else 0.0
        self.model = convert_to_analog(
            network, config.analog, chips=config.chip_ids, seed=config.seed, vary=config.vary, inplace=True
        )
        if ranks is not None:
            agree(ranks, "the model", described(self.model), "start all of them with the same command and files")
            self.model = gather_in(self.model, ranks)
        devices = [device for layer in analog_layers(self.model) for _, device in layer.config.devices()]
        for device in {type(d): d for d in devices}.values():
            refuse_division(device)  # a law that cannot train is refused before anything is written
        self.shift = config.zero_shift if config.zero_shift is not None and config.zero_shift.shifts else None
        if self.shift is not None:
            make_room(self.model, self.shift)
        self.shifted: dict[str, Any] | None = None
        self._move(size)
        self.optimizer = AnalogSGD(self.model.parameters(), lr=self.rate(0))
        self.steps = stepper(self.model, self.optimizer, graphs=config.cuda_graphs)
        self.order = Order(config, len(self.data.train_labels))
        self.epoch = self.step = 0

    @property
    def _on_gpu(self) -> bool:
        return self.device.type == "cuda"

    def _move(self, sample: float) -> None:
        """Bring model and data to where the run is computed; `sample`: bytes that one takes in a step of a chip."""
        config, data = self.config, data_bytes(self.data)
        whole = self._on_gpu and data < SHARE * free_bytes(self.device)
        with computing(self.device, self.chips):
            if self._on_gpu:
                step = config.batch_size * (1 + config.cuda_graphs) * sample  # a graph has memory of its own
                shared = GPU_TEST_SAMPLES * sample + data * whole
                check_fits(self.model, self.device, self.chips, step=step, shared=shared)
                self.model.to(self.device)
            self.batches = Batches(self.data, self.device, whole=whole)
        set_backend(self.model, config.backend)
        if config.precision != "float32":
            set_precision(self.model, config.precision)

    def zero_shift(self) -> None:
        """Make the devices' symmetry points their zeros, as the configuration says: before the first epoch."""
        if self.shift is None:
            return
        with computing(self.device, self.chips):
            self.shifted = zero_shift(self.model, **vars(self.shift)).as_dict()

    def rate(self, epoch: int) -> float | list[float]:
        """Return the learning rate of an epoch, one per chip where the configuration has a list."""
        lr, factor = self.config.lr, self.config.lr_schedule.at(epoch)
        return [v * factor for v in lr] if isinstance(lr, tuple) else lr * factor

    def next_line(self, update: Update | None = None) -> dict[str, Any]:
        """Return the next line of metrics.jsonl: of an epoch, or of the test alone in a run without epochs.

        Raises NotFiniteError when the run diverges, GpuMemoryError where a GPU's memory runs out.
        """
        with computing(self.device, self.chips, self.config.precision):
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
                f"the run diverged in epoch {self.epoch + 1}, {self._at}: {error}. "
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
            "compute_device": self.device.type,
            "precision": self.config.precision,
            "seconds": time.perf_counter() - start,
        }

    @property
    def _at(self) -> str:
        """At which step a run diverged: on a GPU, where that is looked for now and then, at which one at the latest."""
        return f"at step {self.step} or before" if self._on_gpu else f"step {self.step + 1}"

    def _train(self, errors: tally.Errors, update: Update | None) -> tuple[list[float], list[float]]:
        """Train one epoch; return loss per sample and accuracy in percent of every chip."""
        self.optimizer.param_groups[0]["lr"] = self.rate(self.epoch)
        self.model.train()
        loss, hits = torch.zeros(2, self.chips, dtype=torch.float64, device=self.device)
        seen, first = 0, self.step
        block, part = self._block_steps()
        for rows in self.order.blocks(self.epoch, block):
            block_loss, block_hits = self._block(self.batches.rows(rows), errors, part)
            self.optimizer.check()
            n = rows.shape[1]
            loss, hits, seen = loss + block_loss, hits + block_hits, seen + n
            if update is not None:
                update(self.step - first, float(block_loss.mean()) / n, 100 * float(block_hits.mean()) / n)
        return (loss / seen).tolist(), (100 * hits / seen).tolist()

    def _block_steps(self) -> tuple[int, int]:
        """Return how many steps there are between two looks at numbers, and of how many samples are gathered at once.

        The memory of the samples, and of the outputs that are kept for the score, is what limits the latter on a GPU.
        """
        if not self._on_gpu:
            steps = max(1, BLOCK_STEPS // self.chips)
            return steps, steps
        orders = self.chips if "order" in self.config.vary else 1
        numbers = orders * prod(self.data.shape) + 8 * self.chips * len(self.data.classes)
        return GPU_BLOCK_STEPS, max(1, min(GPU_BLOCK_STEPS, GPU_PART_BYTES // (4 * self.config.batch_size * numbers)))

    def _block(self, rows: Any, errors: tally.Errors, part: int) -> tuple[Tensor, Tensor]:
        """Train on the samples of a block, `part` steps after `part` steps; return loss and right answers of chips."""
        size, scores = part * self.config.batch_size, []
        for first in range(0, rows.shape[1], size):
            x, y = self._gather(rows[:, first : first + size])
            scores.append(_score(self._steps(x, y, None if first else errors), y))
        return scores[0] if len(scores) == 1 else (sum(s[0] for s in scores), sum(s[1] for s in scores))  # type: ignore[return-value]

    def _gather(self, rows: Any) -> tuple[Tensor, Tensor]:
        """Return images (orders, samples, ...) and labels (orders, samples) of the samples in a block."""
        x, y = self.batches.batch(rows.reshape(-1))
        return x.view(*rows.shape, *x.shape[1:]), y.view(rows.shape)

    def _steps(self, x: Tensor, y: Tensor, errors: tally.Errors | None) -> Tensor:
        """Train on samples, batch after batch; return the outputs (chips, samples, classes)."""
        chips, batch = self.chips, self.config.batch_size
        outputs, sizes = [], []
        for first in range(0, y.shape[1], batch):
            last = min(first + batch, y.shape[1])
            own = mine(self.ranks, first, last)
            inputs, labels = x[:, own], y[:, own]
            shared = inputs.shape[0] == 1
            inputs = spread(inputs[0], chips) if shared else inputs.flatten(0, 1)
            labels = spread(labels[0], chips) if shared else labels.flatten()
            outputs.append(per_chip(self.steps(inputs, labels, None if first else errors), chips))
            self.step += 1
            sizes.append(last - first)
        return whole(self.ranks, outputs, sizes)

    @torch.no_grad()
    def evaluate(self) -> tuple[list[float], list[float]]:
        """Return loss per sample and accuracy in percent of every chip, over the whole test set.

        Draws of its own: evaluating changes nothing in training.
        """
        self.model.eval()
        loss, hits = torch.zeros(2, self.chips, dtype=torch.float64, device=self.device)
        most = GPU_TEST_SAMPLES if self._on_gpu else TEST_SAMPLES
        samples, size = len(self.data.test_labels), max(1, most // self.chips)
        for first in range(0, samples, size):
            x, y = self.batches.batch(slice(first, first + size), split="test")
            own = mine(self.ranks, 0, len(y))
            out = whole(self.ranks, [per_chip(self.model(spread(x[own], self.chips)), self.chips)], [len(y)])
            one_loss, one_hits = _score(out, y.unsqueeze(0))
            loss, hits = loss + one_loss, hits + one_hits
        return (loss / samples).tolist(), (100 * hits / samples).tolist()


def _score(out: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return the summed loss and the number of right answers of every chip."""
    y = y.expand(out.shape[:2])
    if out.is_cuda:  # where torch has the loss of three dimensions in one version only, which may not repeat its bits
        y = y.contiguous()
        loss = F.cross_entropy(out.flatten(0, 1), y.view(-1), reduction="none").view(y.shape).double().sum(1)
    else:
        loss = F.cross_entropy(out.transpose(1, 2), y, reduction="none").double().sum(1)
    return loss, (out.argmax(2) == y).sum(1).double()
