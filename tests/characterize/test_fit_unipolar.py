"""Fits of pulses up alone: unipolar laws, whose weights begin at 0, and what is said where they do not fit."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from mho.characterize.fitting import fit_devices
from mho.characterize.fitting.read import Measurements
from mho.characterize.fitting.synthetic import measure, ramps
from mho.config import dump_device, load_device
from mho.devices import SoftBounds, Spread, UnipolarSoftBounds
from mho.errors import ConfigError
from mho.report.fitting import FitReport
from mho.report.fitting_figures import population_figure
from mho.report.fitting_numbers import failed_rows, parameter_rows
from mho.units import Window

WINDOW = Window(2e-6, 22e-6)
TRUE = UnipolarSoftBounds(dw_min=Spread(0.03, d2d=0.2), w_max=Spread(1.1, d2d=0.1), c2c=0.3, window=WINDOW)
UP = np.ones(100, np.int8)


def resets(cycles: int, devices: int) -> Measurements:
    """Return devices that are pulsed up and reset, again and again; every run is a cycle with its own numbers."""
    one = measure(TRUE, UP, devices=devices, read_noise=2e-7).measurements()
    rows = len(UP) + 1
    runs = [measure(TRUE, UP, devices=devices, read_noise=2e-7).siemens for _ in range(cycles)]
    siemens = np.concatenate(runs, axis=1).reshape(-1)
    count = devices * cycles
    return dataclasses.replace(
        one, first=np.arange(devices + 1) * cycles * rows, cycle=np.tile(np.repeat(np.arange(cycles), rows), devices),
        pulse=np.tile(np.arange(rows), count), direction=np.tile(np.append(0, UP), count), siemens=siemens,
        line=np.arange(count * rows) + 2,
    )  # fmt: skip


def test_pulses_up_alone_make_a_unipolar_device_with_its_numbers(tmp_path: Path) -> None:
    found = fit_devices(measure(TRUE, UP, devices=60, read_noise=2e-7).measurements(), window=WINDOW)
    device = found.device
    assert found.law == "unipolar-soft-bounds"
    assert device.window == Window(2e-6, 22e-6, from_zero=True)
    assert device.dw_min.mean == pytest.approx(0.03, rel=0.08)
    assert device.w_max.mean == pytest.approx(1.1, rel=0.04)
    assert device.w_max.d2d == pytest.approx(0.1, rel=0.35)
    assert device.c2c == pytest.approx(0.3, rel=0.2)
    assert found.read_noise * device.window.per_weight == pytest.approx(2e-7, rel=0.1)
    (tmp_path / "device.toml").write_text(dump_device(device))
    assert load_device(tmp_path / "device.toml") == device
    (bipolar,) = (names for names, why in failed_rows(found) if "pulses down are not among the measurements" in why)
    assert {"soft-bounds", "one-sided", "capacitor"} <= set(bipolar.split(", "))
    rows = {row[0]: row for row in parameter_rows(found)[1]}
    assert "symmetry point" not in rows
    assert float(rows["w_max"][-1].split()[0]) == pytest.approx(24, rel=0.04)  # 2 + 1.1 x 20, in uS


def test_runs_between_resets_are_fitted_together_and_drawn(tmp_path: Path) -> None:
    found = fit_devices(resets(3, 20), "unipolar-soft-bounds", window=WINDOW)
    assert "restarts" in " ".join(found.notes)
    assert found.device.dw_min.mean == pytest.approx(0.03, rel=0.12)
    rows = len(UP) + 1
    trace = found.prepared.window.to_siemens(found.trace[: 3 * rows]).reshape(3, rows)
    assert (trace[:, 0] < 3e-6).all()
    assert (trace[:, -1] > 18e-6).all()
    traces = population_figure(found).traces
    middle = np.array(next(t for t in traces if t.get("name") == "drawn from the fit")["y"], float)
    assert (np.diff(middle) < -10).sum() == 2  # two resets, in uS
    assert FitReport(found).save(tmp_path)


def test_a_unipolar_law_is_refused_where_there_are_pulses_down() -> None:
    data = measure(SoftBounds(dw_min=0.03, window=WINDOW), ramps(40, 40, 1), devices=6, read_noise=1e-7).measurements()
    with pytest.raises(ConfigError, match=r"unipolar-jump, which is unipolar.*pulses down.*one-sided is a pair"):
        fit_devices(data, "unipolar-jump")


def test_a_law_with_steps_down_that_is_named_is_fitted_to_pulses_up() -> None:
    data = measure(SoftBounds(dw_min=0.03, window=WINDOW), UP, devices=6, read_noise=1e-7).measurements()
    found = fit_devices(data, "soft-bounds")
    assert found.law == "soft-bounds"
    assert not found.prepared.window.from_zero


def test_other_measurements_leave_unipolar_laws_out_with_one_reason() -> None:
    from mho.characterize.fitting.choose import _candidates, _refused

    refused = _refused(_candidates(None), "a.csv", False, named=False)
    assert set(refused) == {"unipolar-soft-bounds", "unipolar-jump", "unipolar-phase-change"}
    assert len(set(refused.values())) == 1
