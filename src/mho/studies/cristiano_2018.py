"""Cristiano et al. 2018: what devices must be like for weights of two significances, MNIST."""

from __future__ import annotations

from typing import Any

from mho.devices import ConstantStep, Faults, SoftBounds, Spread, UnipolarJump
from mho.studies.base import Case, Reference, Series, Study
from mho.tiles.cell import ArraySettings, Cell, Refresh
from mho.update.msp_lsp import MspLsp

PULSES = {"update.trains": "stochastic", "mapping.scaling": "fixed"}
"""Exact products, and updates by pulses: what is lost is lost by devices."""
SMALL = 0.3
"""The largest weight of the LSP: by so much are weights larger than conductances. F = 3 adds 0.9 for the MSP."""

NOMINAL = UnipolarJump(
    dw_min=Spread(0.005), w_max=Spread(1.0), c2c=0.0, jump=0.0, faults=Faults(dead=0.0, stuck=0.0, range=1.0)
)
"""A device that pulses can only raise and that saturates: 200 of its largest steps wide, all devices alike."""
SPREAD = {"dw_min.d2d": 0.3, "w_max.d2d": 0.2, "c2c": 0.5, "jump": 0.02}
"""What is not ideal in the devices on which the ways to tune are compared."""
PAIR = Cell(pair="one-sided")
REFRESHED = Cell(pair="one-sided", refresh=Refresh(every=100))
BOTH: dict[str, Any] = {
    "dw_min": Spread(0.005),
    "up_down": Spread(1.0),
    "w_max": Spread(1.0),
    "w_min": Spread(-1.0),
    "c2c": 0.0,
}

TWO = PULSES | {
    "device": NOMINAL,
    "cell": PAIR,
    "rule": MspLsp(gain=3.0, every=1000, residual="lsp", lsp=ArraySettings(NOMINAL, PAIR)),
    "mapping.scale": SMALL,
}
UNLIKE = TWO | {f"{place}.{name}": v for place in ("device", "rule.lsp.device") for name, v in SPREAD.items()}


def pair(device: Any, cell: Cell, scale: float) -> dict[str, Any]:
    """Return a single pair of devices for the largest weight that MSP and LSP have together."""
    return PULSES | {"device": device, "cell": cell, "mapping.scale": scale}


def properties(device: str, jumps: tuple[float, ...]) -> dict[str, Series]:
    """Return the series over the properties of the device at a path; the first value of each is that of NOMINAL."""

    def along(label: str, axis: str, name: str, values: tuple[float, ...]) -> Series:
        return Series(label, axis, f"analog.{device}.{name}", {"quick": (values[0], *values[2:]), "full": values})

    return {
        "jump": along("jump {:g}", "size of the jump / range", "jump", jumps),
        "top": along("G_max {:g}", "d2d of the largest conductance", "w_max.d2d", (0.0, 0.3, 0.6, 1.2)),
        "step": along("dG_max {:g}", "d2d of the largest step", "dw_min.d2d", (0.0, 0.6, 1.2, 2.4)),
        "c2c": along("c2c {:g}", "cycle-to-cycle noise / step", "c2c", (0.0, 2.0, 5.0, 15.0)),
        "dead": along("dead {:g}", "share of dead devices", "faults.dead", (0.0, 0.1, 0.3, 0.6)),
        "stuck": along("stuck {:g}", "share of stuck devices", "faults.stuck", (0.0, 0.05, 0.15, 0.4)),
    }


LSP = properties("rule.lsp.device", (0.0, 0.05, 0.1, 0.2))
MSP = properties("device", (0.0, 0.2, 0.4, 0.8))
SWEEPS = Reference("ABS", "the tolerances of LSP and MSP are studied one by one; no number was read")
LINEAR = Reference(
    "ABS", "Burr et al. 2015: in simulation, bidirectional, linear, symmetric devices of large range reach software"
)
UPDATES = Reference("ABS", "LSP open-loop after every example, MSP closed-loop and periodically, several strategies")

