"""What the shared suite must know of a rule: settings of `mho.update.rules.rules()`, and of examples/own_rule.py.

A rule without a case of its own is taken as it is by default, and for plain SGD where devices are ideal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mho import AnalogConfig, Periphery
from mho.config.laws import LEARNING
from mho.devices import ConstantStep, Leak, SoftBounds, Spread
from mho.tiles.cell import ArraySettings
from mho.update.rule import Rule
from mho.update.rules import rules
from mho.update.transfer import Average, Buffer, Chopper, Schedule

OWN = Path(__file__).parents[2] / "examples" / "own_rule.py"
PATHS = {"own": str(OWN)}
"""Names of this suite for rules that a user would name by their files."""
NAMES = (*rules(), *PATHS)
EXACT = Periphery(ideal=True)
DW = 0.005
"""Step size of the devices of a regression."""


def even(dw: float = 0.001) -> ConstantStep:
    """Return a device of equal steps, without spread or noise, whose bounds are out of reach."""
    return ConstantStep(dw_min=dw, up_down=1.0, w_max=50.0, w_min=-50.0, c2c=0.0)


def soft(up_down: float = 1.0, d2d: float = 0.0, c2c: float = 0.0, dw: float = DW) -> SoftBounds:
    """Return a device of 240 steps; with `up_down` 1 its symmetry point is 0."""
    bounds = {"w_max": Spread(0.6, d2d=d2d), "w_min": Spread(-0.6, d2d=d2d)}
    return SoftBounds(dw_min=Spread(dw, d2d=d2d), up_down=Spread(up_down, d2d=0.2 * d2d), c2c=c2c, **bounds)


def noisy() -> SoftBounds:
    """Return a device with everything that draws: spreads, noise of pulses, writing and diffusion, and a leak."""
    return SoftBounds(dw_min=Spread(DW, d2d=0.3), write_noise=1.0, diffusion=1e-4, leak=Leak(1e4))


@dataclass(frozen=True)
class Case:
    """Settings of one rule.

    busy: with which a dozen steps do everything that it does. sgd: each makes it SGD on ideal devices of exact updates
    (or, with `within` steps, equal to within so many device steps). fits: with which it solves a regression.
    shifted: whether its devices must be zero-shifted to be better than plain pulses on asymmetric ones; better:
    whether it is to be better. arrays: what it is made of; tally: what it counts beside these. sums: buffers that are
    digital sums of products.
    """

    busy: dict[str, Any] = field(default_factory=dict)
    sgd: Sequence[dict[str, Any]] = ({},)
    within: float = 0.0
    fits: Sequence[dict[str, Any]] = ({},)
    shifted: bool = False
    better: bool = True
    arrays: tuple[str, ...] = ("weight",)
    tally: tuple[str, ...] = ()
    sums: tuple[str, ...] = ()


OPEN = {"transfer_lr": 1e-12, "gamma": 0.4, "fast_lr": 2.5}
"""With W = C + gamma A and no transfers to speak of, A moves W by gamma fast_lr = 1 times the learning rate."""
BY_RATE = {"auto_scale": False, "scale_fast_lr": True, "read": EXACT}
FORGET = Buffer(momentum=0.0)

CASES = {
    "pulsed": Case(better=False),
    "mixed-precision": Case(
        busy={"every": 2},
        sgd=[{"pulses": 10**6}, {"pulses": 10**6, "every": 3}],
        within=1.0,
        tally=("transfers",),
        sums=(".chi",),
    ),
    "msp-lsp": Case(
        busy={"every": 7, "residual": "lsp", "reset_noise": 0.001, "program.read_noise": 0.001},
        sgd=[
            {"every": 5, "residual": "lsp", "select": select, "lsp": ArraySettings(even())}
            for select in ("all", "half-rows", "half-columns")
        ],
        fits=[{"every": 100, "lsp.device": soft()}],
        arrays=("msp", "lsp"),
        tally=("transfers", "residual_mean", "residual_std", "last_residual_mean", "last_residual_std"),
    ),
    "tiki-taka": Case(
        busy={"gamma": 0.3, "schedule": Schedule(2, "vector", 2, order="random")},
        sgd=[OPEN],
        fits=[{"fast_lr": 5.0, "gamma": 0.1, "read": EXACT}],
        shifted=True, arrays=("weight", "fast"), tally=("transfer_reads",),
    ),
    "ttv2": Case(
        busy={"gamma": 0.3, "buffer": Buffer(granularity=20.0)},
        sgd=[OPEN | {"auto_scale": False, "scale_fast_lr": True}],
        fits=[{"fast_lr": 20.0, "buffer": Buffer(), **BY_RATE}],
        shifted=True, arrays=("weight", "fast"), tally=("transfer_reads",),
    ),
    "c-ttv2": Case(
        busy={"buffer": Buffer(granularity=10.0), "chopper": Chopper(0.3), "schedule": Schedule(1, "vector", 3)},
        sgd=(),
        fits=[{"fast_lr": 20.0, "buffer": FORGET, "chopper": Chopper(0.1, "regular"), **BY_RATE}],
        arrays=("weight", "fast"), tally=("transfer_reads",),
    ),
    "agad": Case(
        busy={
            "buffer": Buffer(granularity=1.0), "chopper": Chopper(0.4, "regular"),
            "schedule": Schedule(1, "batch", "all"),
        },
        sgd=(),
        fits=[{"fast_lr": 5.0, "buffer": FORGET, "chopper": Chopper(0.1, "regular"), **BY_RATE}],
        arrays=("weight", "fast"), tally=("transfer_reads",),
    ),
    "residual": Case(
        busy={"version": "v2", "average": Average(0.5, 0.1, 2), "schedule": Schedule(1, "sample", 2, "rows")},
        sgd=[OPEN | {"version": version} for version in ("v1", "v2")],
        fits=[{"version": version, "read": EXACT} for version in ("v1", "v2")],
        shifted=True, arrays=("weight", "fast"), tally=("transfer_reads",),
    ),
    "own": Case(
        busy={"chopper": Chopper(0.3)},
        sgd=[{"transfer_lr": 1e-12, "gamma": 0.4, "fast_lr": 2.5, "eta": 0.0, "chopper": Chopper(0.0)}],
        fits=[{"fast_lr": 5.0, "transfer_lr": 0.3}],
        arrays=("weight", "fast"), tally=("transfer_reads",),
    ),
}  # fmt: skip


def case(name: str) -> Case:
    """Return what the suite must know of a rule."""
    return CASES.get(name, Case(better=False))


def rule(name: str, settings: dict[str, Any] | None = None) -> Rule:
    """Return a rule with settings by their paths."""
    return config(name, settings).rule


def config(name: str, settings: dict[str, Any] | None = None, **layer: Any) -> AnalogConfig:
    """Return a configuration with the rule of a name, its settings by their paths, and other sections."""
    plain = AnalogConfig(rule=LEARNING.named(PATHS.get(name, name))(), **layer)
    return plain.with_({f"rule.{path}": value for path, value in (settings or {}).items()})


def busy(name: str, **layer: Any) -> AnalogConfig:
    """Return a configuration under which a dozen steps do everything that the rule does."""
    return config(name, case(name).busy, **{"device": noisy(), **layer})
