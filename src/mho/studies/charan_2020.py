"""Charan et al. 2020: accurate inference with inaccurate RRAM; distillation and random sparse adaptation.

Where each setting was read: 16 levels a weight, stuck shares and sigma [NOTE]; whether the variation is w(1 + n) or
w exp(n), and which of the two shares is stuck at the lowest conductance, is not verified, so both are run. The
temperature of the teacher is 2 [NOTE]; the weight of its loss, optimizer, rates, batches, epochs and the calibration
set are ours, and so is LeNet-5's activation (ReLU, max pooling). They were chosen on training images only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from mho.studies.base import Reference
from mho.studies.bench import Bench, Context, Row, Step
from mho.studies.charan_2020_chips import adapted, programmed
from mho.studies.charan_2020_figure import draw
from mho.studies.charan_2020_settings import Settings, Task
from mho.studies.charan_2020_training import train_aware, train_digital

LABELS = {"mnist": "MNIST", "cifar": "CIFAR-10"}
"""The tasks of the settings, and how rows name them."""


def known(tag: str, text: str, value: float | None = None) -> tuple[Reference, ...]:
    """Return one fact about a row."""
    return (Reference(tag, text, value),)  # type: ignore[arg-type]


KNOWN = {
    "MNIST: digital": known("NOTE", "FP teacher 99.33", 99.33),
    "MNIST: VAT": known("NOTE", "VAT only: 95.15", 95.15),
    "MNIST: KD": known("NOTE", "variation-aware KD: 97.43", 97.43),
    "MNIST: KD + RSA 3 %": (
        Reference("NOTE", "99.13 in the body of the paper", 99.13),
        Reference("ABS", "99.41, above its own teacher"),
    ),
    "MNIST: RSA 7 %": known("NOTE", "RSA only needs 7 %"),
    "CIFAR-10: RSA 10 %": known("NOTE", "RSA only needs 10 %, 1.53 M values in VGG-16"),
}
PENALTY = {
    "MNIST: KD + RSA 3 %": known("DERIVED", "99.13 - 99.33 = -0.20", -0.2),
    "CIFAR-10: VAT": known("DERIVED", "82.6 - 93.35 = -10.75, VGG-16 on the original images", -10.75),
    "CIFAR-10: KD": known("DERIVED", "87.13 - 93.35 = -6.22", -6.22),
    "CIFAR-10: KD + RSA 5 %": known("DERIVED", "91.86 - 93.35 = -1.49", -1.49),
    "CIFAR-10: read-verify-write": known("NOTE", "all weights written again: -4.87", -4.87),
}
"""Of CIFAR-10 distances only: the images here are a JPEG copy, and the paper's accuracy is that of the originals."""


def steps(name: str, label: str) -> tuple[Step, ...]:
    """Return the steps of one task."""

    def of(run: Callable[..., list[Row]], *more: str) -> Callable[[Context], Sequence[Row]]:
        def step(context: Context) -> Sequence[Row]:
            task = getattr(context.settings, name)
            own = label if task.data == getattr(Settings(), name).data else f"{Path(task.data).name} for {label}"
            return run(context, task, own, *more)

        return step

    digital, vat, kd = f"{label}: digital", f"{label}: VAT", f"{label}: KD"
    return (
        Step(digital, "the baseline, trained in floating point", of(train_digital)),
        Step(vat, "trained on with fresh chips in every batch", of(train_aware, "vat"), needs=(digital,)),
        Step(kd, "the same with the digital network as teacher", of(train_aware, "kd"), needs=(digital,)),
        Step(f"{label}: chips", "programmed, and read-verify-written", of(programmed), needs=(digital, vat, kd)),
        Step(f"{label}: RSA", "digital values beside the arrays, trained per chip", of(adapted), needs=(digital, kd)),
    )


SHARED = {
    "layer": "the same share of every layer",
    "total": "drawn from all layers together",
    "even": "as many in every layer (all weights of smaller ones)",
}
"""How digital values are shared out, by the scope of `RandomSparse`."""


def setup(settings: Settings) -> list[str]:
    """Return what all rows share, in sentences."""
    chips = (
        "Chips: pairs of devices, 16 levels a weight, devices stuck at the lowest (9.04 %) and at the highest "
        "conductance (1.75 %), w(1 + n) with sigma 0.1; exact products, digital biases. All methods are tested on the "
        "same chips, which no training drew."
    )
    rsa = (
        f"Teacher: temperature {settings.temperature:g}, {100 * settings.weight:g} % of the loss. Digital values: "
        f"random positions, {settings.bits} bits, trained per chip. Read-verify-write: devices that read more than "
        f"{100 * settings.tolerance:g} % of the window off are written again, at most {settings.rewrites} times."
    )
    return [chips, rsa, *(_told(getattr(settings, name), label) for name, label in LABELS.items())]


def _told(task: Task, label: str) -> str:
    images = "all" if task.train_images is None else f"the first {task.train_images:,}"
    tested = "all" if task.test_images is None else f"the first {task.test_images:,}"
    measured = task.statistics and not task.network.startswith("lenet")  # which has no BatchNorm
    again = "; BatchNorm first measures its averages on every chip" if measured else ""
    changed = f", {task.augment}" if task.augment != "none" else ""
    return (
        f"{label}: {task.network} on {task.data}, {images} training and {tested} test images; {task.epochs} epochs at "
        f"{task.lr:g}, then {task.aware_epochs} at {task.aware_lr:g} with chips ({task.optimizer}, batch "
        f"{task.batch_size}{changed}); digital values, {SHARED[task.scope]}: "
        f"{task.adapt_epochs} epochs at {task.adapt_lr:g} on {task.calibration:,} training images{again}."
    )


BENCH = Bench(
    name="charan-2020",
    source="G. Charan et al., Accurate Inference With Inaccurate RRAM Devices: A Joint Algorithm-Design Solution, "
    "IEEE JXCDC (2020)",
    description="Do distillation and a few digital weights make inaccurate chips accurate?",
    settings=Settings,
    steps=tuple(step for name, label in LABELS.items() for step in steps(name, label)),
    modes={
        "quick": {
            "chips": 3,
            "mnist.train_images": 10_000, "mnist.test_images": 2000, "mnist.epochs": 8, "mnist.aware_epochs": 8,
            "mnist.fractions": (0.01, 0.03, 0.07, 0.15), "mnist.calibration": 2000,
            "cifar.network": "vgg-16-w8", "cifar.train_images": 10_000, "cifar.test_images": 1000, "cifar.chips": 3,
            "cifar.epochs": 12, "cifar.aware_epochs": 5, "cifar.fractions": (0.05, 0.15), "cifar.calibration": 1000,
            "cifar.adapt_epochs": 4, "cifar.at_once": 3,
        },
        "full": {},
    },
    known=KNOWN,
    penalty=PENALTY,
    setup=setup,
    draw=draw,
    caption="Accuracy of the same chips under every method; accuracy and speed-up over the share of digital values; "
    "mean and standard deviation over chips",
)  # fmt: skip
