"""Measurements made ready for a fit: polarity, dead devices, gaps, drift; what is left out is said, with the reason."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mho.characterize.fitting.read import Measurements
from mho.errors import DataError
from mho.kernels.trace import DOWN, START, UP, Records
from mho.units import Window

FEWEST = 20
"""Readings that a device must have."""
RESPONDS = 5.0
"""A device responds when its stretches of pulses move it this many standard errors in (or against) their direction."""
LONGEST_GAP = 100
"""Pulses without a reading that are bridged; after more the state is taken anew from the next reading."""
REACHED = (0.05, 0.95)
"""Quantiles of the readings that count as the ends of a device's range: single readings are left aside."""
DRIFTS, DRIFT_SHARE = 5.0, 0.03
"""A baseline may drift when its turning points do: by this many standard errors, and by this share of the range."""


@dataclass(frozen=True)
class Prepared:
    """Devices that can be fitted, as weights of a common window, and what was done to them.

    drifting (devices,): whether the baseline may drift. noise (devices,): a first guess of the noise of a reading. ends
    (devices, 2): low and high weights that a device gets to. notes: what was changed, in words.
    left_out: {name: reason}. rows: (readings of `records`,) row of `Measurements`, -1 for an absent pulse.
    """

    names: tuple[str, ...]
    window: Window
    records: Records
    rows: np.ndarray
    drifting: np.ndarray
    noise: np.ndarray
    ends: np.ndarray
    notes: tuple[str, ...]
    left_out: dict[str, str]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def only_up(self) -> bool:
        """Return whether no device was pulsed down."""
        return not bool((self.records.kinds == DOWN).any())

    def from_zero(self) -> Prepared:
        """Return the same devices with weights from 0, the low end of the window, as unipolar devices have them."""
        readings = ((self.records.readings + 1) / 2).astype(np.float32)
        return replace(
            self, window=replace(self.window, from_zero=True), records=replace(self.records, readings=readings),
            noise=self.noise / 2, ends=(self.ends + 1) / 2,
        )  # fmt: skip


