"""What every row of results.json holds, and how numbers of a study are written in tables."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Any

from mho.over_chips import deviation
from mho.studies.base import Reference

NOTHING = "no published number known"
ACCURACY, POINTS = "% test accuracy", "points of test accuracy"


def result_row(case: str, values: Sequence[float], references: Sequence[Reference], unit: str) -> dict[str, Any]:
    """Return a row of results.json: mean and standard deviation over chips, beside what is published."""
    return {
        "case": case,
        "ours": round(fmean(values), 4),
        "std": round(deviation(values), 4),
        "chips": len(values),
        "paper": next((r.value for r in references if r.value is not None), None),
        "provenance": "; ".join(str(r) for r in references) or NOTHING,
        "unit": unit,
    }


def signed(gap: Sequence[float]) -> str:
    """Return a mean difference with its sign, and its spread where there are several."""
    spread = f" ± {stdev(gap):.2f}" if len(gap) > 1 else ""
    return f"{fmean(gap):+.2f}{spread}".replace("-", "−")
