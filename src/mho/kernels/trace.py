"""Filter pulse measurements on the CPU: every device with several parameter sets at once, straight from its law.

What the kernel computes is said in `mho.characterize.fitting.filtering`, which has it in NumPy, too.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType

import numpy as np

from mho.devices.base import Device, law_arguments
from mho.errors import LawError
from mho.kernels.arguments import block, numbered, template
from mho.kernels.build import compile_source, law_prelude, prelude
from mho.kernels.cpu import entry
from mho.kernels.launch import launch, threads
from mho.kernels.translate import law_source, law_tables

GRAIN = 16
"""Parameter sets that lie side by side: a kernel's number of lanes is a multiple of it."""
START, UP, DOWN = 2, 1, 0
"""What a row of a record is: where it begins, or a pulse up or down."""
OUTLIERS, WIDTH = 0.002, 10.0
"""Share of readings that may be far off, and how far, in standard deviations: the scale of their Cauchy tail."""
CORE, TAIL = (1 - OUTLIERS) / np.sqrt(2 * np.pi), OUTLIERS / (np.pi * WIDTH)

OWN = ("W", "P", "READ", "DRIFT", "STEP", "ERROR", "VARIANCE", "TRUST", "DENSITY", "A", "B", "GRADIENT")


@dataclass(frozen=True)
class Traced:
    """What one pass over the readings gives, per device.

    loss: (devices,) minus log-likelihood at the first parameter set. gradient: (devices, lanes - 1) and curvature:
    (devices, lanes - 1, lanes - 1) of it by the steps from the first set to the others. trail: (readings, 2), state
    and variance that were predicted for each reading, where asked for.
    """

    loss: np.ndarray
    gradient: np.ndarray
    curvature: np.ndarray
    trail: np.ndarray | None


@dataclass(frozen=True)
class Records:
    """Readings of devices as weights: device d has the rows from begins[d] to ends[d], in the order of its pulses.

    readings: float32, NaN where a reading is absent. kinds: uint8, START, UP or DOWN; a START has a reading, from which
    the state is taken anew.
    """

    begins: np.ndarray
    ends: np.ndarray
    readings: np.ndarray
    kinds: np.ndarray

    def __len__(self) -> int:
        return len(self.begins)

    def of(self, chosen: np.ndarray) -> Records:
        """Return the records of some devices, by index or mask."""
        return Records(self.begins[chosen], self.ends[chosen], self.readings, self.kinds)


