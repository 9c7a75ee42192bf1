"""What a run's zero-shifting did, in a sentence of its report."""

from __future__ import annotations

from html import escape
from statistics import fmean

from mho.report.rundir import Run, numbers_in
from mho.report.training import by_layer


def shifted(run: Run) -> str:
    """Return how far the references are from the symmetry points and what was clipped, layer by layer, or nothing."""
    told = by_layer(run.summary, "zero_shift")
    parts = [text for name in told if (text := _layer(name, by_layer(told, name)))]
    if not parts:
        return ""
    return (
        '<p class="note">Before training devices were given references at their symmetry points. Reference minus exact '
        f"symmetry point, mean ± spread over devices, and weights clipped when written back: {'; '.join(parts)}.</p>"
    )


def _layer(name: str, told: dict[str, object]) -> str:
    """Return a layer's means over the chips that were shifted; what is missing or damaged is left out."""
    methods = told.get("method")
    columns = [numbers_in(told.get(key)) for key in ("residual", "spread", "clipped")]
    if not isinstance(methods, list) or any(len(column) != len(methods) for column in columns):
        return ""
    chips = [k for k, method in enumerate(methods) if method != "none"]
    if not chips:
        return ""
    residual, spread, clipped = (fmean(column[k] for k in chips) for column in columns)
    missing = numbers_in(told.get("missing"))
    pointless = len(missing) == len(methods) and all(missing[k] == 100 for k in chips)
    moved = "no device has a symmetry point" if pointless else f"{residual:+.5f} ± {spread:.5f}"
    return f"{escape(name)} {moved}, {clipped:.2f} % ({len(chips)} of {len(methods)} chips)"
