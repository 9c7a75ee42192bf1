"""Pulse measurements of devices: columns, units and values checked, each fault with its line and column."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mho.characterize.fitting.table import Table, read_table
from mho.errors import ConfigError, DataError, nearest

COLUMNS = ("device", "cycle", "pulse", "direction", "conductance_S")
SIGNAL = "conductance_S"
UNITS = {
    "S": 1.0, "mS": 1e-3, "uS": 1e-6, "µS": 1e-6, "μS": 1e-6, "nS": 1e-9, "pS": 1e-12, "fS": 1e-15,
}  # fmt: skip
HIGHEST, LOWEST = 1.0, 1e-15
"""Median sizes of a conductance, in siemens, beyond which the unit must be wrong."""
USUAL = (1e-9, 1e-2)
"""Conductances of memory devices, by which the unit that was meant is guessed."""


@dataclass(frozen=True)
class Measurements:
    """Readings of devices after pulses, sorted by device and cycle, each in the order of its pulses.

    names: of the devices. first: (devices + 1,) where each device's rows begin. The rest is one value per reading:
    cycle; pulse, the number of the pulse after which it was read (0: before any); direction, +1, -1 or, at a start, 0;
    siemens, NaN where a reading is absent; line in the file.
    """

    path: str
    names: tuple[str, ...]
    first: np.ndarray
    cycle: np.ndarray
    pulse: np.ndarray
    direction: np.ndarray
    siemens: np.ndarray
    line: np.ndarray

    def __len__(self) -> int:
        return len(self.names)


def read_measurements(
    path: str | os.PathLike[str],
    *,
    columns: Mapping[str, str] | None = None,
    unit: str | None = None,
    absent: bool = False,
) -> Measurements:
    """Return the measurements in a CSV file (plain or gzip) with the columns device, pulse, direction, conductance_S.

    A row is the reading after that pulse; a row of pulse 0 is the state before any. A number of a pulse that is left
    out is a pulse without a reading. `cycle` is optional: pulses may be numbered anew in every cycle.

    columns: {name here: name in the file} where the file has other names. unit: of the conductance; S if it is not
    given, or what a column named conductance_uS (or the like) says. absent: take NaN and empty readings as pulses
    without a reading. Raises DataError with line and column of the first row that cannot be, ConfigError for a unit
    that is not known.
    """
    if unit is not None and unit not in UNITS:
        raise ConfigError(f"the unit {unit!r} is not known; {nearest(unit, UNITS)}")
    table = read_table(Path(path).expanduser())
    where, scale = _columns(table, dict(columns or {}), unit)
    device, names = _devices(table, where["device"])
    pulse = table.whole_numbers(where["pulse"])
    _refuse(table, where["pulse"], pulse < 0, "pulse {} is below 0; pulses count from 1, and 0 is the start", pulse)
    direction = _directions(table, where["direction"], pulse)
    siemens = _siemens(table, where[SIGNAL], scale, absent)
    cycle = table.whole_numbers(where["cycle"]) if "cycle" in where else np.zeros(len(table), np.int64)
    order = _order(device, cycle)
    found = Measurements(
        table.path, names, np.searchsorted(device[order], np.arange(len(names) + 1)),
        cycle[order], pulse[order], direction[order], siemens[order], table.lines[order],
    )  # fmt: skip
    _check_pulses(found, where["pulse"], "cycle" in where)
    _check_signal(found, where[SIGNAL])
    return found


def _columns(table: Table, given: dict[str, str], unit: str | None) -> tuple[dict[str, str], float]:
    """Return the file's name of every column, and siemens per unit of the conductance."""
    for name in given:
        if name not in COLUMNS:
            raise ConfigError(
                f"--column {name}={given[name]}: {name!r} is no column that is read; {nearest(name, COLUMNS)}"
            )
    where, scale = {}, UNITS[unit or "S"]
    for name in COLUMNS:
        wanted = given.get(name, name)
        if wanted not in table.names and name == SIGNAL and name not in given:
            matches = [re.fullmatch(r"conductance_(\w+)", n) for n in table.names]
            stated = [m for m in matches if m and m[1] in UNITS]
            if stated:
                wanted, scale = stated[0][0], UNITS[unit or stated[0][1]]
        if wanted in table.names:
            if table.names.count(wanted) > 1:
                raise DataError(f"{table.path}: two columns are named {wanted!r}; name each once")
            where[name] = wanted
        elif name != "cycle" or name in given:
            raise DataError(_missing(table, name, wanted))
    return where, scale


def _missing(table: Table, name: str, wanted: str) -> str:
    found = ", ".join(repr(n) for n in table.names)
    near = nearest(wanted, table.names)
    hint = near.removeprefix("did you mean ").removesuffix("?").split(" or ")[0].strip("'")
    other = hint if near.startswith("did you mean") else "NAME"
    return (
        f"{table.path}: there is no column {wanted!r} among {found}; a file of measurements has the columns "
        f"{','.join(COLUMNS)} (cycle may be left out). Another name is given by --column {name}={other}"
    )


