"""Endurance: how many pulses every device of an array got over a whole training, from the checkpoint of a run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mho.errors import ConfigError
from mho.report.rundir import MODEL, Arrays
from mho.studies.base import Study
from mho.studies.outcome import Outcome

COUNTS = re.compile(r"(?:^|\.)arrays\.(?P<array>\w+)\.(?:.*\.)?counts$")
SHARES = ((0.5, "median"), (0.99, "99 % of devices get at most"), (1.0, "most"))


@dataclass(frozen=True)
class Endurance:
    """The pulses of the devices of one array, of all layers and chips of a case; images: samples that each chip saw."""

    case: str
    array: str
    counts: np.ndarray
    images: int
    chips: int

    @property
    def name(self) -> str:
        """How it is named: the case and the array."""
        return f"{self.case}, {self.array.upper()}"

    @property
    def mean(self) -> float:
        """Mean pulses per device."""
        return float(self.counts.mean())

    def at(self, share: float) -> float:
        """Pulses that this share of the devices do not pass."""
        return float(np.quantile(self.counts, share))


def endurances(study: Study, outcomes: Sequence[Outcome]) -> list[Endurance]:
    """Return the pulses of every array of the cases whose endurance is asked for; raises CheckpointError."""
    return [e for o in outcomes if o.case.name in study.endurance and o.folder and o.lines for e in _read(o)]


def _read(outcome: Outcome) -> list[Endurance]:
    assert outcome.folder is not None
    arrays = Arrays(outcome.folder / MODEL)
    found: dict[str, list[np.ndarray]] = {}
    for name in arrays.names:
        if match := COUNTS.search(name):
            found.setdefault(match["array"], []).append(arrays.read(name).reshape(-1))
    if not found:
        raise ConfigError(
            f"the pulses per device of {outcome.case.name!r} were asked for, but {arrays.path} counts none; "
            "run it with mapping.count_pulses = true"
        )
    images = outcome.lines[-1]["steps"] * outcome.config.batch_size
    name, chips = outcome.case.name, outcome.config.n_chips
    return [Endurance(name, array, np.concatenate(c), images, chips) for array, c in sorted(found.items())]


def endurance_rows(found: Sequence[Endurance]) -> list[dict[str, Any]]:
    """Return the rows of results.json: mean pulses per device (`std` over devices), and what few devices pass."""
    rows = []
    for e in found:
        numbers = [("mean", e.mean, float(e.counts.std())), *((text, e.at(share), 0.0) for share, text in SHARES)]
        rows += [
            {
                "case": f"{e.name}, pulses per device: {text}",
                "ours": round(value, 3),
                "std": round(std, 3),
                "chips": e.chips,
                "paper": None,
                "provenance": f"counted over {e.images:,} images and all chips; no published number known",
                "unit": "pulses per device",
            }
            for text, value, std in numbers
        ]
    return rows


def endurance_table(found: Sequence[Endurance]) -> str:
    """Return pulses per device as a Markdown table, nothing where none were asked for."""
    if not found:
        return ""
    heads = ("case and array", "devices", "pulses per device: mean", *(text for _, text in SHARES))
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for e in found:
        numbers = [f"{e.mean:,.1f}", *(f"{e.at(share):,.0f}" for share, _ in SHARES)]
        lines.append(f"| {e.name} | {e.counts.size:,} | {' | '.join(numbers)} |")
    return "\n".join(lines) + "\n"
