"""A map of steps over the state, fitted to devices that step in a way of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mho.characterize.fitting import Fit, fit_devices
from mho.characterize.fitting.lawfit import Fitter
from mho.characterize.fitting.mapped import FIXED, NODES, as_tables, at_unit_scale, mapped
from mho.characterize.fitting.records import prepare
from mho.characterize.fitting.synthetic import measure, ramps
from mho.config import dump_device, load_device
from mho.devices import Spread, TabularStep
from mho.devices.base import MeanDraw, law_arguments, taken
from mho.units import Window

WINDOW = Window(5e-6, 55e-6)
# The steps up have a bump in the middle, steps down a dip; the noise up falls with the state and does not follow them.
BUMP = TabularStep(
    up_mean=(0.030, 0.012, 0.014, 0.050, 0.022, 0.012, 0.008),
    down_mean=(0.008, 0.030, 0.014, 0.012, 0.020, 0.030, 0.040),
    up_std=(0.009, 0.008, 0.007, 0.006, 0.005, 0.004, 0.003),
    down_std=(0.003, 0.0045, 0.006, 0.0075, 0.009, 0.0105, 0.012),
    scale=Spread(1.0, d2d=0.2), w_max=Spread(1.0, d2d=0.1), w_min=Spread(-1.0, d2d=0.1), window=WINDOW,
)  # fmt: skip
DEVICES, READ = 40, 0.3e-6


@pytest.fixture(scope="module")
def fitted() -> Fit:
    data = measure(BUMP, ramps(100, 100, 3), devices=DEVICES, read_noise=READ, seed=0).measurements()
    return fit_devices(data, "tabular-step", window=WINDOW)


def test_the_map_is_found_within_its_errors(fitted: Fit) -> None:
    assert isinstance(fitted.device, TabularStep)
    device: Any = fitted.device
    middle, z = device.up_mean[3], {}
    for name, (value, error, _) in fitted.shared.items():
        way, what, node = name.split("_")
        true = getattr(BUMP, f"{way}_{what}")[int(node) * (1 if what == "mean" else 3)]
        z[name] = (value / middle - true / 0.05) / (error / middle)
    assert len(z) == 2 * NODES - 1 + 6
    # Of 10 seeds z had a mean square of 1.05^2. 4.5 stated errors each, two-sided: 1.9e-5 by chance for a deviation of
    # 1.05, 4e-4 for all 19.
    assert max(np.abs(list(z.values()))) < 4.5, z
    assert fitted.law == "tabular-step, noise by state"  # one relative noise would be wrong here
    assert abs(fitted.read_noise - READ / 25e-6) < 0.05 * READ / 25e-6


def test_spreads_of_scale_and_bounds_are_found(fitted: Fit) -> None:
    assert isinstance(fitted.device, TabularStep)
    device: Any = fitted.device
    assert device.scale.mean == pytest.approx(1, abs=1e-3)  # by choice: the factor is in the tables
    # Standard errors as in test_fit_devices: 4.5 of them, 7e-6 by chance for each.
    assert abs(device.up_mean[3] / 0.05 - 1) < 4.5 * 0.2 / np.sqrt(DEVICES)
    for found, mean, spread in ((device.scale, 1.0, 0.2), (device.w_max, 1.0, 0.1), (device.w_min, -1.0, 0.1)):
        assert abs(found.mean - mean) < 4.5 * spread / np.sqrt(DEVICES)
        assert abs(found.d2d - spread) < 4.5 * spread / np.sqrt(2 * DEVICES)


def test_no_law_with_parameters_predicts_as_well(fitted: Fit) -> None:
    other = fit_devices(fitted.measurements, "linear-step", window=WINDOW)
    assert other.ranking[0].bic > fitted.ranking[0].bic + 100 * DEVICES
    assert other.ranking[0].r2 < fitted.ranking[0].r2 - 0.005


def test_a_network_trains_on_the_device_as_written(fitted: Fit, tmp_path: Path) -> None:
    (tmp_path / "device.toml").write_text(dump_device(fitted.device), encoding="utf-8")
    assert load_device(tmp_path / "device.toml") == fitted.device
    words = ["train", "--set", "device=device.toml", "--data", "digits", "--epochs", "1", "--plain", "--out", "run"]
    done = subprocess.run(
        [sys.executable, "-m", "mho", *words], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("test accuracy")


def test_one_noise_for_all_steps_where_it_is_relative() -> None:
    steps = {way: getattr(BUMP, f"{way}_mean") for way in ("up", "down")}
    stds: dict[str, Any] = {f"{way}_std": tuple(0.3 * v for v in mean) for way, mean in steps.items()}
    device = TabularStep(
        up_mean=steps["up"], down_mean=steps["down"], scale=BUMP.scale, w_max=BUMP.w_max, w_min=BUMP.w_min,
        window=WINDOW, **stds,
    )  # fmt: skip
    data = measure(device, ramps(100, 100, 3), devices=20, read_noise=READ, seed=1).measurements()
    found = fit_devices(data, "tabular-step", window=WINDOW)
    assert found.law == "tabular-step"
    value, error, _ = found.shared["std_per_mean"]
    assert abs(value - 0.3) < 4.5 * error  # 7e-6 by chance
    got: Any = found.device
    np.testing.assert_allclose(np.divide(got.up_std, got.up_mean), value, rtol=1e-3)


@pytest.mark.parametrize("name", ["tabular-step", "tabular-step, noise by state"])
@pytest.mark.parametrize("up", [True, False])
def test_the_law_is_that_of_the_tables(name: str, up: bool) -> None:
    device = mapped(BUMP, 0.05)[name]
    tables = as_tables(device)
    w, xi = np.linspace(-1.2, 1.2, 49), np.linspace(-2, 2, 49)
    found = []
    for d in (device, tables):
        drawn = d.cells(MeanDraw())
        cells = [taken(drawn[n], 1, n) for n in law_arguments(type(d))]
        flat = [c if c.ndim == 2 and c.shape[1] > 1 else c.reshape(-1)[:1] for c in cells]
        found.append(np.asarray(type(d).pulse(w[None], np.full((1, 49), up), xi[None], *flat)))
    np.testing.assert_allclose(found[0], found[1], atol=2e-6)


def test_moving_the_scale_into_the_nodes_changes_no_step() -> None:
    data = measure(BUMP, ramps(50, 50, 1), devices=3, read_noise=READ, seed=1).measurements()
    fitter = Fitter("map", mapped(BUMP, 0.03)["tabular-step"], prepare(data, WINDOW), fixed=FIXED)
    fit = fitter.fit(np.arange(3), fitter.start(), walls=False)
    moved, other, shared = at_unit_scale(fitter, fit, {"down_mean_1": (0.01, 0.001, 0.002)}, 1.7)
    assert shared["down_mean_1"] == pytest.approx((0.017, 0.0017, 0.0034))
    np.testing.assert_allclose(other.values[:, other.parameters.names.index("scale")] * 1.7, fit.values[:, -3])
    np.testing.assert_allclose(
        moved.filtered(other.devices, other.minimum.at).loss, fit.minimum.loss, rtol=1e-4, atol=0.02
    )
