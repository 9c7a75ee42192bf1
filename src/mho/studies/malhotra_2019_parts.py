"""What malhotra-2019 is made of: settings, networks, mean predictions, the four measures and their figure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from mho.data import Dataset
from mho.inference.uncertainty import auroc, expected_calibration_error, predictive_entropy
from mho.kernels.product import normals
from mho.nn import per_chip, spread
from mho.nn.bayesian import BayesianLinear, Layer, bayesian_layers, posterior
from mho.nn.stored import with_weights
from mho.random import make_key
from mho.studies.bench import BenchSettings, Row
from mho.studies.rows import ACCURACY
from mho.tiles.draw import TileDraw

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

AXIS = "cycle-to-cycle noise of a write (standard deviation of ln g)"
PART = 1000
"""Images that every chip sees at once."""


@dataclass(frozen=True)
class Settings(BenchSettings):
    """What the study may be told.

    strange: data that the networks were not trained for. width: neurons of both hidden layers. prior: standard
    deviation of the weights before training; divergence: by how much it counts (1: Bayes' rule). samples: draws of the
    weights of which a prediction is the mean. error: how a write errs. c2c, d2d: its noise and its spread over devices.
    floor: the c2c that one network is trained for.
    """

    data: str = "mnist"
    strange: str = "fashion-mnist"
    train_images: int | None = None
    width: int = 200
    epochs: int = 10
    batch_size: int = 100
    lr: float = 2e-3
    prior: float = 0.1
    divergence: float = 0.1
    chips: int = 5
    samples: int = 20
    error: Literal["multiplicative", "log-normal"] = "log-normal"
    c2c: tuple[float, ...] = (0.1, 0.2, 0.3, 0.5)
    d2d: tuple[float, ...] = (0.0, 0.1)
    floor: float = 0.5


@dataclass(frozen=True)
class Uncertain:
    """Predictions, (chips, samples, classes): of usual images and of strange ones."""

    usual: Tensor
    strange: Tensor


@dataclass(frozen=True)
class Metric:
    """One measure of a chip's predictions: `of(usual, strange, labels)`."""

    name: str
    unit: str
    of: Callable[[Tensor, Tensor, Tensor], float]


def _accuracy(usual: Tensor, strange: Tensor, labels: Tensor) -> float:
    return 100 * float((usual.argmax(1) == labels).double().mean())


def _calibration(usual: Tensor, strange: Tensor, labels: Tensor) -> float:
    return expected_calibration_error(usual, labels)


def _by_entropy(usual: Tensor, strange: Tensor, labels: Tensor) -> float:
    return auroc(predictive_entropy(usual), predictive_entropy(strange))


def _by_confidence(usual: Tensor, strange: Tensor, labels: Tensor) -> float:
    return auroc(-usual.max(1).values, -strange.max(1).values)


METRICS = (
    Metric("accuracy", ACCURACY, _accuracy),
    Metric("expected calibration error", "% calibration error", _calibration),
    Metric("strange images told by entropy", "AUROC", _by_entropy),
    Metric("strange images told by confidence", "AUROC", _by_confidence),
)


def network(settings: Settings, data: Dataset, *, floor: float | None, seed: int) -> nn.Sequential:
    """Return inputs-width-width-classes with ReLU; Bayesian where a floor (see `Spreads`) is given."""
    sizes = (prod(data.shape), settings.width, settings.width, len(data.classes))
    layers: list[nn.Module] = [nn.Flatten()]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(make_key(seed, 0, "malhotra-2019", "init")[0])
        for k, (a, b) in enumerate(pairwise(sizes)):
            layer = nn.Linear(a, b) if floor is None else BayesianLinear(a, b, name=f"fc{k}", seed=seed, floor=floor)
            layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


@torch.no_grad()
def probabilities(model: nn.Module, images: Tensor, chips: int) -> Tensor:
    """Return the predictions of every chip, (chips, samples, classes), float32."""
    parts = [per_chip(model(spread(x, chips)), chips).softmax(2) for x in images.split(PART)]
    return torch.cat(parts, dim=1)


def mean_probabilities(
    model: nn.Module, inputs: Sequence[Tensor], draw: Callable[[str, Layer, int], Tensor], *, samples: int, chips: int
) -> list[Tensor]:
    """Return mean predictions over `samples` draws of the weights, a tensor for each of the inputs.

    draw(name, layer, number): weights (chips, ...) of a Bayesian layer.
    """
    layers = bayesian_layers(model)
    total = [torch.zeros(()) for _ in inputs]
    for number in range(samples):
        drawn = with_weights(model, {name: draw(name, layer, number) for name, layer in layers.items()})
        total = [t + probabilities(drawn, x, chips) / samples for t, x in zip(total, inputs, strict=True)]
    return total


def gaussian(name: str, layer: Layer, number: int, *, seed: int, chips: tuple[int, ...]) -> Tensor:
    """Return exact draws of a layer's weights, (chips, ...)."""
    mean, std = posterior(layer)
    keys = TileDraw(seed, chips, name, (1, 1, 1)).keys("exact draws")
    return normals(keys, (len(chips), *mean.shape), number).mul_(std).add_(mean)


def setup(settings: Settings) -> Sequence[str]:
    """Return what all steps share, in sentences."""
    s = settings
    images = "all" if s.train_images is None else f"the first {s.train_images:,}"
    return [
        f"Networks: inputs-{s.width}-{s.width}-classes with ReLU on {s.data}: {images} training and all test images, "
        f"{s.epochs} epochs, batch {s.batch_size}, Adam at {s.lr:g} with a cosine schedule. Strange images: the test "
        f"images of {s.strange}, which no network has seen.",
        "Bayesian networks: Gaussian weights with a mean and a spread each, local reparametrisation, a Gaussian prior "
        f"of {s.prior:g}, the divergence times {s.divergence:g}. Biases have no spread. A prediction is the mean of "
        f"{s.samples} predictions.",
        "Mean of a weight: the difference of the mean conductances of a pair. Spread: that of the difference, set by "
        f"the level that both share. Every draw writes all devices anew, with {s.error} errors of c2c (drawn at "
        "every write) and d2d (drawn once per device); levels come from what a test device shows in 16,384 writes.",
        "Products are exact: no converters, no noise of reading. Calibration error: 15 ranges of confidence.",
    ]


def draw(figure: Figure, rows: Sequence[Row]) -> None:
    """Draw every measure over the cycle-to-cycle noise, with what has no noise as horizontal lines."""
    figure.set_size_inches(10, 7.5)
    for axes, metric in zip(figure.subplots(2, 2).ravel(), METRICS, strict=True):
        _draw_metric(axes, [r for r in rows if r.group == metric.name])
        axes.set(xlabel=AXIS, ylabel=metric.unit)
        axes.set_title(metric.name, fontsize=9)
        axes.grid(alpha=0.25, linewidth=0.5)


def _draw_metric(axes: Axes, rows: Sequence[Row]) -> None:
    for k, r in enumerate(r for r in rows if not r.line):
        style = ("-", ":", "--")[k % 3]
        axes.axhline(r.mean, color="black", linewidth=1, linestyle=style, label=r.case.split(":")[0])
    for name in dict.fromkeys(r.line for r in rows if r.line):
        own = [r for r in rows if r.line == name]
        at, means, bars = ([f(r) for r in own] for f in (lambda r: r.at, lambda r: r.mean, lambda r: r.std))
        axes.errorbar(at, means, bars, label=name, marker="o", markersize=4, capsize=3, linewidth=1.3)
    if rows:
        axes.legend(fontsize=6.5, frameon=False, loc="best")
