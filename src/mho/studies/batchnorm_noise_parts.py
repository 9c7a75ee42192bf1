"""The settings, networks and noise of batchnorm-noise."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from torch import Tensor, nn

from mho.data import Dataset
from mho.inference.evaluation import evaluate
from mho.kernels.product import normals
from mho.nn import L1BatchNorm2d, TopKBatchNorm2d
from mho.nn.generator import seeded
from mho.nn.stored import with_weights
from mho.random import make_key
from mho.studies.bench import BenchSettings
from mho.tiles.draw import TileDraw

NONE, L2, L1, TOPK = "no BatchNorm", "L2", "L1", "TopK"
KINDS = (NONE, L2, L1, TOPK)
LARGEST: Final = "largest weight"
DEVIATION: Final = "standard deviation"
Unit = Literal["largest weight", "standard deviation"]
LAYERS = (nn.Conv2d, nn.Linear)
SAMPLES = 500
"""Images that every chip sees at once in evaluation."""


@dataclass(frozen=True)
class Settings(BenchSettings):
    """What may be changed.

    data, train_images, test_images: the first so many; None: all. width: channels of the first of three stages. k: of
    TopK. networks: trained for each kind, from other initial weights; chips: noise draws for each network. largest,
    deviation: noise levels, in units of a layer's largest weight and of the standard deviation of its weights.
    """

    data: str = "fashion-mnist"
    train_images: int | None = None
    test_images: int | None = None
    width: int = 16
    k: int = 10
    epochs: int = 6
    batch_size: int = 64
    lr: float = 0.002
    augment: Literal["none", "crop", "flip-crop"] = "none"
    networks: int = 3
    chips: int = 10
    largest: tuple[float, ...] = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2)
    deviation: tuple[float, ...] = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7)


def norms(k: int) -> Mapping[str, Callable[[int], nn.Module]]:
    """Return by kind of network the layer that follows a convolution with so many channels."""
    return {
        NONE: lambda channels: nn.Identity(),
        L2: nn.BatchNorm2d,
        L1: L1BatchNorm2d,
        TOPK: lambda channels: TopKBatchNorm2d(channels, k),
    }


def network(kind: str, data: Dataset, settings: Settings, seed: int) -> nn.Sequential:
    """Return an untrained network: three stages of two 3x3 convolutions, mean over the image, one linear layer.

    Networks of all kinds have the same initial weights for the same seed: what normalises draws nothing.
    """
    norm, parts, before = norms(settings.k)[kind], OrderedDict[str, nn.Module](), data.shape[0]
    with seeded(make_key(seed, 0, "batchnorm-noise", "init")):
        for stage, channels in enumerate((settings.width, 2 * settings.width, 4 * settings.width), 1):
            for place in (1, 2):
                at = f"{stage}{place}"
                parts[f"conv{at}"] = nn.Conv2d(before, channels, 3, padding=1)
                parts[f"norm{at}"] = norm(channels)
                parts[f"relu{at}"] = nn.ReLU()
                before = channels
            parts[f"pool{stage}"] = nn.MaxPool2d(2) if stage < 3 else nn.AdaptiveAvgPool2d(1)
        parts["flatten"] = nn.Flatten()
        parts["fc"] = nn.Linear(before, len(data.classes))
        made = nn.Sequential(parts)
        for layer in made.modules():
            if isinstance(layer, LAYERS):  # without normalisation torch's default weights let signals fade
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return made


def noisy_weights(model: nn.Module, level: float, unit: Unit, seed: int, chips: tuple[int, ...]) -> dict[str, Tensor]:
    """Return by layer its weights on every chip: w + level x unit x normal draws, the same draws for every level.

    Biases and what normalises are digital and exact.
    """
    found = {}
    for name, layer in model.named_modules():
        if isinstance(layer, LAYERS):
            w = layer.weight.detach()
            size = w.abs().max() if unit == LARGEST else w.std(correction=0)
            keys = TileDraw(seed, chips, name, (1, 1, 1)).keys("weight noise")
            found[name] = w + level * size * normals(keys, (len(chips), *w.shape))
    return found


def accuracies(
    model: nn.Module, data: Dataset, level: float, unit: Unit, *, seed: int, chips: tuple[int, ...]
) -> list[float]:  # fmt: skip
    """Return the test accuracy of a network in percent on every chip with additive weight noise."""
    noisy = with_weights(model, noisy_weights(model, level, unit, seed, chips))
    return evaluate(noisy, (data.test_x, data.test_y), samples=SAMPLES)