def lanes_for(sets: int) -> int:
    """Return the number of lanes that hold so many parameter sets."""
    return -(-sets // GRAIN) * GRAIN


@lru_cache(maxsize=8)
def filter_kernels(lanes: int) -> ModuleType:
    """Return the module with the filter of a number of lanes, which calls any law's prediction."""
    values = {name: k for k, name in enumerate(OWN)} | {"LANES": lanes, "HESSIAN": len(OWN), "CORE": CORE, "TAIL": TAIL}
    values |= {"TAIL_SCALE": WIDTH**-2, "SLOPE": 2 * TAIL * WIDTH**-2, "FIRST": _first(lanes)}
    return compile_source("\n\n".join([prelude(), _lines(values), numbered(template("trace"))]), "trace")


@lru_cache(maxsize=256)
def law_kernels(device: type[Device], lanes: int) -> ModuleType:
    """Return the module with the prediction of a law; classes that share a law share it."""
    return compile_source(law_kernel_source(device, lanes), "trace_law")


def law_kernel_source(device: type[Device], lanes: int) -> str:
    """Return the source of the prediction of a law for a number of lanes."""
    if law_tables(device):
        raise LawError(f"{device.__name__} takes tables, whose values have no spread to fit")
    law = law_source(device.pulse, "law_pulse")
    body = template("trace_law").replace("$predict", _predict(law_arguments(device), tuple(device.state)))
    values = {"W": OWN.index("W"), "P": OWN.index("P"), "LANES": lanes, "FIRST": _first(lanes)}
    return "\n\n".join([law_prelude(law), _lines(values), body])


def _first(lanes: int) -> int:
    """Return the first row of a law's states and arrays: after the filter's own rows and its curvature."""
    return len(OWN) + lanes


def _lines(values: Mapping[str, float]) -> str:
    return "\n".join(
        f"{name} = {value if isinstance(value, int) else float(value)!r}" for name, value in values.items()
    )


def _predict(names: tuple[str, ...], states: tuple[str, ...]) -> str:
    """Return the lines that predict a state from five calls of the law: around the state, and around no noise."""
    given = [f"lane[u64((FIRST + {k}) * LANES + j)]" for k in range(len(states) + len(names))]
    unused = ["unused" for _ in states]

    def call(result: str, w: str, xi: str, others: list[str]) -> str:
        return f"{', '.join([result, *others])} = law_pulse({', '.join([w, 'up', xi, *given])})"

    root = "1.7320508"
    lines = [
        call("after_low", "f32(w - reach)", "f32(0.0)", unused),
        call("after_high", "f32(w + reach)", "f32(0.0)", unused),
        call("noise_low", "w", f"f32(-{root})", unused),
        call("noise_high", "w", f"f32({root})", unused),
        call("mean", "w", "f32(0.0)", [f"new_{k}" for k in range(len(states))]),
        *(f"{given[k]} = f32(new_{k})" for k in range(len(states))),
    ]
    return "\n".join(" " * 8 + line for line in lines)


def trace(
    device: type[Device], records: Records, cells: Mapping[str, np.ndarray], noise: np.ndarray, steps: np.ndarray,
    *, trail: bool = False,
) -> Traced:  # fmt: skip
    """Filter the records of n devices under s parameter sets each.

    cells: the law's arrays by name, each broadcasting to (n, s). noise: (2, n, s), variance of a reading and drift of
    the baseline over the record. steps: (n, s) one over the step of each set from the first, 0 for the first itself.
    """
    n, sets = steps.shape
    lanes = lanes_for(sets)
    tables = np.stack([_padded(cells[name], n, sets, lanes) for name in law_arguments(device)])
    noise = np.stack([_padded(part, n, sets, lanes) for part in noise])
    steps = np.concatenate([steps, np.zeros((n, lanes - sets))], axis=1).astype(np.float32)
    extra = np.array([*device.state.values(), 0.0], np.float32)
    loss, out = np.empty(n), np.empty((n, lanes + 1, lanes), np.float32)
    kept = np.full((len(records.readings), 2), np.nan, np.float32) if trail else None
    a = block("trace", "trace")
    move = entry(law_kernels(device, lanes), "predict")  # type: ignore[arg-type]
    a.set(
        devices=n, sets=sets, predict=ctypes.cast(move, ctypes.c_void_p).value or 0, arrays=len(tables),
        states=len(device.state), begins=records.begins.ctypes.data, ends=records.ends.ctypes.data,
        readings=records.readings.ctypes.data,
        kinds=records.kinds.ctypes.data, tables=tables.ctypes.data, noise=noise.ctypes.data, steps=steps.ctypes.data,
        extra=extra.ctypes.data, total=loss.ctypes.data, curvature=out.ctypes.data,
        trail=kept.ctypes.data if kept is not None else 0,
    )  # fmt: skip
    launch(entry(filter_kernels(lanes), "trace"), a, min(threads(), n))
    used = slice(1, sets)
    return Traced(loss, out[:, 0, used].astype(np.float64), out[:, 1:, :][:, used, used].astype(np.float64), kept)


def _padded(values: np.ndarray, n: int, sets: int, lanes: int) -> np.ndarray:
    """Return values as float32 (n, lanes): lanes without a set repeat the first."""
    full = np.broadcast_to(np.asarray(values, np.float32), (n, sets))
    return np.concatenate([full, np.repeat(full[:, :1], lanes - sets, axis=1)], axis=1)
