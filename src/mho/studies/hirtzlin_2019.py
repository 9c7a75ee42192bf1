"""Hirtzlin et al. 2019: a binarised network in differential RRAM, and what it bears of the errors of its bits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from mho.data import Dataset
from mho.inference.differential import Memory, TwoStates
from mho.inference.evaluation import evaluate
from mho.nn.binary import flipped, stored_signs, train_with_errors_
from mho.nn.stored import with_weights
from mho.studies.base import Reference
from mho.studies.bench import Bench, Context, Row, Step
from mho.studies.hirtzlin_2019_figure import draw
from mho.studies.hirtzlin_2019_parts import (
    DIFFERENTIAL,
    READINGS,
    SINGLE,
    Settings,
    at_ratio,
    network,
    rates_of,
    read,
    setup,
)  # fmt: skip
from mho.tiles.draw import TileDraw
from mho.train.digital import Feed, cosine, fit

REAL, PLAIN, ADAPTED = "real weights", "binarised", "binarised, trained with errors"
COLUMNS = 256
"""Columns of the memory whose errors are counted."""


def counted(context: Context) -> list[Row]:
    """Count the errors of random bits that are read in four ways, at every ratio, beside the closed forms."""
    s: Settings = context.settings
    shape = (-(-s.bits // COLUMNS), COLUMNS)
    bits = torch.from_numpy(TileDraw(context.seed, (0,), "bits", (1, *shape)).xi("bits")[0, 0] > 0)
    found = []
    for ratio in s.ratios:
        states = at_ratio(s, ratio)
        shifted = replace(states, chip_sigma=s.shift)
        found += [_errors(context, bits, states, reading, ratio) for reading in READINGS]
        found.append(_errors(context, bits, shifted, SINGLE, ratio))  # the differential readings stay as they are
    return found


def _errors(context: Context, bits: Tensor, states: TwoStates, reading: str, ratio: float) -> Row:
    line = f"{reading}, chips shifted" if states.chip_sigma else reading
    memory = Memory(states, context.seed, tuple(range(context.settings.chips)), "memory")
    rates = (read(memory, bits, reading) != bits).double().mean(dim=(1, 2))
    return Row(
        f"{line}, ratio {ratio:g}", tuple(rates.tolist()), unit="bit error rate",
        about=f"closed form {rates_of(states)[reading]:.3g}",
        group="bit errors", line=line, axis="ratio of the medians of the two states", at=ratio,
    )  # fmt: skip


def training_data(context: Context) -> Dataset:
    """Return the data with as many training images as are asked for."""
    return context.data(context.settings.data).first(context.settings.train_images)


def networks(context: Context) -> list[Row]:
    """Train the network with real weights, binarised, and binarised with bit errors in training."""
    s: Settings = context.settings
    data = training_data(context)
    what = {
        REAL: "the same network with real weights and ReLU",
        PLAIN: "weights and activations of +1 and -1",
        ADAPTED: f"the same, bits flipped at a rate of {s.trained_rate:g} at every step of training",
    }
    rows = []
    for name, about in what.items():
        context.say(f"{name}: {s.epochs} epochs")
        model = untrained(context, name)
        fitted = fit(
            model, data, epochs=s.epochs, optimizer=torch.optim.Adam(model.parameters(), lr=s.lr),
            schedule=cosine(s.epochs), feed=Feed(s.batch_size, context.seed, device="cpu"),
            out=context.folder / _slug(name), progress=context.progress,
        )  # fmt: skip
        save_file(model.state_dict(), _file(context, name))
        baseline = "" if name == REAL else REAL
        rows.append(Row(name, (fitted.test_accuracy,), about=about, group="networks", baseline=baseline))
    return rows


def untrained(context: Context, name: str) -> nn.Sequential:
    """Return a network of the study as its training begins."""
    s: Settings = context.settings
    model = network(s, training_data(context), binary=name != REAL, seed=context.seed)
    if name == ADAPTED:
        train_with_errors_(model, s.trained_rate, seed=context.seed)
    return model


def trained(context: Context, name: str) -> nn.Module:
    """Return a network of the study as it was trained."""
    model = untrained(context, name)
    model.load_state_dict(load_file(_file(context, name)))
    return model.eval()


def _file(context: Context, name: str) -> Path:
    return context.models / f"{_slug(name)}.safetensors"


def _slug(name: str) -> str:
    return name.replace(",", "").replace(" ", "-")


def _accuracies(context: Context, model: nn.Module, seen: Callable[[str, Tensor], Tensor]) -> tuple[float, ...]:
    """Return the test accuracy of every chip that computes with what `seen` makes of the signs of a layer."""
    data = context.data(context.settings.data)
    chips = with_weights(model, stored_signs(model, seen))
    return tuple(evaluate(chips, (data.test_x, data.test_y), samples=500))


def error_rates(context: Context) -> list[Row]:
    """Evaluate both binarised networks with independent errors of their bits."""
    s: Settings = context.settings
    rows = []
    for name in (PLAIN, ADAPTED):
        model = trained(context, name)
        for rate in s.rates:

            def seen(layer: str, signs: Tensor, rate: float = rate) -> Tensor:
                draw = TileDraw(context.seed, tuple(range(s.chips)), layer, (1, 1, 1))
                return flipped(signs, rate, draw.keys("bit errors"))

            rows.append(
                Row(
                    f"{name}, bit error rate {rate:g}", _accuracies(context, model, seen),
                    about="every bit errs independently", baseline=name,
                    group="accuracy over bit errors", line=name, axis="bit error rate", at=rate,
                )
            )  # fmt: skip
    return rows


def readings(context: Context) -> list[Row]:
    """Evaluate the binarised network with weights kept in RRAM and read in four ways."""
    s: Settings = context.settings
    model, rows = trained(context, PLAIN), []
    for ratio in s.ratios:
        states = at_ratio(s, ratio)
        for reading in READINGS:

            def seen(layer: str, signs: Tensor, states: TwoStates = states, reading: str = reading) -> Tensor:
                memory = Memory(states, context.seed, tuple(range(s.chips)), layer)
                return torch.where(read(memory, signs > 0, reading), 1, -1).to(torch.int8)

            rows.append(
                Row(
                    f"weights {reading}, ratio {ratio:g}", _accuracies(context, model, seen),
                    about=f"bit error rate {rates_of(states)[reading]:.3g}", baseline=PLAIN,
                    group="accuracy over the ratio of resistances", line=reading,
                    axis="ratio of the medians of the two states", at=ratio,
                )
            )  # fmt: skip
    return rows


BENCH = Bench(
    name="hirtzlin-2019",
    source="T. Hirtzlin et al., Digital Biologically Plausible Implementation of Binarized Neural Networks with "
    "Differential Hafnium Oxide Resistive Memory Arrays, Front. Neurosci. 13:1383 (2020), arXiv 1908.04066; "
    "Outstanding Bit Error Tolerance of Resistive RAM-Based Binarized Neural Networks, arXiv 1904.03652 (2019)",
    description="What does reading two devices against each other save in bit errors, and what do they cost?",
    settings=Settings,
    steps=(
        Step("bit errors", "bits read in four ways, counted", counted),
        Step("networks", "the networks, trained", networks),
        Step("error rates", "accuracy over independent bit errors", error_rates, needs=("networks",)),
        Step("readings", "accuracy with weights in RRAM", readings, needs=("networks",)),
    ),
    modes={
        "quick": {"train_images": 20_000, "epochs": 6, "width": 128, "chips": 5, "bits": 2**16},
        "full": {},
    },
    penalty={
        f"{PLAIN}, bit error rate 0.0001": (
            Reference("ABS", "arXiv 1904.03652: up to 1e-4 has little impact without adapted training"),
        ),
        f"{ADAPTED}, bit error rate 0.04": (
            Reference("ABS", "arXiv 1904.03652: with adapted training the tolerance extends to 4e-2"),
        ),
    },
    known={
        f"{DIFFERENTIAL}, ratio 10": (
            Reference("ABS", "arXiv 1902.02528: the same reliability benefits as error correction"),
        ),
    },
    setup=setup,
    draw=draw,
    caption="Bit errors of three readings, counted (points) and by their closed forms (lines); test accuracy over bit "
    "error rate and over the ratio of resistances, mean and standard deviation over chips",
)
