"""Fagbohungbe & Qian 2022: which batch normalisation lets a network bear noise of its weights at inference?

The papers' abstracts give the claims; noise levels, k and tables are not known to us. The network (a small one of
convolutions), its training and the noise levels are ours. The noise is given in both units that are in use: of a
layer's largest weight, which is what a device's window is, and of the standard deviation of its weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from mho.data import Dataset
from mho.folders import replacing
from mho.studies.base import Reference
from mho.studies.batchnorm_noise_figure import draw
from mho.studies.batchnorm_noise_parts import (
    DEVIATION,
    KINDS,
    L1,
    L2,
    LARGEST,
    LAYERS,
    NONE,
    TOPK,
    Settings,
    Unit,
    accuracies,
    network,
)
from mho.studies.bench import Bench, Context, Row, Step
from mho.studies.rows import signed
from mho.train.digital import Feed, cosine, fit

ABOUT = {
    NONE: "convolutions and ReLU alone",
    L2: "torch.nn.BatchNorm2d: standard deviation",
    L1: "mean absolute deviation times sqrt(pi/2)",
    TOPK: "mean of the k largest absolute deviations, times a constant",
}
UNITS: tuple[Unit, ...] = (LARGEST, DEVIATION)
SHARE = "% of the accuracy without noise"


def images_of(context: Context) -> Dataset:
    """Return the images of the study."""
    settings = context.settings
    return context.data(settings.data).first(settings.train_images, settings.test_images)


def trained(context: Context, kind: str) -> list[Row]:
    """Train the networks of a kind and save them."""
    s, data = context.settings, images_of(context)
    found = []
    for number in range(s.networks):
        seed = context.seed + number
        model = network(kind, data, s, seed)
        done = fit(
            model, data, epochs=s.epochs, optimizer=torch.optim.Adam(model.parameters(), lr=s.lr),
            schedule=cosine(s.epochs), feed=Feed(s.batch_size, seed, s.augment),
            out=context.folder / f"network-{number}", progress=context.progress,
        )  # fmt: skip
        with replacing(_file(context, kind, number)) as temporary:
            save_file(model.state_dict(), temporary)
        found.append(done.test_accuracy)
        context.say(f"{kind}, network {number + 1} of {s.networks}: {done.test_accuracy:.2f} %")
    return [Row(kind, tuple(found), about=ABOUT[kind], group="without noise")]


def _file(context: Context, kind: str, number: int) -> Path:
    return context.models / f"{kind.replace(' ', '-').lower()}-{number}.safetensors"


def restored(context: Context, kind: str, number: int, data: Dataset) -> nn.Module:
    """Return a trained network."""
    model = network(kind, data, context.settings, context.seed + number)
    model.load_state_dict(load_file(_file(context, kind, number)))
    return model.eval()


def noise(context: Context, unit: Unit, levels: Callable[[Settings], Sequence[float]]) -> list[Row]:
    """Evaluate all networks with growing noise, and return what is left on average, too."""
    s, data = context.settings, images_of(context)
    rows, kept = [], []
    for kind in KINDS:
        models = [restored(context, kind, n, data) for n in range(s.networks)]
        clean, share = context.row(kind).values, []
        for level in levels(s):
            found = [_on_chips(context, m, data, (level, unit), n) for n, m in enumerate(models)]
            values = tuple(v for chips in found for v in chips)
            share.append([100 * v / clean[n] for n, chips in enumerate(found) for v in chips])
            case = f"{kind}, noise of {level:g} x {unit}"
            rows.append(
                Row(case, values, baseline=kind, group=f"noise / {unit}", line=kind, axis=_axis(unit), at=level)
            )
            context.say(f"{case}: {rows[-1].mean:.2f} ± {rows[-1].std:.2f} %")
        average = tuple(map(fmean, zip(*share, strict=True)))
        about = f"mean over the noise levels from {min(levels(s)):g} to {max(levels(s)):g}"
        kept.append(Row(_kept(kind, unit), average, SHARE, about, group=f"kept, noise / {unit}"))
    return rows + kept + [_ratio(context, data, kind) for kind in KINDS if unit == LARGEST]


def _axis(unit: Unit) -> str:
    return f"noise / {unit} of a layer"


def _on_chips(context: Context, model: nn.Module, data: Dataset, noise: tuple[float, Unit], number: int) -> list[float]:
    """Return the accuracies of a network on its own chips: those of all kinds draw alike."""
    s = context.settings
    chips = tuple(range(number * s.chips, (number + 1) * s.chips))
    return accuracies(model, data, *noise, seed=context.seed, chips=chips)


def _ratio(context: Context, data: Dataset, kind: str) -> Row:
    """Return how much larger than the standard deviation the largest weight of a layer is, the mean over layers."""
    found = []
    for number in range(context.settings.networks):
        weights = [m.weight.detach() for m in restored(context, kind, number, data).modules() if isinstance(m, LAYERS)]
        found.append(fmean(float(w.abs().max() / w.std(correction=0)) for w in weights))
    unit = "standard deviations"
    return Row(f"{kind}, largest weight", tuple(found), unit, "mean over layers", group="largest weight of a layer")


def beside_l2(rows: Sequence[Row]) -> str:
    """Return a table of what is kept beside L2, chip by chip: all kinds have the same draws on the same chip."""
    kept = {unit: {k: r for k in KINDS for r in rows if r.case == _kept(k, unit)} for unit in UNITS}
    units = [unit for unit, found in kept.items() if len(found) == len(KINDS)]
    lines = [
        "**kept beside L2, chip by chip**\n",
        f"| | {' | '.join(f'noise / {unit}: points, chips that keep more' for unit in units)} |",
        "|---" * (len(units) + 1) + "|",
    ]
    for kind in (NONE, L1, TOPK):
        cells = []
        for unit in units:
            gap = [a - b for a, b in zip(kept[unit][kind].values, kept[unit][L2].values, strict=True)]
            cells.append(f"{signed(gap)}, {sum(g > 0 for g in gap)} of {len(gap)}")
        lines.append(f"| {kind} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n" if units else ""


def _kept(kind: str, unit: Unit) -> str:
    return f"{kind}, kept of noise / {unit}"


def setup(settings: Settings) -> list[str]:
    """Return what all rows share, in sentences."""
    s = settings
    seen = "all" if s.train_images is None else f"the first {s.train_images:,}"
    tested = "all" if s.test_images is None else f"the first {s.test_images:,}"
    w = s.width
    return [
        f"Network on {s.data}: 3x3 convolutions of {w}, {w}, {2 * w}, {2 * w}, {4 * w} and {4 * w} channels, each "
        "followed by the normalisation and ReLU, two poolings, the mean over the image and a linear layer; "
        f"{seen} training images and {tested} test images.",
        f"Training, the same for all: Adam, rate {s.lr:g} falling as a cosine, {s.epochs} epochs, batch "
        f"{s.batch_size}{'' if s.augment == 'none' else ', ' + s.augment}, cross entropy; {s.networks} networks of "
        f"each kind, whose initial weights and order of images are shared by all kinds. TopK has k = {s.k}.",
        f"Noise: w + level x unit x normal draws in every convolution and linear layer, drawn once per chip, {s.chips} "
        "chips for each network; all kinds and levels share the draws. Biases and normalisation are digital and "
        "exact, with the running averages of the training.",
    ]


def _claim(text: str, value: float | None = None) -> tuple[Reference, ...]:
    return (Reference("ABS", text, value),)


STEPS = (
    *(Step(f"train {kind}", ABOUT[kind], partial(trained, kind=kind)) for kind in KINDS),
    Step(
        f"noise over {LARGEST}", "noise in units of a layer's largest weight",
        partial(noise, unit=LARGEST, levels=lambda s: s.largest), needs=tuple(f"train {kind}" for kind in KINDS),
    ),
    Step(
        f"noise over {DEVIATION}", "noise in units of the standard deviation of a layer's weights",
        partial(noise, unit=DEVIATION, levels=lambda s: s.deviation), needs=tuple(f"train {kind}" for kind in KINDS),
    ),
)  # fmt: skip

BENCH = Bench(
    name="batchnorm-noise",
    source="O. Fagbohungbe & L. Qian, Impact of L1 Batch Normalization on Analog Noise Resistant Property of Deep "
    "Learning Models, arXiv 2205.04886 (2022), and The Effect of Batch Normalization on Noise Resistant Property of "
    "Deep Learning Models, IEEE Access 10 (2022)",
    description="Which batch normalisation bears weight noise?",
    settings=Settings,
    steps=STEPS,
    modes={
        "quick": {"train_images": 10_000, "test_images": 1000, "width": 8, "epochs": 5, "networks": 2, "chips": 5},
        "full": {"data": "cifar10", "epochs": 20, "width": 32, "augment": "flip-crop"},
    },
    known={
        L1: _claim("no loss of accuracy by L1 instead of L2 BatchNorm"),
        TOPK: _claim("no loss of accuracy by TopK instead of L2 BatchNorm"),
        **{
            _kept(kind, unit): _claim(text)
            for unit in UNITS
            for kind, text in (
                (NONE, "VGG-16 without BatchNorm keeps 93.80 %, ResNet-44 91.95 % (CIFAR-10, other noise levels)"),
                (L2, "VGG-16 with BatchNorm keeps 10.75 %, ResNet-44 41.32 % (CIFAR-10, other noise levels)"),
                (L1, "resists noise better than L2"),
                (TOPK, "resists noise better than L2"),
            )
        },
    },
    setup=setup,
    tables=beside_l2,
    draw=draw,
    caption="Accuracy over weight noise, in units of the largest weight and of the standard deviation of the weights "
    "of a layer; mean and standard deviation over chips and networks",
)
