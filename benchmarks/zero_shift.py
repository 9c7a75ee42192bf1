"""How many alternating pulses bring devices to their symmetry points: the residual over pulses and step size.

    python benchmarks/zero_shift.py [--size 512] [--threads 2] [--out docs/images/zero-shift.png] [--json FILE]

Soft bounds of +-1 with 2000 states, ratio 2 of up to down steps and the spreads of the 2016 device. With up and down
rates p = a+/b_max and q = a-/abs(b_min), a pair of pulses takes the mean state w to (1 - L) w + m, 1 - L = (1-p)(1-q):

    residual after n pairs:  (1 - L)^n (w0 - w_end) + w_end - w*,      w_end - w* = -q s / L
    variance over cycles:    c2c^2 s^2 (1 + (1-q)^2) (1 - (1-L)^2n) / (1 - (1-L)^2)

where s is the step at the symmetry point w*; w_end is below it because the last pulse is a down pulse. Averaged over
the devices of the array this is the theory that is drawn. For the mean device, L = 2 dw_min/b: a residual of delta is
reached after N = 2n = (b/dw_min) ln(w*/delta) pulses, and the spread ends at about c2c sqrt(b dw_min/2) (1 - (w*/b)^2).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mho.devices import SoftBounds, Spread
from mho.folders import replacing
from mho.tiles.tile import Tile
from mho.update.symmetry import symmetry_points
from mho.update.zero_shift import drive_

BOUND, RATIO, NOISE = 1.0, 2.0, (0.3, 0.0)
SPREADS = (0.3, 0.0)
PULSES = (100, 200, 500, 1000, 2000, 4000, 8000, 16000)
STEPS = (5e-3, 2e-3, 1e-3, 5e-4, 2e-4, 1e-4, 5e-5, 2e-5)
SMALL, LONG = 64, 14
KEYS = ("pulses", "expected_pulses", "spread", "expected_spread")
GOAL = 0.01
"""The mean of the array counts as found when it is off by this share of the mean symmetry point."""


def array(size: int, dw: float, c2c: float, d2d: float = SPREADS[0]) -> Tile:
    """Return a square array of soft-bounds devices, with the spreads of the 2016 device or (d2d 0) all alike."""
    device = SoftBounds(
        dw_min=Spread(dw, d2d=d2d), up_down=Spread(RATIO, d2d=d2d / 15),
        w_max=Spread(BOUND, d2d=d2d), w_min=Spread(-BOUND, d2d=d2d), c2c=c2c,
    )  # fmt: skip
    return Tile(device, (size, size), name="zero-shift", count_pulses=False)


class Theory:
    """The residual of the devices of an array, from its law alone."""

    def __init__(self, tile: Tile) -> None:
        arrays = [getattr(tile, f"cell_{n}") for n in ("rate_up", "rate_down", "top", "bottom")]
        self.p, self.q, top, bottom = (
            a.double().expand(tile.state.numel()).numpy() if a.dim() == 1 else a.double().numpy().ravel()
            for a in arrays
        )
        self.c2c = float(tile.cell_c2c.reshape(-1)[0])
        self.point = (self.p * top + self.q * bottom) / (self.p + self.q)
        self.keep = (1 - self.p) * (1 - self.q)
        step = self.p * (top - self.point)
        self.end = self.point - self.q * step / (1 - self.keep)
        self.kick = (self.c2c * step) ** 2 * (1 + (1 - self.q) ** 2)
        self.fine = (self.p < 1) & (self.q < 1)  # the few devices that a pulse takes to their bound have no such law
        self.keep = np.where(self.fine, self.keep, 0.0)

    def residual(self, pulses: int) -> tuple[float, float]:
        """Return mean and standard deviation over devices and cycles after so many pulses from w = 0."""
        left = self.keep ** (pulses // 2)
        mean = (self.end - self.point - left * self.end)[self.fine]
        variance = (self.kick * (1 - left**2) / (1 - self.keep**2))[self.fine]
        return float(mean.mean()), float((mean.var() + variance.mean()) ** 0.5)

    def needed(self, goal: float) -> float:
        """Return the pulses after which the mean residual is at most `goal` in size, NaN if it never is."""
        counts = np.unique(np.geomspace(2, 1e7, 2000).astype(int) // 2 * 2)
        low, high = 0, len(counts) - 1
        if abs(self.residual(int(counts[high]))[0]) > goal:
            return float("nan")
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if abs(self.residual(int(counts[middle]))[0]) <= goal else (middle + 1, high)
        return float(counts[low])


def residual(tile: Tile, theory: Theory) -> tuple[float, float]:
    """Return mean and standard deviation over devices of state - symmetry point."""
    found = tile.state.double().numpy().ravel() - theory.point
    return float(found[theory.fine].mean()), float(found[theory.fine].std())


def over_pulses(size: int, c2c: float) -> dict[str, Any]:
    """Return the measured and expected residual after each number of pulses, for dw_min 0.001."""
    tile = array(size, 1e-3, c2c)
    theory = Theory(tile)
    exact = symmetry_points(tile).points.double().numpy().ravel()
    assert np.abs(exact - theory.point)[theory.fine].max() < 1e-4
    measured, expected, done = [], [], 0
    for pulses in PULSES:
        drive_(tile, [pulses - done])
        done = pulses
        measured.append(residual(tile, theory))
        expected.append(theory.residual(pulses))
    return {"pulses": PULSES, "measured": measured, "expected": expected, "point": float(exact[theory.fine].mean())}


def over_steps(c2c: float, d2d: float) -> dict[str, Any]:
    """Return for every dw_min the pulses that find the mean within GOAL, and the spread in the end."""
    found: dict[str, Any] = {"dw_min": STEPS, **{k: [] for k in KEYS}}
    for dw in STEPS:
        tile = array(SMALL, dw, c2c, d2d)
        theory = Theory(tile)
        goal = GOAL * float(theory.point[theory.fine].mean())
        stride = max(2, round(0.1 * BOUND / dw) // 2 * 2)
        last = int(np.ceil(LONG * BOUND / dw / stride)) * stride
        reached = float("nan")
        for pulses in range(stride, last + 1, stride):
            drive_(tile, [stride])
            if np.isnan(reached) and abs(residual(tile, theory)[0]) <= goal:
                reached = pulses
        found["pulses"].append(reached)
        found["expected_pulses"].append(theory.needed(goal))
        found["spread"].append(residual(tile, theory)[1])
        found["expected_spread"].append(theory.residual(last)[1])
    return found


def draw(curves: dict[float, dict[str, Any]], steps: dict[float, dict[str, Any]], out: Path) -> None:
    """Draw residuals over pulses, pulses needed over the step size, and the spread that stays."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False, "font.size": 9})
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(12, 3.7), layout="constrained")
    for colour, (c2c, curve) in zip(("#2563eb", "#ea7317"), curves.items(), strict=True):
        for column, style, name in ((0, "-", "mean"), (1, "--", "spread")):
            label = f"{name}, cycle noise {100 * c2c:.0f} %"
            theory, measured = (np.abs(np.array(curve[key]))[:, column] for key in ("expected", "measured"))
            left.plot(curve["pulses"], theory, style, color=colour, lw=1.2, label=label)
            left.plot(curve["pulses"], measured, "o" if column == 0 else "s", color=colour, ms=4, mfc="none")
    left.set(xscale="log", yscale="log", xlabel="alternating pulses", ylabel="reference - symmetry point (abs)")
    left.set_title("2000 states: marks measured, lines theory", fontsize=9)
    left.legend(fontsize=7, frameon=False)
    for colour, (d2d, found) in zip(("#2563eb", "#16a34a"), steps.items(), strict=True):
        devices = f"{100 * d2d:.0f} % spreads" if d2d else "all devices alike"
        for axes, key, mark in ((middle, "pulses", "o"), (right, "spread", "s")):
            axes.plot(found["dw_min"], found[f"expected_{key}"], color=colour, lw=1.2, label=devices)
            axes.plot(found["dw_min"], found[key], mark, color=colour, ms=4, mfc="none")
    right.plot(STEPS, STEPS, ":", color="0.5", lw=1, label="one step")
    for axes, title, what in (
        (middle, f"until the mean is found to {100 * GOAL:g} %", "pulses"),
        (right, f"what stays after {LONG}/dw_min pulses, cycle noise {100 * NOISE[0]:.0f} %", "spread"),
    ):
        axes.set(xscale="log", yscale="log", xlabel="dw_min", ylabel=what)
        axes.set_title(title, fontsize=9)
        axes.legend(fontsize=7, frameon=False)
    with replacing(out) as temporary:
        figure.savefig(temporary, dpi=140, format="png", metadata={"Software": None})


