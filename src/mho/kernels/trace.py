"""Filter pulse measurements on the CPU: every device with several parameter sets at once, straight from its law.

What the kernel computes is said in `mho.characterize.fitting.filtering`, which has it in NumPy, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType

import numpy as np

from mho.devices.base import Device, law_arguments
from mho.errors import LawError
from mho.kernels.arguments import block, numbered, template
from mho.kernels.build import _shared, compile_source
from mho.kernels.cpu import entry
from mho.kernels.launch import launch, threads
from mho.kernels.translate import law_source, law_tables

GRAIN = 8
"""Parameter sets that lie side by side: a kernel's number of lanes is a multiple of it."""
START, UP, DOWN = 2, 1, 0
"""What a row of a record is: where it begins, or a pulse up or down."""
OUTLIERS, WIDTH = 0.01, 5.0
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


def trace_source(device: type[Device], lanes: int) -> str:
    """Return the source of the kernel of a law for a number of lanes."""
    if law_tables(device):
        raise LawError(f"{device.__name__} takes tables, whose values have no spread to fit")
    names, states = law_arguments(device), tuple(device.state)
    rows = {name: k for k, name in enumerate(OWN)}
    rows["HESSIAN"] = len(OWN)  # its first row stays 0; it follows the gradient, with which it is copied out
    rows["FIRST_EXTRA"] = rows["HESSIAN"] + lanes
    rows["FIRST_TABLE"] = rows["FIRST_EXTRA"] + len(states)
    sizes = {"LANES": lanes, "TABLES": len(names), "EXTRAS": len(states)}
    sizes["ROWS"] = rows["FIRST_TABLE"] + len(names)
    lines = [f"{name} = {value}" for name, value in (rows | sizes).items()]
    lines += [f"CORE = {CORE}", f"TAIL = {TAIL}", f"TAIL_SCALE = {WIDTH**-2}", f"SLOPE = {2 * TAIL * WIDTH**-2}"]
    body = numbered(template("trace").replace("$predict", _predict(names, states)))
    law = law_source(device.pulse, "law_pulse")
    return "\n\n".join([template("prelude") + _shared(), template("primitives"), law, "\n".join(lines), body])


def _predict(names: tuple[str, ...], states: tuple[str, ...]) -> str:
    """Return the lines that predict a state from five calls of the law: around the state, and around no noise."""
    extra = [f"lane[u64((FIRST_EXTRA + {k}) * LANES + j)]" for k in range(len(states))]
    given = extra + [f"lane[u64((FIRST_TABLE + {k}) * LANES + j)]" for k in range(len(names))]
    unused = ["unused" for _ in states]

    def call(result: str, w: str, xi: str, others: list[str]) -> str:
        return f"{', '.join([result, *others])} = law_pulse({', '.join([w, 'up', xi, *given])})"

    root = "1.7320508"
    lines = [
        "w = lane[u64(W * LANES + j)]",
        f"reach = f32(sqrt32(lane[u64(P * LANES + j)]) * f32({root}))",
        call("after_low", "f32(w - reach)", "f32(0.0)", unused),
        call("after_high", "f32(w + reach)", "f32(0.0)", unused),
        call("noise_low", "w", f"f32(-{root})", unused),
        call("noise_high", "w", f"f32({root})", unused),
        call("mean", "w", "f32(0.0)", [f"new_{k}" for k in range(len(states))]),
        *(f"{place} = f32(new_{k})" for k, place in enumerate(extra)),
    ]
    return "\n".join(" " * 20 + line for line in lines)


@lru_cache(maxsize=256)
def trace_kernels(device: type[Device], lanes: int) -> ModuleType:
    """Return the module with the kernel of a law; classes that share a law share it."""
    return compile_source(trace_source(device, lanes), "trace")


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
    kept = np.empty((len(records.readings), 2), np.float32) if trail else None
    a = block("trace", "trace")
    a.set(
        devices=n, sets=sets, begins=records.begins.ctypes.data, ends=records.ends.ctypes.data, readings=records.readings.ctypes.data,
        kinds=records.kinds.ctypes.data, tables=tables.ctypes.data, noise=noise.ctypes.data, steps=steps.ctypes.data,
        extra=extra.ctypes.data, total=loss.ctypes.data, curvature=out.ctypes.data,
        trail=kept.ctypes.data if kept is not None else 0,
    )  # fmt: skip
    launch(entry(trace_kernels(device, lanes), "trace"), a, min(threads(), n))  # type: ignore[arg-type]
    used = slice(1, sets)
    return Traced(loss, out[:, 0, used].astype(np.float64), out[:, 1:, :][:, used, used].astype(np.float64), kept)


def _padded(values: np.ndarray, n: int, sets: int, lanes: int) -> np.ndarray:
    """Return values as float32 (n, lanes): lanes without a set repeat the first."""
    full = np.broadcast_to(np.asarray(values, np.float32), (n, sets))
    return np.concatenate([full, np.repeat(full[:, :1], lanes - sets, axis=1)], axis=1)
