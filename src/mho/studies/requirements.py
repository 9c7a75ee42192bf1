"""What must a device reach? Tolerances of single properties after Gokmen & Vlasov 2016, and maps of two.

The tolerances of the paper are known from memory only [MEM]: they are where we looked, not what is tested against.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from mho.studies.base import Reference
from mho.studies.bench import Bench, Context, Row, Step
from mho.studies.requirements_figure import draw
from mho.studies.requirements_rows import TOLERANCES, line_rows, map_rows, tolerance
from mho.studies.requirements_sweeps import MAPS, WAYS, Settings, a_map, lines
from mho.sweep.report.results import Results, read_results
from mho.sweep.run import run
from mho.sweep.settings import Sweep

STARTS = {"alone": True, "beside": False}
"""Whether the other properties are ideal, or as stated."""

PAPER = {
    "step": "at most 0.01", "c2c": "at most 150 %", "step d2d": "at most 110 %", "bounds": "at least 0.3",
    "bounds d2d": "at most 80 %", "asymmetry": "at most 5 %", "asymmetry d2d": "at most 6 %",
    "noise": "at most 10 %", "output bound": "at least 3",
}  # fmt: skip


def swept(context: Context, sweep: Sweep) -> Results:
    """Carry a sweep out in the step's folder, or go on with it."""
    table = run(sweep, out=context.folder / "sweep", workers=context.settings.workers, progress=context.progress)
    return read_results(table)


def single(context: Context, start: str) -> Sequence[Row]:
    """Sweep every property by itself."""
    return line_rows(swept(context, lines(context.settings, alone=STARTS[start])), start)


def mapped(context: Context, name: str, way: str) -> Sequence[Row]:
    """Sweep two properties together."""
    return map_rows(swept(context, a_map(context.settings, name, way)), context.settings.map_threshold)


def setup(settings: Settings) -> list[str]:
    """Return what all rows share, in sentences."""
    images = "all" if settings.train_images is None else f"the first {settings.train_images:,}"
    return [
        f"{settings.network} on {settings.data}, {images} training images, {settings.epochs} epochs, batch "
        f"{settings.batch_size} (sum), rate {settings.lr:g}. The penalty is in points of test accuracy; acceptable is "
        f"up to {settings.threshold:g}.",
        "Alone: constant steps of 0.001 between bounds of +-0.6, pulse trains of 10 slots, everything else ideal; "
        "penalty from the same network in floating point. Beside: everything else as in the preset "
        "gokmen-vlasov-2016; penalty from that preset. A tolerance is where the mean penalty passes the threshold, "
        "with straight lines between points, and its 95 % confidence interval (Fieller).",
        "Maps: the soft-bounds device of kim-2019 with the preset gokmen-2017, trained with plain pulses, with devices "
        "driven to their symmetry points and read against these, with the rule ttv2, or both; penalty from floating "
        f"point. Their border is where {settings.map_threshold:g} points are lost.",
    ]


BENCH = Bench(
    name="requirements",
    source="T. Gokmen & Y. Vlasov, Front. Neurosci. 10:333 (2016), arXiv 1603.07341: its question, asked of mho",
    description="How good must a device be to lose at most 0.3 points (MNIST)?",
    settings=Settings,
    steps=(
        *(Step(f"single properties, {start}", TOLERANCES[start], partial(single, start=start)) for start in STARTS),
        *(
            Step(f"{name}, {way}", "two properties at once", partial(mapped, name=name, way=way))
            for name in MAPS
            for way in WAYS
            if "zero-shifted" not in way or "asymmetry" in name
        ),
    ),
    modes={
        "quick": {"train_images": 5000, "epochs": 4, "chips": 2, "map_chips": 1, "map_side": 3},
        "full": {},
    },
    known={
        tolerance(name, start): (Reference("MEM", text),) for name, text in PAPER.items() for start in STARTS
    },
    setup=setup,
    draw=draw,
    caption="Penalty over every property, alone and beside the stated hardware, with the threshold; and over two "
    "properties at once, with the border of what is acceptable; mean and standard deviation over chips",
)  # fmt: skip
