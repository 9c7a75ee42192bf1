"""The settings of the study charan-2020: two networks, how they are trained, and the chips that they are put on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from mho.errors import ConfigError
from mho.inference.sparse_settings import Scope
from mho.studies.bench import BenchSettings


@dataclass(frozen=True)
class Task:
    """One network on one data set.

    train_images, test_images: the first so many; None for all. epochs, lr: of the digital network; batch_size,
    augment, optimizer ("sgd": momentum 0.9 and weight decay 5e-4): of all trainings, whose rate falls as half a cosine.
    aware_epochs, aware_lr: of the trainings that see the chips, which start from the digital network. deviations:
    they clip weights at so many standard deviations of a layer; 0 for never.
    fractions: of the weights that get a digital value; scope: how they are shared out to layers, as of `RandomSparse`.
    calibration: training images that these are trained on, for adapt_epochs at adapt_lr. statistics: whether BatchNorm,
    where the network has it, first measures its averages on every chip with these images. chips: None for those of the
    study. at_once: chips simulated at once, which changes memory and time only.
    """

    network: str
    data: str
    train_images: int | None = None
    test_images: int | None = None
    epochs: int = 20
    lr: float = 1e-3
    batch_size: int = 64
    augment: Literal["none", "crop", "flip-crop"] = "none"
    optimizer: Literal["adam", "sgd"] = "adam"
    aware_epochs: int = 10
    aware_lr: float = 1e-3
    deviations: float = 2.5
    fractions: tuple[float, ...] = (0.01, 0.03, 0.05, 0.07, 0.1, 0.15)
    scope: Scope = "even"
    statistics: bool = True
    calibration: int = 10_000
    adapt_epochs: int = 3
    adapt_lr: float = 0.01
    chips: int | None = None
    at_once: int = 10

    def __post_init__(self) -> None:
        if wrong := list(self._problems()):
            raise ConfigError("; ".join(wrong))

    def _problems(self) -> Iterator[str]:
        for name in ("epochs", "aware_epochs", "adapt_epochs", "batch_size", "calibration", "at_once"):
            if getattr(self, name) < 1:
                yield f"{name} must be at least 1, found {getattr(self, name)}"
        if self.chips is not None and self.chips < 1:
            yield f'chips must be at least 1, or "none" for those of the study, found {self.chips}'
        if not self.fractions or not all(0 < f <= 1 for f in self.fractions):
            yield f"fractions are shares of the weights, above 0 and at most 1, found {list(self.fractions)}"
        if self.deviations < 0:
            yield f"deviations must be 0 or above, found {self.deviations}"


@dataclass(frozen=True)
class Settings(BenchSettings):
    """Of the whole study. chips: of every row, the same for all methods, where a task has no number of its own.

    temperature, weight: of the teacher's loss. bits: width of a digital value. tolerance: of read-verify-write, share
    of the conductance window; rewrites: most times that a device is written again.
    """

    chips: int = 10
    temperature: float = 2.0
    weight: float = 0.5
    bits: int = 8
    tolerance: float = 0.02
    rewrites: int = 20
    mnist: Task = field(default_factory=lambda: Task("lenet-5", "mnist"))
    cifar: Task = field(
        default_factory=lambda: Task(
            "vgg-16", "cifar10", epochs=60, lr=0.05, batch_size=128, augment="flip-crop", optimizer="sgd",
            aware_epochs=30, aware_lr=0.02, fractions=(0.03, 0.05, 0.1), calibration=5000, adapt_epochs=3,
            adapt_lr=0.003, chips=5, at_once=1,
        )
    )  # fmt: skip

    def __post_init__(self) -> None:
        if self.chips < 1:
            raise ConfigError(f"chips must be at least 1, found {self.chips}")
