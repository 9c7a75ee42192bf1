"""All that a study found, as rows for programs and tables for people: accuracies, tolerances, endurance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mho.studies.base import Study
from mho.studies.endurance import endurance_rows, endurance_table, endurances
from mho.studies.outcome import Outcome
from mho.studies.results import rows, table
from mho.studies.tolerance import tolerance_rows, tolerance_table, tolerances


def report_rows(study: Study, outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Return the rows of results.json; raises CheckpointError where pulses cannot be read."""
    found = rows(study, outcomes) + tolerance_rows(study, tolerances(study, outcomes))
    return found + endurance_rows(endurances(study, outcomes))


def report_tables(study: Study, outcomes: Sequence[Outcome]) -> str:
    """Return the tables in Markdown, one below another; raises CheckpointError where pulses cannot be read."""
    tables = (
        table(study, outcomes),
        tolerance_table(study, tolerances(study, outcomes)),
        endurance_table(endurances(study, outcomes)),
    )
    return "\n".join(text for text in tables if text)
