"""Responses of the built-in devices to pulses equal those of an independent simulator.

Its parameters are converted by the catalogue's own helpers, so these tests hold the helpers, too. Power steps,
one-sided pairs and the phase-change pair have no figures there: test_laws.py holds them to their formulas.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from mho.devices import ConstantStep, ExpStep, LinearStep, SoftBounds, SoftBoundsReference, Spread
from mho.devices.base import MeanDraw, law_arguments
from mho.devices.catalogue import bounds, device, kit_steps
from mho.kernels import cpu
from mho.kernels.cells import PURPOSES, Cells, Samples, Scheme
from mho.random import make_key
from mho.tiles.draw import TileDraw

FALSE_ALARM = 1e-4
"""Of one comparison of one device, over all its points (Bonferroni)."""
KIT = json.loads((Path(__file__).parents[1] / "data" / "device_response.json").read_text())["devices"]


def converted(name, *, spread):
    """Return mho's device of the simulator's parameters; without `spread` all devices and pulses are alike."""
    p = dict(KIT[name]["parameters"])
    if not spread:
        p |= {k: 0.0 for k in p if k.endswith("_dtod") or k in ("dw_min_std", "reference_std")}
    fields = kit_steps(p["dw_min"], p["dw_min_dtod"], p["up_down"], p["up_down_dtod"])
    fields |= bounds(p["w_max"], p["w_min"], p["w_max_dtod"], p["w_min_dtod"]) | {"c2c": p["dw_min_std"]}
    if "A_up" in p:
        return ExpStep(**fields, **{k: p[k] for k in ("A_up", "A_down", "gamma_up", "gamma_down", "a", "b")})
    if "reference_mean" in p:
        slopes = {f"slope_{way}": Spread(1.0, d2d=p[f"slope_{way}_dtod"]) for way in ("up", "down")}
        reference = Spread(p["reference_mean"], std=p["reference_std"])
        return SoftBoundsReference(**fields, **slopes, reference=reference, additive=not p["mult_noise"])
    if "gamma_up" in p:
        gammas = {f"gamma_{way}": Spread(p[f"gamma_{way}"], std=p[f"gamma_{way}_dtod"]) for way in ("up", "down")}
        noise = {"additive": not p["mult_noise"], "mean_bounds": p["mean_bound_reference"]}
        return LinearStep(**fields, **gammas, **noise)
    return SoftBounds(**fields) if name.startswith("SoftBounds") else ConstantStep(**fields)


class Bench:
    """A square array of devices that is pulsed as a whole: every update is one pulse on every device."""

    def __init__(self, device, side, draw):
        self.side, shape = side, (1, 1, side, side)
        arrays = device.cells(draw)
        self.arrays = {k: np.broadcast_to(np.asarray(v, np.float32), shape).copy() for k, v in arrays.items()}
        parameters = {n: torch.from_numpy(self.arrays[n]) for n in law_arguments(type(device))}
        self.cells = Cells(type(device), torch.zeros(shape), parameters, torch.zeros(1, dtype=torch.int64))
        keys = np.array([[make_key(1, 0, "bench", p) for p in PURPOSES]], np.uint32)
        self.keys, self.step = torch.from_numpy(keys.view(np.int32)), 0

    def start(self):
        """Set every device to its own lower bound, as the simulator does: it forgets the reference in its clipping."""
        self.w[:] = np.maximum(self.arrays["bottom"], self.device_bound("bottom")).reshape(-1)

    def device_bound(self, name):
        """Return a bound of the devices themselves, before the reference is subtracted."""
        return self.arrays[name] + self.arrays.get("reference", np.float32(0))

    @property
    def w(self):
        return self.cells.state.numpy().reshape(-1)

    def pulse(self, *, up):
        one = torch.ones(1, 1, self.side)
        samples = Samples(one, -one if up else one, torch.full((1,), 1e9), self.keys, self.step)
        cpu.pulse_update_(self.cells, samples, Scheme(bl=1), cpu.rates(samples, Scheme(bl=1)), None)
        self.step += 1

    def sweep(self, n, *, up, at):
        """Pulse n times, and yield the states after the numbers of pulses in `at`."""
        for k in range(n + 1):
            if k in at:
                yield self.w.copy()
            if k < n:
                self.pulse(up=up)


@pytest.mark.parametrize("name", KIT)
def test_curves_without_spread_are_equal(name):
    kit = KIT[name]
    bench = Bench(converted(name, spread=False), 2, MeanDraw())
    bench.start()
    # Each of up to N additions rounds by half a unit in the last place of a weight below 2: 1.2e-7 a pulse at
    # the most if all went one way; they do not, but in a constant step they repeat.
    tolerance = 6e-8 * kit["N"]
    for direction in ("up", "down"):
        curve = [w[0] for w in bench.sweep(kit["N"], up=direction == "up", at=kit["pulses"])]
        np.testing.assert_allclose(curve, kit["no_spread"][f"w_{direction}"], rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", KIT)
def test_single_steps_without_spread_are_equal(name):
    kit, alike = KIT[name]["no_spread"], converted(name, spread=False)
    grid = np.array(kit["grid_w"], np.float32)
    for direction in ("up", "down"):
        bench = Bench(alike, 8, MeanDraw())
        bench.w[: grid.size] = grid
        bench.pulse(up=direction == "up")
        np.testing.assert_allclose(bench.w[: grid.size] - grid, kit[f"dw_{direction}"], rtol=0, atol=1.3e-7)


SPREAD = [name for name, kit in KIT.items() if "spread" in kit]


def check_moments(name, what, values, kit, *, shift=0.0):
    """Fail when mean or spread of rows of device values differ from the simulator's by chance too rarely.

    `shift`: what the simulator's mean may be off by, because its normals come from one fixed table.
    """
    values, mean, std = np.asarray(values, np.float64), np.array(kit["mean"]), np.array(kit["std"])
    n = values.shape[1]
    se_mean = np.hypot(kit.get("se_mean", std / np.sqrt(n)), values.std(1) / np.sqrt(n))
    own = np.sqrt(((values - values.mean(1, keepdims=True)) ** 4).mean(1) - values.var(1) ** 2)
    own = own / (2 * values.std(1) * np.sqrt(n))
    se_std = np.hypot(kit.get("se_std", own), own)
    limit = stats.norm.isf(FALSE_ALARM / mean.size / 2)
    z_mean = (np.abs(values.mean(1) - mean) - shift) / se_mean
    z_std = np.abs(values.std(1) - std) / se_std
    assert np.max(z_mean) < limit, f"{name}, {what}: mean is off by {np.max(z_mean):.1f} standard errors"
    assert np.max(z_std) < limit, f"{name}, {what}: spread is off by {np.max(z_std):.1f} standard errors"


@pytest.fixture(scope="module")
def benches():
    """Return, for each device with spread, an array as large as the simulator's."""
    return {n: Bench(converted(n, spread=True), 128, TileDraw(3, (0,), n, (1, 128, 128))) for n in SPREAD}