def _refuse(table: Table, name: str, wrong: np.ndarray, text: str, values: np.ndarray) -> None:
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(f"{table.at(row, name)}: {text.format(values[row])}")


def _devices(table: Table, name: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the number of the device of every row, and the names in the order of their first rows."""
    fields = table.fields(name)
    _refuse(table, name, fields == b"", "the name of the device is empty{}", np.full(len(fields), ""))
    change = np.concatenate([[0], np.flatnonzero(fields[1:] != fields[:-1]) + 1])
    numbers: dict[bytes, int] = {}
    of_run = [numbers.setdefault(field, len(numbers)) for field in fields[change].tolist()]
    device = np.repeat(of_run, np.diff(np.append(change, len(fields))))
    return device, tuple(key.decode("utf-8", "replace") for key in numbers)


def _directions(table: Table, name: str, pulse: np.ndarray) -> np.ndarray:
    """Return the direction of every row; that of a start does not matter."""
    start = pulse == 0
    try:
        values = table.whole_numbers(name).astype(np.float64)
    except DataError:
        values = table.numbers(name)
    wrong = ~start & (np.abs(values) != 1)
    if wrong.any():
        row = int(wrong.argmax())
        shown = "empty" if np.isnan(values[row]) else f"{values[row]:g}"
        raise DataError(
            f"{table.at(row, name)}: the direction is {shown}; it is +1 for a pulse that raises the conductance and -1 "
            "for one that lowers it (only the row of pulse 0 has none)"
        )
    return np.where(start, 0, values).astype(np.int8)


def _siemens(table: Table, name: str, scale: float, absent: bool) -> np.ndarray:
    values = table.numbers(name)
    bad = ~np.isfinite(values)
    if bad.any() and not (absent and np.isnan(values[bad]).all()):
        row = int((np.isinf(values) if absent else bad).argmax())
        field = table.fields(name)[row].decode("utf-8", "replace")
        raise DataError(
            f"{table.at(row, name)}: the reading is {field or 'empty'}; leave out the row of a pulse that was not "
            "read, or give --absent to take such rows as pulses without a reading"
        )
    return values * scale


def _order(device: np.ndarray, cycle: np.ndarray) -> np.ndarray:
    """Return the rows sorted by device, then cycle, else as in the file."""
    same = device[1:] == device[:-1]
    if (device[1:] >= device[:-1]).all() and ((cycle[1:] >= cycle[:-1]) | ~same).all():
        return np.arange(len(device))
    return np.lexsort((cycle, device))


def _check_pulses(m: Measurements, name: str, cycles: bool) -> None:
    device = np.repeat(np.arange(len(m)), np.diff(m.first))
    same = (device[1:] == device[:-1]) & (m.cycle[1:] == m.cycle[:-1])
    wrong = same & (m.pulse[1:] <= m.pulse[:-1])
    if wrong.any():
        row = int(wrong.argmax())
        number, before = m.pulse[row + 1], m.pulse[row]
        where = f"{m.path}, line {m.line[row + 1]}, column {name}"
        of = f"device {m.names[device[row]]}" + (f", cycle {m.cycle[row]}" if cycles else "")
        if number == before:
            raise DataError(f"{where}: pulse {number} of {of} stands on line {m.line[row]} already; keep one reading")
        hint = "" if cycles else "; where pulses are numbered anew, say so in a column cycle"
        raise DataError(
            f"{where}: pulse {number} of {of} follows pulse {before} on line {m.line[row]}; rows of a device go by the "
            f"number of the pulse, upwards{hint}"
        )
    if np.diff(m.first).max() < 2:
        raise DataError(
            f"{m.path}, line {m.line[0]}, column {name}: device {m.names[0]} has one pulse"
            + (", and so has every other" if len(m) > 1 else "")
            + "; a fit needs the readings of many pulses, up and down"
        )


def _check_signal(m: Measurements, name: str) -> None:
    there = np.isfinite(m.siemens)
    if not there.any():
        raise DataError(f"{m.path}, column {name}: no reading at all")
    values = m.siemens[there]
    size = float(np.median(np.abs(values)))
    row = int(np.flatnonzero(there)[0])
    where = f"{m.path}, line {m.line[row]}, column {name}"
    if values.min() == values.max():
        raise DataError(
            f"{where}: the conductance is {values[0]:g} S in all {len(values)} readings; a constant signal says "
            "nothing about steps. Is this the right column?"
        )
    if not LOWEST < size < HIGHEST:
        likely = [u for u, s in UNITS.items() if u.isascii() and USUAL[0] <= size * s <= USUAL[1]]
        likely = sorted(likely, key=lambda u: abs(np.log10(size * UNITS[u] / 1e-5)))
        hint = f"; give --unit {likely[0]} if that is the unit" if likely and size >= HIGHEST else "; check the unit"
        raise DataError(
            f"{where}: the conductance is {values[0]:g} S, and {size:.3g} S in the middle of all readings, where "
            f"memory devices have {USUAL[0]:g} to {USUAL[1]:g} S{hint}"
        )
    if np.median(values) < 0:
        raise DataError(f"{where}: most conductances are negative, as {values[0]:g} S; a conductance is positive")
