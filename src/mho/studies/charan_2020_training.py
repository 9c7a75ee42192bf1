"""Training the networks of charan-2020: digital, and seeing fresh chips in every batch, with and without a teacher."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from mho.data import Dataset
from mho.folders import replacing
from mho.inference.distillation import Distillation
from mho.inference.hardware_aware_model import hardware_aware
from mho.inference.hardware_aware_settings import HardwareAware, WeightClip, WeightNoise
from mho.studies.bench import Context, Row
from mho.studies.charan_2020_settings import Task
from mho.studies.output import slug
from mho.train.digital import Feed, cosine, fit
from mho.train.digital import evaluate as evaluate_digital
from mho.train.metrics import read_lines
from mho.train.networks import make_network


def data_of(context: Context, task: Task) -> Dataset:
    """Return the images that a task uses."""
    return context.data(task.data).first(task.train_images, task.test_images)


def network_of(context: Context, task: Task, label: str, kind: str) -> nn.Module:
    """Return the trained network of a kind, as its step saved it."""
    from safetensors.torch import load_file

    data = data_of(context, task)
    model = make_network(task.network, data.shape, len(data.classes), seed=context.seed)
    model.load_state_dict(load_file(_file(context, label, kind)))
    return model.eval()


def _file(context: Context, label: str, kind: str) -> Path:
    return context.models / f"{slug(label)}-{kind}.safetensors"


def train_digital(context: Context, task: Task, label: str) -> list[Row]:
    """Train the digital network, which is the baseline, the teacher, and where the other trainings start."""
    data = data_of(context, task)
    model = make_network(task.network, data.shape, len(data.classes), seed=context.seed)
    _fit(context, task, model, task.epochs, task.lr)
    accuracy = _save(context, task, model, _file(context, label, "digital"))
    return [Row(f"{label}: digital", (accuracy,), about=f"{task.network} in floating point", group=label)]


def train_aware(context: Context, task: Task, label: str, kind: str) -> list[Row]:
    """Train on, with weights as fresh chips show them in every batch; kind: "vat", or "kd" with the teacher."""
    settings = context.settings
    model = network_of(context, task, label, "digital")
    clip = WeightClip("deviations", task.deviations) if task.deviations else WeightClip()
    noise = WeightNoise("programming", programming="charan-2020")
    aware = hardware_aware(model, HardwareAware(noise=noise, clip=clip), seed=context.seed)
    loss: dict[str, Any] = {}
    if kind == "kd":
        teacher = network_of(context, task, label, "digital")
        loss["loss"] = Distillation(teacher, temperature=settings.temperature, weight=settings.weight)
    _fit(context, task, model, task.aware_epochs, task.aware_lr, **loss)
    accuracy = _save(context, task, aware.remove(), _file(context, label, kind))
    about = "the trained weights without chips: " + ("VAT with a teacher" if kind == "kd" else "VAT")
    return [Row(f"{label}: {kind.upper()}, in floating point", (accuracy,), about=about,
                baseline=f"{label}: digital", group=label)]  # fmt: skip


def _fit(context: Context, task: Task, model: nn.Module, epochs: int, lr: float, **loss: Any) -> None:
    """Train in the step's own folder, on from its last checkpoint, and count the time of earlier calls."""
    context.seconds_before += sum(line["seconds"] for line in read_lines(context.folder))
    parameters = model.parameters()
    if task.optimizer == "adam":
        optimizer: torch.optim.Optimizer = torch.optim.Adam(parameters, lr=lr)
    else:
        optimizer = torch.optim.SGD(parameters, lr=lr, momentum=0.9, weight_decay=5e-4, nesterov=True)
    feed = Feed(task.batch_size, context.seed, task.augment)
    fit(
        model, data_of(context, task), epochs=epochs, optimizer=optimizer, schedule=cosine(epochs), feed=feed,
        out=context.folder, progress=context.progress, **loss,
    )  # fmt: skip


def _save(context: Context, task: Task, model: nn.Module, path: Path) -> float:
    """Save a trained network; return its test accuracy in percent."""
    from safetensors.torch import save_file

    with replacing(path) as temporary:
        save_file({name: value.contiguous() for name, value in model.state_dict().items()}, temporary)
    return evaluate_digital(model, data_of(context, task))[1]