def steps_of(bench):
    """Return step sizes at w = 0 of the device itself, up and down, of every device."""
    a = bench.arrays
    if "a_up" in a:
        return a["a_up"], a["a_down"]
    return a["rate_up"] * bench.device_bound("top"), -a["rate_down"] * bench.device_bound("bottom")


@pytest.mark.parametrize("name", SPREAD)
def test_drawn_parameters_have_the_simulators_spread(name, benches):
    hidden, bench = KIT[name]["spread"]["hidden_parameters"], benches[name]
    up, down = steps_of(bench)
    values = {
        "max_bound": bench.device_bound("top"),
        "min_bound": bench.device_bound("bottom"),
        "dwmin_up": up,
        "dwmin_down": down,
        "reference": bench.arrays.get("reference"),
        "slope_up": -up * bench.arrays.get("slope_up", 0),
        "slope_down": -down * bench.arrays.get("slope_down", 0),
    }
    for key in hidden:
        array = values[key]
        if key.startswith("slope") and key not in bench.arrays:
            continue  # soft bounds: bound and step give it
        kit = {k: np.array([v]) for k, v in hidden[key].items()}
        check_moments(name, key, array.reshape(1, -1), kit)


@pytest.mark.parametrize("name", SPREAD)
def test_curves_with_spread_have_the_simulators_mean_and_spread(name, benches):
    kit, bench = KIT[name], benches[name]
    bench.start()
    for direction in ("up", "down"):
        kept = list(bench.sweep(kit["N"], up=direction == "up", at=kit["pulses"]))
        moved = np.abs(np.mean(kept, 1) - np.mean(kept[0]))
        shift = 0.005 * kit["parameters"]["dw_min_std"] * (moved + (direction == "down") * 0.5)
        check_moments(name, direction, kept, kit["spread"]["weight"][direction], shift=shift)


