"""Every law fitted to measured devices, ranked, and the best one turned into a device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mho.characterize.fitting.freerun import free_run
from mho.characterize.fitting.lawfit import Fitter, LawFit, guesses
from mho.characterize.fitting.mapped import FIXED, MappedStep, as_tables, at_unit_scale, mapped
from mho.characterize.fitting.ranking import CONTENDERS, SCREEN, Progress, Ranked, in_full, ranked
from mho.characterize.fitting.read import Measurements
from mho.characterize.fitting.records import Prepared, listed, prepare
from mho.characterize.fitting.shared import Shared, shared_by_all
from mho.characterize.fitting.spreads import Spreads, spreads
from mho.config.laws import laws
from mho.devices.base import Device
from mho.devices.spread import numbers
from mho.devices.tabular import TabularStep
from mho.errors import ConfigError, DataError, MhoError
from mho.kernels.trace import START
from mho.units import Window

FAR_OFF, LOST = 5.0, 0.2
"""A reading this many standard deviations off is an outlier; a device with this share of them is not described."""
DRIFT_ERRORS = 4.0
FEW = 5
LOOSE = 0.5
"""Share of the prior's width that the error of a parameter has when the readings do not determine it."""


@dataclass(frozen=True, eq=False)
class Fit:
    """Measured devices as a law with spreads: `device` is what `mho train` takes.

    ranking: all laws, the best first. law: that of the device. shared: {field: (value, its error, standard deviation
    between devices)} of its plain numbers, c2c among them. outliers: (readings of records,) bool. predicted: (readings,
    2) state and variance predicted for each reading. trace: (readings,) noise-free response of each device. notes,
    left_out: what was done to the measurements, and which devices do not count, with the reason.
    """

    measurements: Measurements
    prepared: Prepared
    law: str
    ranking: tuple[Ranked, ...]
    fit: LawFit
    spreads: Spreads
    shared: Shared
    predicted: np.ndarray
    outliers: np.ndarray
    trace: np.ndarray
    notes: tuple[str, ...]
    left_out: dict[str, str]

    @property
    def device(self) -> Device:
        """Return the fitted device."""
        device = self.spreads.device
        return as_tables(device) if isinstance(device, MappedStep) else device

    @property
    def read_noise(self) -> float:
        """Return the standard deviation of a reading of the middle device, in weight units."""
        return float(np.median(self.fit.read_noise))


def fit_devices(
    measurements: Measurements,
    law: str | Device | None = None,
    *,
    window: Window | None = None,
    progress: Progress | None = None,
    seed: int = 0,
) -> Fit:
    """Return the law that describes measured devices best, with the spreads and correlations of its parameters.

    Unipolar laws are fitted to measurements of pulses up alone, and no others are, unless one is named.
    law: fit this one only: the name of a law, or a device whose own fields are the starts (a user's class, too).
    window: what w = -1 and w = +1 are in siemens (of unipolar devices, w = 0 and w = 1); without it, the lowest and
    highest conductance of the middle device.
    Raises DataError when no device can be fitted, ConfigError or LawError when no law can be.
    """
    tell = progress or (lambda what, done, total: None)
    tell("preparing", 0, 1)
    devices, prepared = _candidates(law), prepare(measurements, window)
    refused = _refused(devices, measurements.path, prepared.only_up, named=law is not None)
    devices = {name: device for name, device in devices.items() if name not in refused}
    if any(device.unipolar for device in devices.values()):
        prepared = prepared.from_zero()
    fitters, failed = _fitters(devices, prepared, seed)
    failed |= refused
    few = np.unique(np.linspace(0, len(prepared) - 1, SCREEN).round().astype(int))
    fits: dict[str, LawFit] = {}
    for k, (name, fitter) in enumerate(fitters.items()):
        tell(f"law {name}", k, len(fitters) + 3 * CONTENDERS + 2)
        try:
            fits[name] = fitter.fit(few, fitter.start())
        except MhoError as error:
            failed[name] = str(error)
    failed |= {name: LOSES for name, fit in fits.items() if not np.isfinite(fit.minimum.loss).all()}
    fits = {name: fit for name, fit in fits.items() if name not in failed}
    if not fits:
        reasons = "; ".join(f"{name}: {why}" for name, why in failed.items())
        raise ConfigError(f"no law can be fitted to {measurements.path}. {reasons}")
    rows = in_full(fitters, fits, ranked(fitters, fits), tell)
    best = rows[0].name
    tell(f"law {best}: spreads", len(fitters) + 3 * CONTENDERS, len(fitters) + 3 * CONTENDERS + 2)
    rows += [Ranked(name, failed=why) for name, why in failed.items()]
    return _finished(measurements, prepared, rows, fitters[best], fits[best])


