"""The results of a study: rows for programs, a table and the set-up in words for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mho.studies.base import Study
from mho.studies.hardware import hardware
from mho.studies.outcome import Outcome
from mho.studies.rows import ACCURACY, POINTS, result_row, signed


def rows(study: Study, outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Return the rows of results.json: accuracies, then known distances from the baseline, then from the yardstick."""
    outcomes = parts(outcomes)
    found = [result_row(o.case.name, o.accuracy, study.known(o.case, o.config)[0], ACCURACY) for o in outcomes]
    for o in outcomes:
        gap, known = penalty(study, outcomes, o), study.known(o.case, o.config)[1]
        if known and gap is not None:
            found.append(result_row(f"{o.case.name}, over the baseline", gap, known, POINTS))
    gaps = [(o, from_yardstick(study, outcomes, o)) for o in outcomes]
    return found + [result_row(f"{o.case.name}, over {study.yardstick}", gap, (), POINTS) for o, gap in gaps if gap]


def parts(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return an outcome for every row: of a case with a series, one for each of its values."""
    return [part for o in outcomes for part in o.parts()]


def penalty(study: Study, outcomes: Sequence[Outcome], outcome: Outcome) -> list[float] | None:
    """Return the points above the baseline.

    Chip by chip where both have the same chips, for chip k starts from the same weights everywhere; else from its mean.
    """
    base = study.baseline_of(outcome.case)
    return _over(outcome, next((o for o in outcomes if o.case == base), None))


def from_yardstick(study: Study, outcomes: Sequence[Outcome], outcome: Outcome) -> list[float] | None:
    """Return the points above the study's yardstick, if it has one and this is not it."""
    return _over(outcome, next((o for o in outcomes if o.case.name == study.yardstick), None))


def _over(outcome: Outcome, base: Outcome | None) -> list[float] | None:
    if base is None or base is outcome:
        return None
    same = base.chip_ids == outcome.chip_ids
    against = base.accuracy if same else [base.mean] * len(outcome.accuracy)
    return [ours - theirs for ours, theirs in zip(outcome.accuracy, against, strict=True)]


def table(study: Study, outcomes: Sequence[Outcome]) -> str:
    """Return the results as a Markdown table."""
    outcomes = parts(outcomes)
    heads = [
        "case",
        "what is new",
        "test accuracy (%)",
        "test error (%)",
        "over the baseline (points)",
        *([f"over {study.yardstick} (points)"] if study.yardstick else []),
        "known",
    ]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for o in outcomes:
        gaps = [penalty(study, outcomes, o)]
        gaps += [from_yardstick(study, outcomes, o)] if study.yardstick else []
        spread = f" ± {o.std:.2f}" if len(o.accuracy) > 1 else ""
        cells = (
            o.case.name + (" (diverged)" if o.diverged else ""),
            o.case.about,
            f"{o.mean:.2f}{spread}",
            f"{100 - o.mean:.2f}",
            *("" if gap is None else signed(gap) for gap in gaps),
            "; ".join(str(r) for known in study.known(o.case, o.config) for r in known),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def setup(study: Study, outcomes: Sequence[Outcome]) -> list[str]:
    """Return what all cases share, in sentences: without it no number of a study means anything."""
    run = outcomes[0].config
    data = " and ".join(dict.fromkeys(o.config.data for o in outcomes))
    images = "all" if run.train_images is None else f"the first {run.train_images:,}"
    counts = sorted({len(o.accuracy) for o in parts(outcomes)})
    chips = f"{', '.join(map(str, counts))} chips" if counts != [1] else "1 chip"
    series = any(o.case.axes for o in outcomes)
    apart = "Differences are taken from the mean of the row compared with."
    own = {"init": "initial weights", "order": "order of the data"}
    differ = ", ".join(["devices", "noise", *(own[v] for v in run.vary)])
    return [
        f"Network {run.network} on {data}: {images} training and all test images, {run.epochs} epochs.",
        f"Batch {run.batch_size}, loss summed over the batch, learning rate {_rates(outcomes)}.",
        f"Seed {run.seed}, {chips}{' for each row' if series else ''}; "
        f"spreads are standard deviations over chips, which differ in {differ} "
        f"(baseline: initial weights only). "
        f"{apart if series else 'Differences from the baseline are taken chip by chip.'}",
        "Test accuracy is read after the last epoch, through the periphery of training, with its noise.",
        *hardware(outcomes),
    ]


def _rates(outcomes: Sequence[Outcome]) -> str:
    """Return the learning rate of all cases and how it falls, or every one with the cases that have it."""
    found: dict[str, list[str]] = {}
    for o in outcomes:
        falls = o.config.lr_schedule
        after = f", times {falls.factor:g} after epochs {', '.join(map(str, falls.epochs))}"
        found.setdefault(f"{o.config.lr}{after if falls.epochs else ', constant'}", []).append(o.case.name)
    return " or ".join(rate if len(found) == 1 else f"{rate} ({', '.join(names)})" for rate, names in found.items())