@pytest.mark.parametrize("name", [n for n in SPREAD if "single_step" in KIT[n]["spread"]])
def test_single_steps_have_the_simulators_mean_and_spread(name, benches):
    """The spread over devices and over cycles together, of one step from a uniformly random state."""
    kit, bench = KIT[name]["spread"]["single_step"], benches[name]
    edges = np.array(kit["bin_edges"])
    top, bottom = bench.arrays["top"].reshape(-1), bench.arrays["bottom"].reshape(-1)
    for direction in ("up", "down"):
        n, total, squares = (np.zeros(len(edges) - 1) for _ in range(3))
        for repeat in range(8):
            start = np.random.default_rng(repeat).uniform(edges[0], edges[-1], bench.w.size).astype(np.float32)
            bench.w[:] = start
            bench.pulse(up=direction == "up")
            inside = (start < top) & (start > bottom)
            step, at = (bench.w - start)[inside].astype(float), np.digitize(start[inside], edges[1:-1])
            n += np.bincount(at, minlength=n.size)
            total += np.bincount(at, step, n.size)
            squares += np.bincount(at, step**2, n.size)
        mean, std = total / n, np.sqrt(squares / n - (total / n) ** 2)
        limit = stats.norm.isf(FALSE_ALARM / n.size / 2)
        shift = 0.005 * KIT[name]["parameters"]["dw_min_std"] * np.abs(mean)
        theirs = {k: np.array(kit[direction][k]) for k in ("mean", "std", "se_mean", "se_std")}
        # Both sides' devices repeat in several bins and repeats, so their errors are those of 16,384 devices.
        assert ((np.abs(mean - theirs["mean"]) - shift) / (2**0.5 * theirs["se_mean"])).max() < limit
        assert (np.abs(std - theirs["std"]) / (2**0.5 * theirs["se_std"])).max() < limit


def test_the_comparison_sees_a_spread_that_is_5_percent_too_large(benches):
    name = "ConstantStep"
    kit = {k: np.array([v]) for k, v in KIT[name]["spread"]["hidden_parameters"]["max_bound"].items()}
    top = benches[name].arrays["top"].reshape(1, -1)
    check_moments(name, "max_bound", top, kit)
    with pytest.raises(AssertionError, match="spread"):
        check_moments(name, "max_bound", top.mean() + 1.05 * (top - top.mean()), kit)
    with pytest.raises(AssertionError, match="mean"):
        check_moments(name, "max_bound", top * 1.02, kit)


def test_the_symmetry_point_of_the_exponential_step_is_where_the_simulators_alternating_pulses_end():
    kit = KIT["ReRamES preset"]["alternating"]
    low, high = kit["after_down"], kit["after_up"]  # one step apart, about the point
    found = converted("ReRamES preset", spread=False).symmetry_point()
    assert low < found < high
    assert found == pytest.approx((low + high) / 2, abs=0.3 * (high - low))


def test_write_noise_is_as_large_as_the_simulators():
    kit, reram = KIT["ReRamES preset"]["write_noise"], device("reram-es")
    std = reram.write_noise * reram.granularity()[0]
    assert std == pytest.approx(75 * 0.00135, rel=1e-6)
    assert abs(std - kit["std"]) < stats.norm.isf(FALSE_ALARM / 2) * kit["se_std"]


PRESETS = {
    "ReRamES preset": "reram-es",
    "Capacitor preset": "aihwkit-capacitor",
    "EcRam preset": "ecram",
    "GokmenVlasov preset": "aihwkit-gokmen-vlasov",
}


@pytest.mark.parametrize(("name", "row"), PRESETS.items())
def test_rows_of_the_catalogue_are_the_simulators_presets(name, row):
    preset, published = converted(name, spread=True), device(row)
    for field in dataclasses.fields(preset):
        if field.name not in ("leak", "write_noise", "shifted"):
            assert getattr(preset, field.name) == getattr(published, field.name), field.name