LOSES = "its likelihood is not finite on these readings"


def _candidates(law: str | Device | None) -> dict[str, Device]:
    if isinstance(law, Device):
        return {type(law).__name__: law}
    if law is not None:
        from mho.config.device_named import device_named

        return {law: device_named(law)}
    return {name: kind() for name, kind in laws().items()}


def _refused(devices: Mapping[str, Device], path: str, only_up: bool, *, named: bool) -> dict[str, str]:
    """Return by name why laws do not fit the directions of the pulses; raise ConfigError for one that was named."""
    if not only_up:
        text = "is unipolar: pulses can only raise it, and there are pulses down among the measurements"
        found = {name: text for name, device in devices.items() if device.unipolar}
        if found and named:
            name, why = next(iter(found.items()))
            raise ConfigError(
                f"{path} was to be fitted with {name}, which {why}. Give the pulses up alone, every run of them from "
                "its reset in a cycle of its own, or a law that pulses lower: one-sided is a pair of such devices"
            )
        return found
    if named:
        return {}
    why = "its pulses down are not among the measurements; named by --law, it is fitted to pulses up"
    return {name: why for name, device in devices.items() if not device.unipolar}


def _fitters(devices: Mapping[str, Device], prepared: Prepared, seed: int) -> tuple[dict[str, Fitter], dict[str, str]]:
    """Return the laws that may be fitted, and why others cannot."""
    found, failed = {}, {}
    for name, device in devices.items():
        if isinstance(device, TabularStep) and len(devices) == 1:
            for one, way in mapped(device, guesses(prepared)["dw_min"]).items():
                found[one] = Fitter(one, way, prepared, seed=seed, fixed=FIXED)
            continue
        if device._tables():
            failed[name] = "takes a measured table instead of parameters; a map is fitted by --law tabular-step only"
            continue
        try:
            found[name] = Fitter(name, device, prepared, seed=seed)
        except MhoError as error:
            failed[name] = str(error)
    return found, failed


def _finished(measurements: Measurements, prepared: Prepared, rows: list[Ranked], fitter: Fitter, fit: LawFit) -> Fit:
    """Return the whole answer of the best law: its plain numbers shared by all devices, spreads, what is left out."""
    left_out = dict(prepared.left_out)
    described, reasons = _described(fitter, fit)
    left_out |= reasons
    if not described.any():
        raise DataError(f"{measurements.path}: the law {fit.name} describes no device: {next(iter(reasons.values()))}")
    shared, held, final = shared_by_all(fitter, fit, described)
    found = _population(held, final, shared)
    if isinstance(found.device, MappedStep):
        held, final, shared = at_unit_scale(held, final, shared, float(numbers(found.device.scale.mean)[0]))
        found = _population(held, final, shared)
    trail = held.trail(final)
    z = np.abs(predicted_errors(prepared, final, trail)) / np.sqrt(np.maximum(trail[:, 1], 1e-20))
    outliers = np.nan_to_num(z, nan=0.0) > FAR_OFF
    trace = free_run(held, final)
    notes = [
        *prepared.notes,
        *_drift_notes(prepared, final),
        *_outlier_note(prepared, final, outliers),
        *_loose_note(final),
    ]
    if len(final.devices) < FEW:
        notes.append(f"few devices: spreads and correlations of {len(final.devices)} devices are hardly known")
    return Fit(
        measurements,
        prepared,
        fit.name,
        tuple(rows),
        final,
        found,
        shared,
        trail,
        outliers,
        trace,
        tuple(notes),
        left_out,
    )


