"""A map of steps over the state as a law with parameters: what a fit of `TabularStep` changes instead of its tables."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from mho.characterize.fitting.lawfit import Fitter, LawFit
from mho.characterize.fitting.parameters import COMMON
from mho.characterize.fitting.shared import Shared
from mho.devices.base import Array, Device, Draw, law
from mho.devices.ops import maximum, minimum, where
from mho.devices.spread import PerChip, Spread, numbers
from mho.devices.steps import Wrong, check_bounds, check_positive
from mho.devices.tabular import TabularStep

NODES, NOISE_NODES = 7, 3
"""Nodes of the mean steps over a device's range, and of their noise, which readings tell less sharply."""
FIXED = ("up_mean_3",)
"""The step at the middle node is given, since `scale` is in units of it."""
SMALLEST, NOISE = 0.02, 0.3
"""Where a fit starts: no node below this share of the middle one, and noise of this share of it."""
UP, DOWN = ([f"{way}_mean_{k}" for k in range(NODES)] for way in ("up", "down"))
UP_STD, DOWN_STD = ([f"{way}_std_{k}" for k in range(NOISE_NODES)] for way in ("up", "down"))


class MappedStep(Device):
    """`TabularStep` with a number for every node, all shared by all devices: 7 of the means, 3 of the noise.

    up:    w <- w + s (m+(p) + (e+(p) + std_per_mean m+(p)) xi), down alike, clipped to [b_min, b_max]

    Noise that is 0 is off: either e+- or std_per_mean.
    """

    up_mean_0: PerChip = 0.0
    up_mean_1: PerChip = 0.0
    up_mean_2: PerChip = 0.0
    up_mean_3: PerChip = 0.0
    up_mean_4: PerChip = 0.0
    up_mean_5: PerChip = 0.0
    up_mean_6: PerChip = 0.0
    down_mean_0: PerChip = 0.0
    down_mean_1: PerChip = 0.0
    down_mean_2: PerChip = 0.0
    down_mean_3: PerChip = 0.0
    down_mean_4: PerChip = 0.0
    down_mean_5: PerChip = 0.0
    down_mean_6: PerChip = 0.0
    up_std_0: PerChip = 0.0
    up_std_1: PerChip = 0.0
    up_std_2: PerChip = 0.0
    down_std_0: PerChip = 0.0
    down_std_1: PerChip = 0.0
    down_std_2: PerChip = 0.0
    std_per_mean: PerChip = 0.0
    scale: Spread = Spread(1.0)
    w_max: Spread = Spread(1.1)
    w_min: Spread = Spread(-1.1)

    def check(self) -> Wrong:
        """Yield negative sizes and impossible bounds."""
        yield from check_bounds(self.w_max, self.w_min)
        yield from check_positive(self.scale, "the factor of the steps")
        for name in (*UP, *DOWN, *UP_STD, *DOWN_STD, "std_per_mean"):
            if min(numbers(getattr(self, name))) < 0:
                yield name, f"found {getattr(self, name)}, but it is a size; give 0 or more"

    def cells(self, draw: Draw) -> dict[str, Array]:
        """Return every node, and scale and bounds of every device."""
        top, bottom, scale = draw(self.w_max), draw(self.w_min), draw(self.scale)
        nodes = {name: getattr(self, name) for name in (*UP, *DOWN, *UP_STD, *DOWN_STD, "std_per_mean")}
        per_w = np.float32(NODES - 1) / np.maximum(top - bottom, np.float32(1e-6))
        return nodes | {"scale": scale, "per_w": per_w, "top": top, "bottom": bottom}

    @law
    def pulse(  # type: ignore[override]
        w: Any, up: Any, xi: Any, up_mean_0: Any, up_mean_1: Any, up_mean_2: Any, up_mean_3: Any, up_mean_4: Any,
        up_mean_5: Any, up_mean_6: Any, down_mean_0: Any, down_mean_1: Any, down_mean_2: Any, down_mean_3: Any,
        down_mean_4: Any, down_mean_5: Any, down_mean_6: Any, up_std_0: Any, up_std_1: Any, up_std_2: Any,
        down_std_0: Any, down_std_1: Any, down_std_2: Any, std_per_mean: Any, scale: Any, per_w: Any, top: Any,
        bottom: Any,
    ) -> Any:  # fmt: skip
        """Move by a step that is added up from the first node on: a share of every stretch between two nodes."""
        p = (w - bottom) * per_w
        m0 = where(up, up_mean_0, down_mean_0)
        m1 = where(up, up_mean_1, down_mean_1)
        m2 = where(up, up_mean_2, down_mean_2)
        m3 = where(up, up_mean_3, down_mean_3)
        m4 = where(up, up_mean_4, down_mean_4)
        m5 = where(up, up_mean_5, down_mean_5)
        m6 = where(up, up_mean_6, down_mean_6)
        low = (m1 - m0) * minimum(maximum(p, 0.0), 1.0) + (m2 - m1) * minimum(maximum(p - 1.0, 0.0), 1.0)
        middle = (m3 - m2) * minimum(maximum(p - 2.0, 0.0), 1.0) + (m4 - m3) * minimum(maximum(p - 3.0, 0.0), 1.0)
        high = (m5 - m4) * minimum(maximum(p - 4.0, 0.0), 1.0) + (m6 - m5) * minimum(maximum(p - 5.0, 0.0), 1.0)
        mean = m0 + low + middle + high
        e0 = where(up, up_std_0, down_std_0)
        e1 = where(up, up_std_1, down_std_1)
        e2 = where(up, up_std_2, down_std_2)
        below, above = minimum(maximum(p / 3.0, 0.0), 1.0), minimum(maximum(p / 3.0 - 1.0, 0.0), 1.0)
        std = std_per_mean * mean + e0 + (e1 - e0) * below + (e2 - e1) * above
        return minimum(maximum(w + (mean + std * xi) * where(up, scale, -scale), bottom), top)