@dataclass
class _One:
    """One device: readings in siemens, kinds and rows, with every pulse in its place."""

    name: str
    readings: np.ndarray
    kinds: np.ndarray
    rows: np.ndarray
    restarts: int
    absent: int

    def stretches(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return direction, net change, end value and time of every stretch of pulses in one direction."""
        there = np.isfinite(self.readings)
        values, kinds, when = self.readings[there], self.kinds[there], np.flatnonzero(there)
        turn = np.flatnonzero(kinds[1:] != kinds[:-1]) + 1
        ends = np.append(turn, len(kinds)) - 1
        before = np.concatenate([[0], turn]) - 1
        long = len(kinds) > 3 * max(len(turn), 1)  # in short stretches the turning points are all there is
        smooth = _median3(values) if long else values
        good = (kinds[ends] != START) & (before >= 0)
        ends, before = ends[good], before[good]
        direction = np.where(kinds[ends] == UP, 1.0, -1.0)
        return direction, smooth[ends] - smooth[before], smooth[ends], when[ends]


def _median3(values: np.ndarray) -> np.ndarray:
    """Return the running median of three; the ends keep their values."""
    if len(values) < 3:
        return values
    middle = np.median(np.stack([values[:-2], values[1:-1], values[2:]]), axis=0)
    return np.concatenate([values[:1], middle, values[-1:]])


def prepare(measurements: Measurements, window: Window | None = None) -> Prepared:
    """Return the devices that can be fitted, as weights of a window: a given one, or that of the middle device.

    Raises DataError when there is none, with the reasons.
    """
    devices = [_expanded(measurements, d) for d in range(len(measurements))]
    left_out, flipped, kept = {}, [], []
    for one in devices:
        reason, reverse = _judge(one)
        if reason:
            left_out[one.name] = reason
            continue
        if reverse:
            flipped.append(one.name)
            one.kinds = np.where(one.kinds == START, START, UP + DOWN - one.kinds).astype(np.uint8)
        kept.append(one)
    if not kept:
        shown = "; ".join(f"{name}: {reason}" for name, reason in list(left_out.items())[:3])
        raise DataError(f"{measurements.path}: no device can be fitted. {shown}")
    window = window or _window(kept)
    drifting = np.array([_may_drift(one) for one in kept])
    return _packed(kept, window, drifting, tuple(_notes(kept, flipped)), left_out)


def _notes(kept: list[_One], flipped: list[str]) -> list[str]:
    notes = []
    if flipped:
        every = len(flipped) == len(kept) and len(kept) > 1
        notes.append(
            f"reversed polarity: pulses of +1 lower the conductance of {'every device' if every else listed(flipped)}; "
            "directions were turned around"
        )
    absent = {one.name: one.absent for one in kept if one.absent}
    if absent:
        notes.append(
            f"missing readings: {sum(absent.values())} pulses of {listed(list(absent))} have none; they are counted as "
            "pulses, in the direction of their neighbours"
        )
    restarts = {one.name: one.restarts for one in kept if one.restarts}
    if restarts:
        notes.append(
            f"restarts: the state is taken anew from a reading {sum(restarts.values())} times in "
            f"{listed(list(restarts))}: after a gap of over {LONGEST_GAP} pulses or in which the direction changed, "
            "or at a new cycle"
        )
    lengths = [int((one.kinds != START).sum()) for one in kept]
    if min(lengths) != max(lengths):
        notes.append(
            f"unequal lengths: {min(lengths)} to {max(lengths)} pulses; every device counts by its own readings"
        )
    return notes


def listed(names: list[str], most: int = 4) -> str:
    """Return names in one line: some of them where they are many."""
    shown = ", ".join(names[:most])
    rest = len(names) - most
    what = "device" if len(names) == 1 else "devices"
    return f"{what} {shown}" + (f" and {rest} more" if rest > 0 else "")


def _expanded(m: Measurements, d: int) -> _One:
    """Return a device with a row for every pulse: gaps filled, runs marked by their starts."""
    rows = np.arange(m.first[d], m.first[d + 1])
    rows = rows[_from_first_reading(m, rows)]
    pulse, cycle, direction = m.pulse[rows], m.cycle[rows], m.direction[rows]
    jump = np.diff(pulse) - 1
    goes_on = jump >= 0
    gap = goes_on & (jump > 0)
    unknown = gap & ((direction[1:] != direction[:-1]) | (jump > LONGEST_GAP)) & (direction[:-1] != 0)
    again = np.diff(cycle) != 0
    anew = np.concatenate([[True], ~goes_on | unknown | (again & (jump != 0))])
    fill = np.concatenate([[0], np.where(gap & ~anew[1:], jump, 0)])
    anew = _at_readings(anew, np.isfinite(m.siemens[rows]))
    kinds = np.where(direction > 0, UP, DOWN).astype(np.uint8)
    kinds[anew] = START
    place = np.cumsum(fill + 1) - 1
    source = np.repeat(np.arange(len(rows)), fill + 1)
    real = np.zeros(len(source), bool)
    real[place] = True
    full_kinds = np.where(real, kinds[source], np.where(direction[source] > 0, UP, DOWN)).astype(np.uint8)
    readings = np.where(real, m.siemens[rows][source], np.nan)
    absent = int(np.isnan(readings).sum())
    where = np.where(real, rows[source], -1)
    return _One(m.names[d], readings, full_kinds, where, int(anew.sum()) - 1, absent)


def _from_first_reading(m: Measurements, rows: np.ndarray) -> slice:
    there = np.isfinite(m.siemens[rows])
    return slice(int(there.argmax()), None) if there.any() else slice(0, 1)


def _at_readings(anew: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Return restarts moved on to the next row that has a reading."""
    moved = np.zeros_like(anew)
    places = np.flatnonzero(there)
    at = np.searchsorted(places, np.flatnonzero(anew))
    moved[places[at[at < len(places)]]] = True
    return moved


def _judge(one: _One) -> tuple[str, bool]:
    """Return why a device cannot be used, or nothing, and whether its polarity is reversed."""
    values = one.readings[np.isfinite(one.readings)]
    if len(values) < FEWEST:
        return f"has {len(values)} readings; a fit needs {FEWEST}", False
    if values.min() == values.max():
        return f"does not respond: all {len(values)} readings are {values[0]:.4g} S", False
    direction, net, _, _ = one.stretches()
    noise = 1.4826 * float(np.median(np.abs(np.diff(values) - np.median(np.diff(values)))))
    noise = max(noise, 1e-9 * float(np.ptp(values)))
    score = float((direction * net).sum()) / (noise * np.sqrt(max(len(net), 1)))
    if abs(score) < RESPONDS:
        spread = 1.4826 * float(np.median(np.abs(values - np.median(values))))
        return (
            f"does not respond: its pulses move it no further than its noise (readings {np.median(values):.3g} +- "
            f"{spread:.2g} S)"
        ), False
    return "", score < 0


def _window(devices: list[_One]) -> Window:
    """Return the window from the middle device's lowest to its highest conductance, single readings left aside."""
    ends = np.array([np.quantile(_median3(o.readings[np.isfinite(o.readings)]), (0.01, 0.99)) for o in devices])
    low, high = np.median(ends, axis=0)
    return Window(max(float(low), 0.0), float(high))


def _may_drift(one: _One) -> bool:
    """Return whether upper and lower turning points move together, so that a slope is worth fitting."""
    direction, _, value, when = one.stretches()
    up = direction > 0
    if up.sum() < 3 or (~up).sum() < 3:
        return False
    span = max(len(one.readings), 1)
    t = when / span
    columns = np.column_stack([t, up, ~up]).astype(np.float64)
    slope, *_ = np.linalg.lstsq(columns, value, rcond=None)
    rest = value - columns @ slope
    freedom = max(len(value) - 3, 1)
    error = np.sqrt((rest**2).sum() / freedom * np.linalg.inv(columns.T @ columns)[0, 0])
    apart = [np.polyfit(t[side], value[side], 1)[0] for side in (up, ~up)]
    height = abs(float(np.median(value[up]) - np.median(value[~up])))
    same = min(apart[0] * slope[0], apart[1] * slope[0]) > 0.4 * slope[0] ** 2
    return bool(same and abs(slope[0]) > max(DRIFTS * error, DRIFT_SHARE * height))


def _packed(
    kept: list[_One], window: Window, drifting: np.ndarray, notes: tuple[str, ...], left_out: dict[str, str]
) -> Prepared:
    ends = np.cumsum([len(o.readings) for o in kept])
    weights = window.to_weight(np.concatenate([o.readings for o in kept])).astype(np.float32)
    records = Records(
        np.concatenate([[0], ends[:-1]]).astype(np.int64), ends.astype(np.int64), weights,
        np.concatenate([o.kinds for o in kept]),
    )  # fmt: skip
    noise = np.array([_read_noise(weights[b:e]) for b, e in zip(records.begins, records.ends, strict=True)])
    rows = np.concatenate([o.rows for o in kept])
    reached = [np.quantile(_median3(o.readings[np.isfinite(o.readings)]), REACHED) for o in kept]
    return Prepared(
        tuple(o.name for o in kept), window, records, rows, drifting, noise, window.to_weight(np.array(reached)), notes,
        left_out,
    )  # fmt: skip


def _read_noise(weights: np.ndarray) -> float:
    """Return a first guess of the noise of a reading: from second differences, in which a smooth response cancels."""
    values = weights[np.isfinite(weights)]
    second = np.abs(np.diff(values, 2)) / np.sqrt(6)
    return max(1.4826 * float(np.median(second)), 1e-4) if len(second) else 1e-2
