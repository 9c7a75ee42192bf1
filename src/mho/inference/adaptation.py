"""Train the sparse digital values beside programmed arrays on a small calibration set, chip by chip at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mho.errors import ConfigError, NotFiniteError
from mho.inference.adapt_report import AdaptReport, LayerMemory
from mho.inference.adapt_set import check_images, check_labels, check_outputs, largest
from mho.inference.evaluation import device_of
from mho.inference.sparse import Adapted
from mho.inference.sparse_attach import adapted_layers, attach, detach, named_layers, put_back
from mho.inference.sparse_settings import Adaptation, RandomSparse
from mho.nn import per_chip, spread
from mho.nn.modes import evaluating
from mho.random import make_key, permutation

Progress = Callable[[int, int, float], None]
"""Told after every epoch: epochs done, epochs in all, mean loss over the chips."""


def adapt(
    model: nn.Module, images: Tensor, labels: Tensor, sparse: RandomSparse | None = None, *,
    training: Adaptation | None = None, teacher: nn.Module | None = None, progress: Progress | None = None,
) -> AdaptReport:  # fmt: skip
    """Random sparse adaptation: give some weights a digital value, and train these values alone, for every chip.

    Values of 0 are put beside the analog layers as `sparse` says (None: the memories that the model has are trained
    on); then they descend the loss on the calibration set. The arrays, digital parameters and buffers stay as they are
    and the model is in evaluation mode meanwhile: products see what is programmed, with converters and noise, and
    errors go back through the layers' backward products. Rounding to `sparse.bits` is part of every forward pass; its
    gradient passes straight through. Every chip descends its own mean loss, in the same order of images. Afterwards
    the model is as it was, with `Adapted` layers, of which `mho.inference.detach` makes plain ones again.

    images: (n, ...), labels: (n,) class numbers (for "mse" targets), of the TRAINING set: what is tested later must not
    be seen here. `mho.inference.balanced` picks a few of every class. training: None for `Adaptation()`. teacher: a
    digital network whose outputs are part of the loss (knowledge distillation); run once, without gradients.

    Raises ConfigError for a model without analog layers or, with `sparse` None, without memories, for a set of a single
    class or none, and for labels beyond the outputs; ShapeError for images and labels that do not belong together;
    NotFiniteError for NaN or infinity, in the images or in training: the values are then as they were before, and the
    model has the memories that it had.
    Source: Charan et al., IEEE JXCDC 2020.
    """
    training = training or Adaptation()
    images = check_images(images)
    labels = check_labels(labels, len(images), training.loss)
    if teacher is not None and training.loss == "mse":
        raise ConfigError('a teacher was given with loss = "mse", whose targets are no classes; use "cross-entropy"')
    kept = adapted_layers(model)
    if sparse is not None:
        scores = importance(model, images, labels, training) if sparse.select == "importance" else None
        attach(model, sparse, scores=scores)
    layers = adapted_layers(model)
    if not layers:
        raise ConfigError(
            f"adapt was asked to train on the sparse memories of a {type(model).__name__} that has none; give "
            "adapt(model, images, labels, RandomSparse(fraction=0.05))"
        )
    run = _Run(model, images, labels, training)
    try:
        with only(model, [one.values for one in layers.values()]):
            if teacher is not None:
                run.teach(teacher)
            return run.adapt(layers, progress)
    except BaseException:  # also one that was stopped by hand
        if sparse is not None:
            detach(model)
            put_back(model, kept)
        raise


def importance(
    model: nn.Module, images: Tensor, labels: Tensor, training: Adaptation | None = None
) -> dict[str, Tensor]:
    """Return how much the loss asks for a correction of every weight: scores (out, in [+ bias]) by layer name.

    The score is the mean over the chips of the squared gradient of the loss over the whole calibration set. The k
    largest are the k weights whose first step of gradient descent lowers the loss of the average chip most. Only
    `loss` and `batch_size` of `training` matter. Memories that the model has are left out and stay as they are. Raises
    as `adapt`.
    """
    training = training or Adaptation()
    images = check_images(images)
    labels = check_labels(labels, len(images), training.loss)
    kept, arrays = adapted_layers(model), named_layers(model)
    run = _Run(model, images, labels, training)
    try:
        layers = attach(model, RandomSparse(1.0, bits=None))
        values = [one.values for one in layers.values()]
        with only(model, values):
            for rows in torch.arange(len(images), device=run.device).split(training.batch_size):
                (run.loss(rows).sum() * (len(rows) / len(images))).backward()
        scores = [torch.zeros_like(v[0]) if v.grad is None else v.grad.square().mean(0) for v in values]
    finally:
        detach(model)
        put_back(model, kept)
    return {name: s.view(arrays[name].out_size, -1) for name, s in zip(layers, scores, strict=True)}


@contextmanager
def only(model: nn.Module, values: list[nn.Parameter]) -> Iterator[None]:
    """Let only `values` have gradients, and the model evaluate; afterwards all is as before."""
    wanted = [(p, p.requires_grad) for p in model.parameters()]
    try:
        for p, _ in wanted:
            p.requires_grad_(False)
        for p in values:
            p.requires_grad_(True)
        with evaluating(model):
            yield
    finally:
        for p, before in wanted:
            p.requires_grad_(before)


class _Run:
    """A calibration set on a model with memories, and how the values descend its loss."""

    def __init__(self, model: nn.Module, images: Tensor, labels: Tensor, training: Adaptation) -> None:
        self.model, self.training, self.device = model, training, device_of(model)
        self.most = largest(labels)
        self.images, self.labels = images.to(self.device), labels.to(self.device)
        layer = next(iter(named_layers(model).values()))
        self.chips = len(layer.chips)
        self.order = make_key(layer.seed, 0, "adaptation", "order")
        self.taught: Tensor | None = None

    def teach(self, teacher: nn.Module) -> None:
        """Run the teacher over the calibration set and keep its outputs."""
        parts, place = self.images.split(self.training.batch_size), device_of(teacher)
        with torch.no_grad(), evaluating(teacher):
            self.taught = torch.cat([teacher(x.to(place)) for x in parts]).to(self.device)

    def adapt(self, layers: dict[str, Adapted], progress: Progress | None) -> AdaptReport:
        """Train the values of the layers; return how it went."""
        before = self.score()
        start = [one.values.detach().clone() for one in layers.values()]
        for one in layers.values():
            one.forward_vectors = one.backward_vectors = 0
        try:
            losses = self.descend_([one.values for one in layers.values()], progress)
        except NotFiniteError as error:
            with torch.no_grad():
                for one, values in zip(layers.values(), start, strict=True):
                    one.values.copy_(values)
            raise NotFiniteError(
                f"adaptation diverged: {error}. The sparse values are as they were before; a smaller lr than "
                f"{self.training.lr} may help"
            ) from error
        memories = tuple(LayerMemory.of(name, one) for name, one in layers.items())
        for one in layers.values():
            one.settle_()
            one.values.grad = None
        steps = self.training.epochs * math.ceil(len(self.images) / self.training.batch_size)
        return AdaptReport(memories, len(self.images), steps, losses, before, self.score())

    def descend_(self, values: list[nn.Parameter], progress: Progress | None) -> tuple[tuple[float, ...], ...]:
        """Train on all epochs; return the mean loss of every epoch and chip."""
        training, count = self.training, len(self.images)
        kind = torch.optim.Adam if training.optimizer == "adam" else torch.optim.SGD
        optimizer = kind(values, lr=training.lr)
        steps, step, history = training.epochs * math.ceil(count / training.batch_size), 0, []
        for epoch in range(training.epochs):
            total = torch.zeros(self.chips, device=self.device)
            order = torch.from_numpy(permutation(count, self.order, epoch)).to(self.device)
            for rows in order.split(training.batch_size):
                if training.schedule == "cosine":
                    optimizer.param_groups[0]["lr"] = training.lr * (1 + math.cos(math.pi * step / steps)) / 2
                loss = self.loss(rows)
                if not loss.is_cuda:  # there at the end of the epoch: a look would wait for the device
                    self.check(loss, epoch)
                optimizer.zero_grad()
                loss.sum().backward()
                optimizer.step()
                total += loss.detach() * len(rows)
                step += 1
            self.check(total / count, epoch)
            if not all(bool(torch.isfinite(v.detach()).all()) for v in values):
                raise NotFiniteError(f"values are NaN or infinite after epoch {epoch + 1}")
            history.append(tuple((total / count).tolist()))
            if progress is not None:
                progress(epoch + 1, training.epochs, sum(history[-1]) / self.chips)
        return tuple(history)

    def check(self, loss: Tensor, epoch: int) -> None:
        """Raise NotFiniteError for a loss over chips that is NaN or infinite."""
        if not bool(torch.isfinite(loss.detach()).all()):
            raise NotFiniteError(f"the loss of epoch {epoch + 1} is {loss.tolist()} over the chips")

    def loss(self, rows: Tensor) -> Tensor:
        """Return the mean loss of every chip, (chips,), over these images."""
        out = per_chip(self.model(spread(self.images[rows], self.chips)), self.chips)
        labels = self.labels[rows]
        check_outputs(out, labels, self.training.loss, self.most)
        if self.training.loss == "mse":
            return (out - labels).square().flatten(1).mean(1)
        if self.taught is None:
            many = labels.expand(self.chips, -1)
            return F.cross_entropy(out.transpose(1, 2), many, reduction="none").mean(1)
        from mho.inference.distillation import distillation_loss

        taught, options = self.taught[rows], self.training
        return torch.stack(
            [
                distillation_loss(one, taught, labels, temperature=options.temperature, weight=options.distillation)
                for one in out
            ]
        )

    @torch.no_grad()
    def score(self) -> tuple[float, ...]:
        """Return the accuracy of every chip on the calibration set in percent, or for "mse" the mean square error."""
        total = torch.zeros(self.chips, dtype=torch.float64, device=self.device)
        for rows in torch.arange(len(self.images), device=self.device).split(self.training.batch_size):
            out = per_chip(self.model(spread(self.images[rows], self.chips)), self.chips)
            labels = self.labels[rows]
            check_outputs(out, labels, self.training.loss, self.most)
            if self.training.loss == "mse":
                total += (out - labels).square().flatten(1).mean(1) * len(rows)
            else:
                total += 100 * (out.argmax(2) == labels).sum(1)
        return tuple((total / len(self.images)).tolist())
