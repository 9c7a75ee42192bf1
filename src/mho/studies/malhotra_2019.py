"""Malhotra et al. 2019: a Bayesian network whose weights are drawn by the cycle-to-cycle noise of resistive memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from mho.errors import ConfigError
from mho.inference.errors import WriteError
from mho.inference.sampling import PairSampler
from mho.nn.bayesian import bayesian_layers, posterior, variational_loss
from mho.studies.base import Reference
from mho.studies.bench import Bench, Context, Row, Step
from mho.studies.malhotra_2019_parts import (
    AXIS,
    METRICS,
    Settings,
    Uncertain,
    draw,
    gaussian,
    mean_probabilities,
    network,
    probabilities,
    setup,
)  # fmt: skip
from mho.train.digital import Feed, cosine, fit

DETERMINISTIC, BAYESIAN, AWARE = "deterministic", "Bayesian", "Bayesian, trained for the device"
EXACT, MEANS = "Bayesian, exact draws", "Bayesian, means only"


def networks(context: Context) -> list[Row]:
    """Train the network without and with spreads of its weights, and with spreads that no device goes below."""
    s: Settings = context.settings
    data, strange = context.data(s.data).first(s.train_images), context.data(s.strange)
    if data.shape != strange.shape:
        raise ConfigError(
            f"strange = {s.strange!r} was asked for, whose images have the shape {strange.shape}, but the networks are "
            f"made for those of {s.data!r}, {data.shape}; name two data sets of images of one shape"
        )
    found = []
    for name in (DETERMINISTIC, BAYESIAN, AWARE):
        context.say(f"{name}: {s.epochs} epochs")
        model = untrained(context, name)
        loss: Callable[[Tensor, Tensor], Tensor] = F.cross_entropy
        if name != DETERMINISTIC:
            loss = variational_loss(model, len(data.train_labels), prior=s.prior, weight=s.divergence)
        fitted = fit(
            model, data, epochs=s.epochs, optimizer=torch.optim.Adam(model.parameters(), lr=s.lr), loss=loss,
            schedule=cosine(s.epochs), feed=Feed(s.batch_size, context.seed, device="cpu"),
            out=context.folder / _slug(name), progress=context.progress,
        )  # fmt: skip
        save_file(model.state_dict(), context.models / f"{_slug(name)}.safetensors")
        found.append((name, fitted.test_accuracy))
    return [
        Row(
            f"{name}, as trained",
            (accuracy,),
            about="means of the weights" if name != DETERMINISTIC else "",
            group="networks",
        )
        for name, accuracy in found
    ]


def untrained(context: Context, name: str) -> nn.Sequential:
    """Return a network of the study as its training begins."""
    s: Settings = context.settings
    floor = None if name == DETERMINISTIC else s.floor if name == AWARE else 0.0
    return network(s, context.data(s.data), floor=floor, seed=context.seed)


def trained(context: Context, name: str) -> nn.Sequential:
    """Return a network of the study as it was trained."""
    model = untrained(context, name)
    model.load_state_dict(load_file(context.models / f"{_slug(name)}.safetensors"))
    return model.eval()


def _slug(name: str) -> str:
    return name.lower().replace(",", "").replace(" ", "-")


def digital(context: Context) -> list[Row]:
    """Evaluate the deterministic network, the means of the Bayesian one, and exact draws of its weights."""
    s: Settings = context.settings
    model = trained(context, BAYESIAN)
    rows = []
    for name, one in ((DETERMINISTIC, trained(context, DETERMINISTIC)), (MEANS, model)):
        seen = [probabilities(one, context.data(data).test_x, 1) for data in (s.data, s.strange)]
        rows += _rows(context, name, Uncertain(*seen), about="one prediction with fixed weights")
    drawn = _predicted(context, model, partial(gaussian, seed=context.seed, chips=tuple(range(s.chips))))
    about = f"mean of {s.samples} predictions, weights drawn from their Gaussians"
    return rows + _rows(context, EXACT, drawn, about=about)


def devices(context: Context) -> list[Row]:
    """Evaluate the Bayesian networks with weights drawn by writing pairs of devices."""
    s: Settings = context.settings
    rows = []
    for name, d2d, c2cs in [(BAYESIAN, d2d, s.c2c) for d2d in s.d2d] + [(AWARE, 0.0, (s.floor,))]:
        model = trained(context, name)
        line = AWARE if name == AWARE else f"device-to-device spread {d2d:g}"
        for c2c in c2cs:
            error = WriteError(s.error, c2c=c2c, d2d=d2d)
            samplers = {
                layer: PairSampler(error, *posterior(one), chips=tuple(range(s.chips)), name=layer, seed=context.seed)
                for layer, one in bayesian_layers(model).items()
            }
            sizes = [one.devices for one in samplers.values()]
            missed = sum(one.missed * one.devices for one in samplers.values()) / sum(sizes)
            drawn = _predicted(context, model, partial(_written, samplers))
            about = f"c2c {c2c:g}; the spreads of {100 * missed:.1f} % of the weights are off by more than a tenth"
            rows += _rows(context, f"{line}, c2c {c2c:g}", drawn, about=about, line=line, at=c2c)
    cost = Row("writes of one prediction", (s.samples * sum(sizes),), unit="writes of devices", group="cost")
    return [*rows, cost]


def _written(samplers: Mapping[str, PairSampler], name: str, layer: nn.Module, number: int) -> Tensor:
    """Return the weights of a layer as they were written the next time."""
    return samplers[name].sample(number)


def _predicted(context: Context, model: nn.Module, draw: Callable[[str, nn.Module, int], Tensor]) -> Uncertain:
    """Return the mean predictions of every chip on the data it was trained for and on strange ones."""
    s: Settings = context.settings
    inputs = [context.data(data).test_x for data in (s.data, s.strange)]
    return Uncertain(*mean_probabilities(model, inputs, draw, samples=s.samples, chips=s.chips))


def _rows(
    context: Context, case: str, seen: Uncertain, *, about: str, line: str = "", at: float | None = None
) -> list[Row]:
    labels = context.data(context.settings.data).test_y
    base = f"{DETERMINISTIC}: "
    return [
        Row(
            f"{case}: {metric.name}",
            tuple(metric.of(*pair, labels) for pair in zip(seen.usual, seen.strange, strict=True)),
            unit=metric.unit, about=about, baseline="" if case == DETERMINISTIC else base + metric.name,
            group=metric.name, line=line, axis=AXIS if line else "", at=at,
        )
        for metric in METRICS
    ]  # fmt: skip


BENCH = Bench(
    name="malhotra-2019",
    source="A. Malhotra, S. Lu, K. Yang, A. Sengupta, Exploiting Oxide Based Resistive RAM Variability for Bayesian "
    "Neural Network Hardware Design, arXiv 1911.08555",
    description="Can the cycle-to-cycle noise of devices draw the weights of a Bayesian network?",
    settings=Settings,
    steps=(
        Step("networks", "the networks, trained", networks),
        Step("digital", "deterministic and Bayesian networks in floating point", digital, needs=("networks",)),
        Step("devices", "weights drawn by writing devices", devices, needs=("networks",)),
    ),
    modes={
        "quick": {
            "train_images": 20_000, "epochs": 8, "width": 100, "chips": 3, "samples": 10, "c2c": (0.1, 0.3, 0.5),
            "d2d": (0.0, 0.1),
        },
        "full": {},
    },
    known={
        f"device-to-device spread 0, c2c 0.3: {METRICS[0].name}": (
            Reference("ABS", "c2c variability of oxide RRAM realises the sampling of weights; no numbers"),
        ),
    },
    setup=setup,
    draw=draw,
    caption="Four measures over the cycle-to-cycle noise of the devices that draw the weights, mean and standard "
    "deviation over chips, beside the deterministic network and exact draws",
)  # fmt: skip
