"""Baselines: what the penalty of a point is counted from, one for each combination of what changes it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from mho.config import RunConfig, preset
from mho.over_chips import deviation
from mho.sweep.fields import Field
from mho.sweep.settings import DIGITAL, START, Sweep

HARDWARE = ("analog", "zero_shift", "backend", "threads", "compute_device", "precision", "cuda_graphs")
"""First parts of the fields that a baseline is free of: the analog hardware, and where it is computed."""
BIAS = ("analog", "mapping", "bias")
"""The one field below them that is one of the network: whether it has biases at all."""
DEVIATIONS = 3.0
"""A baseline has learned when guessing would not reach it by so many standard deviations of a test."""


def reaches(field: Field) -> bool:
    """Return whether a field changes a baseline: one of the network, the data or the training, not of the hardware."""
    return field.parts[0] not in HARDWARE or field.parts == BIAS


def start_of(sweep: Sweep, start: RunConfig) -> RunConfig:
    """Return the configuration of the baselines: without swept fields, or the same network in floating point."""
    if sweep.baseline == START:
        return start
    assert sweep.baseline == DIGITAL
    ideal = preset("ideal")
    mapping = replace(ideal.mapping, bias=start.analog.mapping.bias)
    return replace(start, zero_shift=None, analog=replace(ideal, mapping=mapping))


class Baselines:
    """The baselines of the points of a sweep, numbered -1, -2, ... in the order in which points first need them.

    values: by path, of every baseline. first: the first point that is counted from it, whose chips it has. of: the
    baseline of every point.
    """

    def __init__(
        self, start: RunConfig, fields: Iterable[Field], points: Iterable[tuple[int, Mapping[str, Any]]]
    ) -> None:
        held = {field.path: _held(start, field) for field in fields if reaches(field)}
        self.values: dict[int, dict[str, Any]] = {}
        self.first: dict[int, int] = {}
        self.of: dict[int, int] = {}
        numbers: dict[str, int] = {}
        for number, swept in points:
            own = {path: value for path, left in held.items() if (value := swept.get(path, left)) is not None}
            baseline = numbers.setdefault(json.dumps(own), -1 - len(numbers))
            self.of[number] = baseline
            if baseline not in self.values:
                self.values[baseline], self.first[baseline] = own, number


def _held(start: RunConfig, field: Field) -> Any:
    """Return a field's value without the sweep, None where it is no plain one: then no other point is taken for it."""
    value: Any = start
    for part in field.parts:
        value = getattr(value, part, None)
    return value if isinstance(value, (str, int, float)) else None


def guessed(accuracies: Sequence[float], guess: Mapping[str, float] | None) -> bool:
    """Return whether the accuracies of a baseline's chips are such as guessing the most frequent class reaches.

    guess: {"accuracy": in percent, "images": of the test}; None where it is not known.
    """
    if not accuracies or guess is None:
        return False
    share = guess["accuracy"] / 100
    one = 100 * math.sqrt(share * (1 - share) / guess["images"])
    return fmean(accuracies) <= guess["accuracy"] + DEVIATIONS * one


def named(values: Mapping[str, Any]) -> str:
    """Return the values of a baseline in words, "" for one that no field changes."""
    return ", ".join(f"{k} = {v if isinstance(v, str) else json.dumps(v)}" for k, v in values.items())


@dataclass(frozen=True)
class Known:
    """What is known of the baselines: the mean accuracy of each by its number, and what the table says of them.

    means: of a baseline that is a number, under None. about: the keys "baseline" and, where some only guess, "warning".
    """

    means: dict[int | None, float]
    about: dict[str, Any]


def known(
    what: str | float, baselines: Baselines | None, found: Mapping[int, Sequence[float]], guesses: Mapping[int, Any]
) -> Known:
    """Return what is known of baselines; found: the accuracies of the chips of each; guesses: see `guessed`."""
    if baselines is None:
        return Known({None: float(what)}, {"baseline": {"what": what, **_statistics([float(what)])}})
    means: dict[int | None, float] = {number: fmean(values) for number, values in found.items() if values}
    each = [{"where": where, **_statistics(found.get(n, ()))} for n, where in baselines.values.items()]
    said: dict[str, Any] = {"what": what, **(each[0] if len(each) == 1 else _statistics(()))}
    said.pop("where", None)
    if len(each) > 1:
        said["each"] = each
    bad = [n for n, values in found.items() if guessed(values, guesses.get(n))]
    text = [_warning(baselines, bad, means[bad[0]], guesses[bad[0]]["accuracy"])] if bad else []
    return Known(means, {"baseline": said, **({"warning": text[0]} if text else {})})


def _statistics(values: Sequence[float]) -> dict[str, Any]:
    return {
        "mean": fmean(values) if values else None, "std": deviation(values) if values else None, "values": list(values),
    }  # fmt: skip


def _warning(baselines: Baselines, bad: Sequence[int], mean: float, guess: float) -> str:
    """Return what is to be said of baselines that only guess, with the first of them as the example."""
    count, values = len(baselines.values), baselines.values[bad[0]]
    which = "the baseline" if count == 1 else f"{len(bad)} of {count} baselines"
    where = f" with {named(values)}" if count > 1 and values else ""
    return (
        f"{which} did not learn: the test accuracy{where} is {mean:.2f} %, and answering always the same class would "
        f"give {guess:.2f} %. Penalties counted from it say nothing of a device; give more epochs or images, or "
        "another learning rate"
    )