def mapped(device: TabularStep, size: float) -> dict[str, MappedStep]:
    """Return the laws that are fitted for a tabular device, by name: one noise for all steps, and noise by state.

    The device's tables are the start, up to a factor that makes the step up in the middle `size`.
    """
    means = {"up": _resampled(device.up_mean), "down": _resampled(device.down_mean)}
    middle = max(means["up"][NODES // 2], 1e-12)
    start = {
        f"{way}_mean_{k}": max(float(v / middle), SMALLEST) * size for way, m in means.items() for k, v in enumerate(m)
    }
    common: dict[str, Any] = start | {name: getattr(device, name) for name in COMMON if name != "correlations"}
    noise: dict[str, Any] = dict.fromkeys((*UP_STD, *DOWN_STD), NOISE * size)
    return {
        "tabular-step": MappedStep(**common, std_per_mean=NOISE),
        "tabular-step, noise by state": MappedStep(**common, **noise),
    }


def _resampled(table: Any) -> np.ndarray:
    values = np.atleast_2d(np.asarray(table, np.float64)).mean(axis=0)
    return np.interp(np.linspace(0, 1, NODES), np.linspace(0, 1, len(values)), values)


def as_tables(device: MappedStep) -> TabularStep:
    """Return the tabular device whose map a fit found: equal steps and noise at every state."""

    def table(names: list[str]) -> np.ndarray:
        values = np.array([float(getattr(device, name)) for name in names])
        return np.interp(np.linspace(0, 1, NODES), np.linspace(0, 1, len(names)), values)

    means = {"up": table(UP), "down": table(DOWN)}
    stds = {"up": table(UP_STD), "down": table(DOWN_STD)}
    found: dict[str, Any] = {name: getattr(device, name) for name in (*COMMON, "scale", "w_max", "w_min")}
    for way in ("up", "down"):
        found[f"{way}_mean"] = _short(means[way])
        found[f"{way}_std"] = _short(stds[way] + float(device.std_per_mean) * means[way])  # type: ignore[arg-type]
    return TabularStep(**found)


def _short(values: np.ndarray) -> tuple[float, ...]:
    return tuple(float(f"{v:.5g}") for v in values)


def at_unit_scale(held: Fitter, fit: LawFit, shared: Shared, mean: float) -> tuple[Fitter, LawFit, Shared]:
    """Return a fit with the factor `mean` of all devices' scales moved from them into the nodes: the same steps."""
    p, log = held.parameters, np.log(mean)
    nodes = (*UP, *DOWN, *UP_STD, *DOWN_STD)
    moved = np.array([log if n in nodes else -log if n == "scale" else 0.0 for n in (*p.names, "noise", "drift")])
    changes: dict[str, Any] = {n: mean * float(getattr(p.device, n)) for n in nodes}
    p = dataclasses.replace(p, device=dataclasses.replace(p.device, **changes), start=p.start + moved[:-2])
    minimum = dataclasses.replace(fit.minimum, at=fit.minimum.at + moved)
    fit = dataclasses.replace(fit, parameters=p, minimum=minimum, centre=fit.centre + moved)
    values = {n: (mean * v, mean * e, mean * s) if n in nodes else (v, e, s) for n, (v, e, s) in shared.items()}
    return held.of(p), fit, values
