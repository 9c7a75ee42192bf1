"""The chips of charan-2020: programmed, read-verify-written, adapted; the same ones, never seen, for all methods."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from mho.config import preset
from mho.inference.adapt_set import balanced
from mho.inference.adaptation import adapt
from mho.inference.batchnorm_statistics import batchnorm_layers, recalibrate_batchnorm
from mho.inference.effort import compare_effort
from mho.inference.evaluation import evaluate
from mho.inference.faults import StuckFaults
from mho.inference.presets import preset as programming
from mho.inference.programming import program
from mho.inference.programming_report import ProgramReport
from mho.inference.settings import Programming
from mho.inference.sparse_settings import Adaptation, RandomSparse
from mho.inference.verify import Verify
from mho.nn import convert_to_analog
from mho.studies.bench import Context, Row
from mho.studies.charan_2020_settings import Task
from mho.studies.charan_2020_training import data_of, network_of

ARRAYS = preset("ideal").with_({"mapping.bias": "digital", "mapping.count_pulses": False})
"""Exact products: what is lost is lost by devices. Biases are digital."""
FAULTS = programming("charan-2020").faults
CHIPS = {
    "w(1 + n)": programming("charan-2020"),
    "w exp(n)": programming("charan-2020-log-normal"),
    "faults swapped": programming("charan-2020").with_(faults=StuckFaults(low=FAULTS.high, high=FAULTS.low)),
    "levels only": programming("charan-2020").with_({"error.model": "none", "error.c2c": 0.0, "faults": StuckFaults()}),
    "levels and variation": programming("charan-2020").with_(faults=StuckFaults()),
    "levels and faults": programming("charan-2020").with_({"error.model": "none", "error.c2c": 0.0}),
}
"""What chips are like; the first is that of all methods."""
USUAL = "w(1 + n)"
NAMES = {"digital": "programmed", "vat": "VAT", "kd": "KD"}
"""How rows name a network on chips, by how it was trained."""
SUFFERED = {"digital": tuple(CHIPS), "vat": (USUAL,), "kd": (USUAL, "w exp(n)", "faults swapped")}
"""Which chips each network is put on."""


def groups(context: Context, task: Task) -> Iterator[list[int]]:
    """Yield the chips that are simulated at once."""
    chips = list(range(task.chips or context.settings.chips))
    for first in range(0, len(chips), task.at_once):
        yield chips[first : first + task.at_once]


def on_chips(context: Context, network: nn.Module, chips: list[int], how: Programming) -> tuple[nn.Module, Any]:
    """Return a network on programmed chips, and the report of programming; training never drew these chips."""
    model = convert_to_analog(network, ARRAYS, chips=chips, seed=context.seed, trained=True)
    return model, program(model, how)


def verified(context: Context) -> Programming:
    """Return the usual chips, whose devices are read and written again until they are near enough."""
    s = context.settings
    return replace(CHIPS[USUAL], verify=Verify(tolerance=s.tolerance, strategy="rewrite", iterations=s.rewrites))


def programmed(context: Context, task: Task, label: str, kinds: tuple[str, ...] = tuple(SUFFERED)) -> list[Row]:
    """Put the networks on chips as they are, and with read-verify-write."""
    rows = []
    for kind in kinds:
        network = network_of(context, task, label, kind)
        rows += list(_measured_again(context, task, label, kind, network))
        ways = {NAMES[kind] + ("" if c == USUAL else f", {c}"): CHIPS[c] for c in SUFFERED[kind]}
        if kind != "vat":
            ways[f"{'' if kind == 'digital' else 'KD + '}read-verify-write"] = verified(context)
        for name, how in ways.items():
            found = context.keep(name, partial(_accuracies, context, task, network, how))
            rows.append(Row(f"{label}: {name}", tuple(found), about=ABOUT[name.partition(", ")[2] or name],
                            baseline=f"{label}: digital", group=label))  # fmt: skip
            context.say(f"{label}: {name}: {rows[-1].mean:.2f} ± {rows[-1].std:.2f} %")
    return rows


ABOUT = {
    "programmed": "16 levels, stuck devices, sigma 0.1, without any remedy",
    "read-verify-write": "devices off by more than the tolerance are written again; stuck ones stay",
    "VAT": "trained with fresh chips in every batch",
    "KD": "VAT with the digital network as teacher",
    "KD + read-verify-write": "the KD network, written again where it is off",
    "w exp(n)": "the other form of the variation",
    "faults swapped": "1.75 % of the devices stuck at the lowest, 9.04 % at the highest conductance",
    "levels only": "neither stuck devices nor variation",
    "levels and variation": "no stuck devices",
    "levels and faults": "no variation",
}
"""What is new in a row, by its name or what chips it is on."""


def _measured_again(context: Context, task: Task, label: str, kind: str, network: nn.Module) -> Iterator[Row]:
    """Yield the accuracy of a network whose BatchNorm measures its averages on the chips, where it has any."""
    if task.statistics and batchnorm_layers(network):
        name = f"{NAMES[kind]}, BatchNorm measured again"
        found = context.keep(name, partial(_accuracies, context, task, network, CHIPS[USUAL], statistics=True))
        about = "running averages of every chip, on the calibration images"
        yield Row(f"{label}: {name}", tuple(found), about=about, baseline=f"{label}: digital", group=label)


def _calibration(context: Context, task: Task) -> tuple[Tensor, Tensor]:
    """Return the training images that chips are adapted with, and their labels."""
    data = data_of(context, task)
    return data.batch(balanced(data.train_labels, task.calibration, seed=context.seed))


def _accuracies(
    context: Context, task: Task, network: nn.Module, how: Programming, *, statistics: bool = False
) -> list[float]:
    data, found = data_of(context, task), []
    for chips in groups(context, task):
        model, _ = on_chips(context, network, chips, how)
        if statistics:
            recalibrate_batchnorm(model, _calibration(context, task)[0])
        found += evaluate(model, data)
    return found


def adapted(context: Context, task: Task, label: str) -> list[Row]:
    """Train sparse digital values beside the arrays, for every fraction, with and without KD; count what it takes."""
    rows = []
    for kind in ("digital", "kd"):
        name = "RSA" if kind == "digital" else "KD + RSA"
        for fraction in task.fractions:
            share = f"{100 * fraction:g} %"
            found = context.keep(f"{name} {share}", partial(_adapt_all, context, task, label, kind, fraction))
            context.say(f"{label}: {name} {share}: {sum(found['accuracy']) / len(found['accuracy']):.2f} %")
            about = f"{found['values']:,} digital values of {context.settings.bits} bits"
            rows.append(Row(f"{label}: {name} {share}", tuple(found["accuracy"]), about=about, group=label,
                            baseline=f"{label}: digital", line=name, axis=AXIS, at=100 * fraction))  # fmt: skip
            if kind == "kd":
                rows += list(_cost(label, share, 100 * fraction, found))
    return rows


AXIS = "weights with a digital value (%)"


def _adapt_all(context: Context, task: Task, label: str, kind: str, fraction: float) -> dict[str, Any]:
    """Return accuracy, effort and memory of every chip, adapted with a fraction of digital values."""
    data, settings = data_of(context, task), context.settings
    x, y = _calibration(context, task)
    training = Adaptation(
        epochs=task.adapt_epochs, lr=task.adapt_lr, temperature=settings.temperature, distillation=settings.weight
    )
    teacher = network_of(context, task, label, "digital") if kind == "kd" else None
    network = network_of(context, task, label, kind)
    found: dict[str, list[float]] = {}
    memory: dict[str, int] = {}
    for chips in groups(context, task):
        model, report = on_chips(context, network, chips, CHIPS[USUAL])
        if task.statistics and batchnorm_layers(model):
            recalibrate_batchnorm(model, x)
        sparse = RandomSparse(fraction, bits=settings.bits, scope=task.scope)
        told = adapt(model, x, y, sparse, training=training, teacher=teacher)
        effort = compare_effort(told, report, _verified_report(context, network, chips))
        add = {
            "accuracy": evaluate(model, data),
            "short": effort.speed_up[0].tolist(), "long": effort.speed_up[1].tolist(),
            "energy": effort.energy_ratio[0].tolist(),
        }  # fmt: skip
        found = {key: found.get(key, []) + value for key, value in add.items()}
        memory = {"values": told.values, "weights": told.weights, "wired": told.value_bits, "listed": told.address_bits}
    return {**found, **memory}


@torch.no_grad()
def _verified_report(context: Context, network: nn.Module, chips: list[int]) -> ProgramReport:
    report: ProgramReport = on_chips(context, network, chips, verified(context))[1]
    return report


def _cost(label: str, share: str, at: float, found: dict[str, Any]) -> Iterator[Row]:
    """Yield what correcting a chip takes beside read-verify-write, and what the digital values add to its memory."""

    def row(name: str, values: list[float], unit: str, about: str, line: str) -> Row:
        return Row(f"{label}: {name}", tuple(values), unit, about, group=f"{label}: cost", line=line, axis=AXIS, at=at)

    cells = 4 * found["weights"] / 100
    wired, listed = found["wired"] / cells, (found["wired"] + found["listed"]) / cells
    speed, less, more = "times faster than read-verify-write", "times less energy than read-verify-write", "% more bits"
    about = "correction by digital values, beside rewriting devices"
    yield row(f"speed-up at {share}, writes of 6.5 us", found["short"], speed, about, "6.5 us a write")
    yield row(f"speed-up at {share}, writes of 4.5 ms", found["long"], speed, "longest writes", "4.5 ms a write")
    yield row(f"energy at {share}", found["energy"], less, "writes of 6.5 us", "energy")
    yield row(f"memory at {share}", [wired], more, "digital values beside 4 bits a weight", "positions wired")
    yield row(f"memory at {share}, positions listed", [listed], more, "with their positions", "positions listed")