STUDY = Study(
    name="cristiano-2018",
    source="G. Cristiano et al., Perspective on training fully connected networks with resistive memories: Device "
    "requirements for multiple conductances of varying significance, J. Appl. Phys. 124(15) (2018)",
    description="What must devices be like for weights of two significances (528-250-125-10, MNIST)?",
    network="fcn-250-125",
    data="mnist-22x24",
    cases=(
        Case(
            "digital baseline", "exact products and exact updates on the same code path", "ideal", {"chips": 4},
            references=(Reference("MEM", "the paper's accuracies and settings are not known"),),
        ),
        Case(
            "single one-sided pair",
            "devices that pulses can only raise, 200 steps wide; full pairs are reset and written back",
            "ideal", pair(NOMINAL, REFRESHED, 4 * SMALL),
        ),
        Case(
            "single bidirectional pair, saturating", "soft bounds, equal steps up and down", "ideal",
            pair(SoftBounds(**BOTH), Cell(pair="differential"), 2 * SMALL),
        ),
        Case(
            "single bidirectional pair, linear", "the same steps at every state", "ideal",
            pair(ConstantStep(**BOTH), Cell(pair="differential"), 2 * SMALL), references=(LINEAR,),
        ),
        Case(
            "MSP + LSP", "two one-sided pairs of the same devices, F = 3, a transfer every 1,000 images",
            "ideal", TWO, references=(UPDATES,),
        ),
        Case("unlike devices: tuned", f"the same with spreads: {', '.join(f'{k} {v:g}' for k, v in SPREAD.items())}",
             "ideal", UNLIKE),
        Case("unlike devices: re-written", "every transfer begins with a reset of the MSP",
             "ideal", UNLIKE | {"rule.program.strategy": "rewrite"}),
        Case("unlike devices: alternating halves", "a transfer writes every second half of the rows",
             "ideal", UNLIKE | {"rule.select": "half-rows"}),
        Case("unlike devices: no inversion", "tuned, without polarity inversion",
             "ideal", UNLIKE | {"rule.polarity_inversion": False}),
        Case("unlike devices: saturated only", "only weights whose LSP is above half of its reach, no inversion",
             "ideal", UNLIKE | {"rule.polarity_inversion": False, "rule.select": "saturated", "rule.above": 0.5}),
        Case("unlike devices: above a threshold", "only weights whose LSP is above 0.1 conductances, no inversion",
             "ideal", UNLIKE | {"rule.polarity_inversion": False, "rule.select": "threshold", "rule.above": 0.1}),
        Case("unlike devices: residual left", "tuned; what the tuning leaves is not put into the LSP",
             "ideal", UNLIKE | {"rule.residual": "drop"}),
        Case("LSP", "devices alike; one property of the LSP gets worse", "ideal", TWO,
             references=(SWEEPS,), series=tuple(LSP.values())),
        Case("MSP", "devices alike; one property of the MSP gets worse", "ideal", TWO,
             references=(SWEEPS,), series=tuple(MSP.values())),
        Case("LSP, two at once", "c2c and d2d of G_max of the LSP", "ideal", TWO | {"chips": 1},
             series=(LSP["c2c"], LSP["top"]), grid=True),
        Case("MSP, two at once", "c2c and d2d of G_max of the MSP", "ideal", TWO | {"chips": 1},
             series=(MSP["c2c"], MSP["top"]), grid=True),
    ),
    modes={
        "quick": {"train_images": 10_000, "epochs": 3, "batch_size": 10, "lr": 0.01, "chips": 2,
                  "lr_schedule": {"epochs": [1, 2], "factor": 0.5}},
        "full": {"epochs": 3, "batch_size": 10, "lr": 0.01, "chips": 2,
                 "lr_schedule": {"epochs": [1, 2], "factor": 0.5}},
    },
    threshold=0.5,
    endurance=("MSP + LSP", "unlike devices: tuned", "unlike devices: re-written"),
)  # fmt: skip