def _population(held: Fitter, fit: LawFit, shared: Shared) -> Spreads:
    values = {name: value for name, (value, _, _) in shared.items()}
    return spreads(fit, held.parameters.device, held.prepared.window, values)


def predicted_errors(prepared: Prepared, fit: LawFit, trail: np.ndarray) -> np.ndarray:
    """Return readings minus predictions; NaN at starts, where readings are absent, and of devices without a fit."""
    records = prepared.records
    errors = np.full(len(records.readings), np.nan)
    for d, drift in zip(fit.devices, fit.drift, strict=True):
        rows = slice(records.begins[d], records.ends[d])
        age = np.arange(records.ends[d] - records.begins[d]) / (records.ends[d] - records.begins[d])
        errors[rows] = records.readings[rows] - drift * age - trail[rows, 0]
    return np.where(records.kinds == START, np.nan, errors)


def _described(fitter: Fitter, fit: LawFit) -> tuple[np.ndarray, dict[str, str]]:
    """Return which devices the law describes, and by name why it does not describe the others."""
    trail = fitter.trail(fit)
    z = np.abs(predicted_errors(fitter.prepared, fit, trail)) / np.sqrt(np.maximum(trail[:, 1], 1e-20))
    good, reasons = np.ones(len(fit.devices), bool), {}
    noise = np.log(fit.read_noise)
    middle, width = np.median(noise), 1.4826 * np.median(np.abs(noise - np.median(noise))) + 0.1
    for k, d in enumerate(fit.devices):
        rows = slice(fitter.prepared.records.begins[d], fitter.prepared.records.ends[d])
        own = z[rows][np.isfinite(z[rows])]
        name = fitter.prepared.names[d]
        if not np.isfinite(fit.minimum.loss[k]) or not len(own):
            reasons[name] = "the law gives no finite likelihood for its readings"
        elif (own > FAR_OFF).mean() > LOST:
            reasons[name] = f"{100 * (own > FAR_OFF).mean():.0f} % of its readings lie far off what {fit.name} predicts"
        elif noise[k] > middle + 8 * width and len(fit.devices) > 10:
            reasons[name] = (
                f"{fit.name} describes it badly: its readings scatter {np.exp(noise[k] - middle):.1f} times as much as "
                "those of other devices"
            )
        good[k] = name not in reasons
    return good, reasons


def _drift_notes(prepared: Prepared, fit: LawFit) -> list[str]:
    error = np.sqrt(np.einsum("npp->np", fit.covariance())[:, -1])
    sure = prepared.drifting[fit.devices] & (np.abs(fit.drift) > DRIFT_ERRORS * error)
    unit = prepared.window.per_weight
    shown = [f"{prepared.names[fit.devices[k]]} ({fit.drift[k] * unit * 1e6:+.3g} uS)" for k in np.flatnonzero(sure)]
    if not shown:
        return []
    return [f"drifting baseline: {listed(shown)} over the record; a straight line was removed, together with the fit"]


def _loose_note(fit: LawFit) -> list[str]:
    """Say which parameters the readings leave where they were: their errors are those of the prior."""
    p = fit.parameters
    share = np.median(np.sqrt(np.einsum("npp->np", fit.covariance()))[:, :-2] / fit.width[:, :-2], axis=0)
    loose = [name for k, name in enumerate(p.names) if share[k] > LOOSE and not p.shared[k]]
    if not loose:
        return []
    return [
        f"not determined: {', '.join(loose)} of {fit.name} hardly change what was measured: they are guesses. Pulses "
        "that reach further, or a law with fewer parameters, would help"
    ]


def _outlier_note(prepared: Prepared, fit: LawFit, outliers: np.ndarray) -> list[str]:
    if not outliers.any():
        return []
    records = prepared.records
    where = [d for d in fit.devices if outliers[records.begins[d] : records.ends[d]].any()]
    return [
        f"outliers: {int(outliers.sum())} of {int(np.isfinite(records.readings).sum())} readings in "
        f"{listed([prepared.names[d] for d in where])} lie over {FAR_OFF:g} standard deviations off: they hardly count"
    ]