def main() -> None:
    """Measure, print the tables and draw them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("docs/images/zero-shift.png"))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    curves = {c2c: over_pulses(options.size, c2c) for c2c in NOISE}
    for c2c, curve in curves.items():
        print(f"cycle noise {c2c:g}, dw_min 0.001, mean symmetry point {curve['point']:.4f}: mean and spread")
        for pulses, measured, expected in zip(PULSES, curve["measured"], curve["expected"], strict=True):
            both = "   ".join(f"{m:+.5f} (theory {e:+.5f})" for m, e in zip(measured, expected, strict=True))
            print(f"  {pulses:6d} pulses  {both}")
    steps = {d2d: over_steps(NOISE[0], d2d) for d2d in SPREADS}
    for d2d, found in steps.items():
        for k, dw in enumerate(STEPS):
            pulses, expected_pulses, spread, expected_spread = (found[key][k] for key in KEYS)
            print(
                f"spreads {d2d:.1f}, dw_min {dw:7.0e}  {pulses:8.0f} pulses (theory {expected_pulses:8.0f})   "
                f"spread {spread:.5f} (theory {expected_spread:.5f})"
            )
    draw(curves, steps, options.out)
    if options.json:
        options.json.write_text(json.dumps({"over_pulses": curves, "over_steps": steps}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
