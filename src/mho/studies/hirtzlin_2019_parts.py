"""What hirtzlin-2019 is made of: its settings, its networks, and the ways to read a bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import prod

import torch
from torch import nn

from mho.data import Dataset
from mho.inference.differential import Memory, TwoStates
from mho.inference.hamming import corrected_error, data_of, words_of
from mho.nn.binary import BinaryLinear, Sign
from mho.random import make_key
from mho.studies.bench import BenchSettings
from mho.studies.hirtzlin_2019_figure import READINGS

DIFFERENTIAL, SINGLE, BALANCED, CORRECTED = READINGS


@dataclass(frozen=True)
class Settings(BenchSettings):
    """What the study may be told.

    width: neurons of both hidden layers. trained_rate: the bit error rate that the adapted network is trained with.
    rates: bit error rates that networks are tried at. ratios: of the medians of the resistances of the two states.
    states: their spreads, and the median of the low-resistance state. shift: of ln R over chips, for the readings that
    have one. bits: of a chip, whose errors are counted.
    """

    data: str = "mnist"
    train_images: int | None = None
    width: int = 256
    epochs: int = 12
    batch_size: int = 100
    lr: float = 3e-3
    chips: int = 20
    trained_rate: float = 0.04
    rates: tuple[float, ...] = (1e-4, 1e-3, 0.01, 0.02, 0.04, 0.1, 0.2)
    ratios: tuple[float, ...] = (3.0, 5.0, 10.0, 20.0, 50.0)
    states: TwoStates = field(default_factory=TwoStates)
    shift: float = 0.3
    bits: int = 2**18


def at_ratio(settings: Settings, ratio: float) -> TwoStates:
    """Return the states with this ratio of their medians."""
    return replace(settings.states, high=settings.states.low * ratio)


def rates_of(states: TwoStates) -> dict[str, float]:
    """Return the bit error rates of the readings by their closed forms."""
    balanced = states.single_error(states.balanced_threshold())
    rates = (states.differential_error(), states.single_error(), balanced, corrected_error(balanced))
    return dict(zip(READINGS, rates, strict=True))


def read(memory: Memory, bits: torch.Tensor, reading: str) -> torch.Tensor:
    """Return bits (chips, rows, columns) as they are read by one of the ways, from as few devices as it needs."""
    if reading == DIFFERENTIAL:
        return memory.differential(bits)
    if reading == SINGLE:
        return memory.single(bits)
    threshold = memory.states.balanced_threshold()
    if reading == BALANCED:
        return memory.single(bits, threshold)
    return data_of(memory.single(words_of(bits), threshold), bits.shape[1])


def network(settings: Settings, data: Dataset, *, binary: bool, seed: int) -> nn.Sequential:
    """Return inputs-width-width-classes with batch normalisation after every layer, binarised or with ReLU."""
    inputs, width = prod(data.shape), settings.width

    linear, classes = BinaryLinear if binary else nn.Linear, len(data.classes)
    sizes = [inputs, width, width]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(make_key(seed, 0, "hirtzlin-2019", "init")[0])
        hidden = [
            part
            for a, b in pairwise(sizes)
            for part in (linear(a, b, bias=False), nn.BatchNorm1d(b), Sign() if binary else nn.ReLU())
        ]
        last = linear(width, classes, bias=False)
        return nn.Sequential(nn.Flatten(), *hidden, last, nn.BatchNorm1d(classes))


def setup(settings: Settings) -> Sequence[str]:
    """Return what all steps share, in sentences."""
    s, states = settings, settings.states
    images = "all" if s.train_images is None else f"the first {s.train_images:,}"
    return [
        f"Networks: inputs-{s.width}-{s.width}-classes, batch normalisation after every layer, on {s.data}: {images} "
        f"training and all test images, {s.epochs} epochs, batch {s.batch_size}, Adam at {s.lr:g} with a cosine "
        "schedule. Pixels enter as real numbers in [0, 1]; batch normalisation stays digital.",
        f"Resistances are log-normal: ln R has a standard deviation of {states.low_sigma:g} in the low-resistance "
        f"state (median {states.low / 1e3:g} kOhm) and {states.high_sigma:g} in the high-resistance state; sense "
        f"amplifiers, one a column, have an offset of {states.offset:g} in ln R. These are our assumptions, no numbers "
        "of the paper.",
        "Single-ended readings use the threshold with the fewest errors, balanced ones that at which ones and zeros "
        "err equally often. Error correction is the extended Hamming code (8, 4), which takes two devices a bit, as a "
        "differential pair does.",
        f"Chips shifted: all devices of a chip have ln R shifted by the same normal draw of {s.shift:g}; the threshold "
        "is the best one for that spread, and the same for all chips. Differential readings do not see it.",
    ]
