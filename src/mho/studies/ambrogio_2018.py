"""Ambrogio et al. 2018: phase-change and capacitor devices together, MNIST and Fashion-MNIST."""

from __future__ import annotations

from typing import Any

from mho.devices import Capacitor, UnipolarPhaseChange
from mho.studies.base import Case, Reference, Series, Study
from mho.tiles.cell import ArraySettings, Cell, Refresh
from mho.update.msp_lsp import MspLsp
from mho.update.program_settings import Program

PULSES = {"update.trains": "stochastic", "mapping.scaling": "fixed"}
"""Exact products, and updates by pulses: what is lost is lost by devices."""
SMALL = 0.3
"""By how much weights are larger than conductances: the LSP reaches 0.3, the MSP F times 0.6."""

PHASE_CHANGE = UnipolarPhaseChange()
CAPACITOR = Capacitor(diffusion=0.0)
"""The 3T1C cell: 12 % spread between up and down steps, and a leak with a lifetime of 1e6 updates."""
TUNING = Program(tolerance=0.2, iterations=30)

BOTH = PULSES | {
    "device": PHASE_CHANGE,
    "cell": Cell(pair="one-sided"),
    "rule": MspLsp(
        gain=3.0, every=8000, residual="lsp", program=TUNING, lsp=ArraySettings(CAPACITOR, Cell(reference="column"))
    ),
    "mapping.scale": SMALL,
}
ALONE = PULSES | {
    "device": PHASE_CHANGE,
    "cell": Cell(pair="one-sided", refresh=Refresh(every=100)),
    "mapping.scale": 3 * SMALL,
}
FINER = {"rule.lsp.device.dw_min": 0.001, "rule.program.tolerance": 0.1, "rule.program.pulses": 1000}
"""A capacitor of a fifth of the step, a smaller residual, and as many pulses as put one of any size into the LSP."""
FASHION = {"data": "fashion-mnist"}


def along(label: str, axis: str, setting: str, values: tuple[float, ...], quick: int = 1) -> Series:
    """Return a series whose first value is that of BOTH; the quick run leaves out `quick` values after it."""
    return Series(label, axis, f"analog.rule.{setting}", {"quick": (values[0], *values[1 + quick :]), "full": values})


ASYMMETRY = along(
    "asymmetry {:g}",
    "d2d of the ratio of up to down steps of the LSP",
    "lsp.device.up_down.d2d",
    (0.12, 0.25, 0.5, 1.0),
)
TOOK = (
    along("tolerance {:g}", "tolerance of the tuning / first step of a PCM device", "program.tolerance",
          (0.2, 0.1, 0.5, 1.0)),
    along("lifetime {:g}", "lifetime of the LSP's leak (updates)", "lsp.device.leak.lifetime",
          (1e6, 1e4, 1e3, 3e2)),
    ASYMMETRY,
    along("step {:g}", "mean step of the LSP / its range", "lsp.device.dw_min", (0.005, 0.0025, 0.02, 0.08)),
)  # fmt: skip

EQUIVALENT = (Reference("ABS", "the paper: software-equivalent on its data sets"),)
RECALLED = Reference("MEM", "about 97.9 to 98.0 in hardware and software; F = 3, a transfer every 8,000 images")
SINGLE = Reference("ABS", "Burr et al. 2015: a single pair of PCM devices, 5,000 images, reached 82.9 on test images")
PURPOSE = Reference("ABS", "the inversion averages the fixed asymmetry of devices out")


def cases(
    name: str, data: dict[str, Any], known: tuple[Reference, ...] = (), turned: tuple[Series, ...] = ()
) -> tuple[Case, ...]:
    """Return the cases of one data set; `turned`: what the chips without polarity inversion go through."""
    return (
        Case(f"{name}digital baseline", "exact products and exact updates on the same code path", "ideal", data,
             references=known),
        Case(f"{name}single PCM pair", "phase-change pairs alone, pulsed by every sample; full pairs are written anew",
             "ideal", ALONE | data, references=(SINGLE,) if known else ()),
        Case(f"{name}MSP + LSP", "PCM pairs tuned every 8,000 images, capacitors pulsed by every sample, F = 3",
             "ideal", BOTH | data, penalty=EQUIVALENT if known else ()),
        Case(f"{name}finer LSP", "the LSP moves in steps of 1/1000 of its range; tuned twice as near", "ideal",
             BOTH | FINER | data, penalty=EQUIVALENT if known else ()),
        Case(f"{name}no inversion", "the same without polarity inversion", "ideal",
             BOTH | {"rule.polarity_inversion": False} | data, references=(PURPOSE,), series=turned),
    )  # fmt: skip


STUDY = Study(
    name="ambrogio-2018",
    source="S. Ambrogio et al., Equivalent-accuracy accelerated neural-network training using analogue memory, "
    "Nature 558:60 (2018)",
    description="Do phase-change devices and capacitors together train as well as software (MNIST, Fashion-MNIST)?",
    network="fcn-250-125",
    data="mnist-22x24",
    cases=(
        *cases("", {}, (RECALLED,), (ASYMMETRY,)),
        Case("residual left", "as MSP + LSP; what the tuning leaves is not put into the LSP", "ideal",
             BOTH | {"rule.residual": "drop"}),
        *cases("Fashion-MNIST: ", FASHION),
        Case("MSP + LSP, what it takes", "MNIST; one setting is changed", "ideal", BOTH, series=TOOK),
    ),
    modes={
        "quick": {"train_images": 10_000, "epochs": 5, "batch_size": 10, "lr": 0.01, "chips": 2,
                  "lr_schedule": {"epochs": [3, 4], "factor": 0.5}},
        "full": {"epochs": 4, "batch_size": 10, "lr": 0.01, "chips": 2,
                 "lr_schedule": {"epochs": [2, 3], "factor": 0.5}},
    },
    threshold=0.3,
    endurance=("MSP + LSP",),
)  # fmt: skip
