"""Settings of random sparse adaptation: which weights get a digital value beside the array, and how it is trained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from mho.config.values import convert_fields
from mho.errors import SettingsError

Select = Literal["random", "importance"]
Scope = Literal["layer", "total", "even"]


@dataclass(frozen=True)
class RandomSparse:
    """Which weights of analog layers also have a value in a small digital memory, the same ones on every chip.

    fraction: the share of the weights in the arrays (with the bias column, where biases are in the array).
    select: "random", drawn once from (seed, layer name), as wired at manufacture; "importance", those that matter most,
        by the gradients on the calibration set or by scores of your own (`mho.inference.importance`).
    bits: width of a value, with its sign; None for float32. See `mho.inference.quantised` for the grid.
    scope: "layer", the fraction of every layer; "total", of all layers together, which leaves the share of a layer to
        chance or importance; "even", of all layers together, with as many values in every layer as in any other (all
        weights of a layer that has fewer), as if memories of one size stood beside the arrays: small first layers,
        whose errors reach all outputs, are then held wholly. Of one seed, a larger fraction adds weights to those of a
        smaller one.
    layers: (name pattern, fraction) of layers with a fraction of their own, of which the first that matches counts;
        0 leaves a layer without values. For scope "layer" only.
    Raises ConfigError for other values. Source: Charan et al., IEEE JXCDC 2020; importance: Charan et al., DAC 2020.
    """

    fraction: float = 0.05
    select: Select = "random"
    bits: int | None = 8
    scope: Scope = "layer"
    layers: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        convert_fields(self)
        if wrong := list(self._wrong()):
            raise SettingsError(wrong)

    def _wrong(self) -> Iterator[tuple[str, str]]:
        if not 0 < self.fraction <= 1:
            yield "fraction", f"is a share of the weights, above 0 and at most 1, found {self.fraction}; give 0.05"
        if self.bits is not None and not 2 <= self.bits <= 24:
            yield "bits", f"is a width of 2 (a sign and 0 or 1) to 24, or none for float32, found {self.bits}; give 8"
        if any(not 0 <= share <= 1 for _, share in self.layers):
            yield "layers", f"has shares of the weights of layers, from 0 to 1, found {self.layers}"
        if self.layers and self.scope != "layer":
            yield (
                "layers",
                f'has shares of layers, but scope = "{self.scope}" has one share of all of them; use scope = "layer"',
            )

    def share(self, layer: str) -> float:
        """Return the fraction of the weights of a layer, by its name; with another scope that of the whole."""
        return next((share for pattern, share in self.layers if fnmatchcase(layer, pattern)), self.fraction)


@dataclass(frozen=True)
class Adaptation:
    """How the sparse values are trained on the calibration set.

    epochs: passes over the set. batch_size: images of a step, on every chip. schedule: "cosine" takes lr to 0 over all
        steps. lr: of the optimizer, in weight units. "adam" moves a value by about lr a step: a hundredth to a tenth of
        the largest weights is where to look, on training images that are not in the set.
    loss: "cross-entropy" with class labels, or "mse", the mean square of outputs minus targets of the same shape.
    temperature, distillation: of the teacher's and the network's outputs, and the weight of their difference in the
        loss (the labels have the rest); used when `adapt` is given a teacher.
    Raises ConfigError for other values.
    """

    epochs: int = 10
    batch_size: int = 32
    lr: float = 0.01
    optimizer: Literal["adam", "sgd"] = "adam"
    schedule: Literal["cosine", "constant"] = "cosine"
    loss: Literal["cross-entropy", "mse"] = "cross-entropy"
    temperature: float = 2.0
    distillation: float = 0.5

    def __post_init__(self) -> None:
        convert_fields(self)
        if wrong := list(self._wrong()):
            raise SettingsError(wrong)

    def _wrong(self) -> Iterator[tuple[str, str]]:
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                yield name, f"is a whole number of at least 1, found {getattr(self, name)}"
        for name in ("lr", "temperature"):
            if not getattr(self, name) > 0:
                yield name, f"is a number above 0, found {getattr(self, name)}"
        if not 0 <= self.distillation <= 1:
            yield "distillation", f"is the teacher's share of the loss, 0 to 1, found {self.distillation}; give 0.5"
